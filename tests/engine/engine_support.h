// A small model with every kind of layer, requests on it, and what each must give: a loop without the engine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "engine/engine.h"
#include "engine/token_queue.h"
#include "kv/prefix_cache.h"

namespace hadal::test {

inline const std::filesystem::path kSmallModel =
    std::filesystem::path(HADAL_SOURCE_DIR) / "tests/golden/tiny-fp8fp4";

inline std::shared_ptr<const Model> small_model() {
  static const std::shared_ptr<const Model> model = Model::open(kSmallModel, Numerics::kRelease);
  return model;
}

inline std::vector<int32_t> random_ids(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  const auto vocab = static_cast<uint32_t>(small_model()->config().vocab_size);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(random() % vocab));
  return ids;
}

inline Request request(int64_t prompt, int64_t max_tokens, uint32_t seed = 1) {
  Request r;
  r.prompt = random_ids(prompt, seed);
  r.max_tokens = max_tokens;
  r.sampling.temperature = seed % 3 == 0 ? 0.0f : 0.9f;
  r.sampling.top_p = seed % 2 == 0 ? 1.0f : 0.95f;
  r.sampling.repetition_penalty = seed % 4 == 1 ? 1.2f : 1.0f;
  r.sampling.seed = seed;
  r.sequence = seed % 5;
  return r;
}

// What the engine promises for a request, whatever else runs.
struct Expected {
  std::vector<int32_t> tokens;
  EndReason reason = EndReason::kLength;
};
inline Expected alone(const Request& r, Ops& ops) {
  const Model& model = *small_model();
  const size_t vocab = static_cast<size_t>(model.config().vocab_size);
  SequenceState state(model.state_layout(), ops);
  Sampler sampler(r.sampling, static_cast<int32_t>(vocab), r.sequence);
  sampler.add_prompt(r.prompt);
  std::vector<float> logits(vocab);
  std::vector<int32_t> next = r.prompt;
  const std::unique_ptr<TokenConstraint> constraint = r.constraint ? r.constraint->fork() : nullptr;
  std::vector<uint32_t> mask((vocab + 31) / 32);
  std::vector<int32_t> forced;
  Expected out;
  while (static_cast<int64_t>(out.tokens.size()) < *r.max_tokens) {
    const Segment segment{&state, 0, static_cast<int64_t>(next.size()), LogitsWanted::kLast};
    model.forward(Ctx{ops}, Batch{next, {&segment, 1}},
                  {View(logits.data(), DType::kF32, {1, static_cast<int64_t>(vocab)}), {}});
    TokenMask allowed = r.allowed ? TokenMask(*r.allowed) : TokenMask();
    if (constraint) {
      constraint->allow(mask);
      for (size_t i = 0; i < allowed.size(); ++i) mask[i] &= allowed[i];
      allowed = mask;
    }
    if (constraint && forced.empty()) forced = constraint->forced();
    int32_t id = 0;
    if (forced.empty()) {
      id = sampler.sample(logits, state.length(), allowed);
    } else {
      id = forced.front();
      forced.erase(forced.begin());
    }
    if (constraint) {
      EXPECT_TRUE(constraint->accept(id));
    }
    if (std::count(r.end_ids.begin(), r.end_ids.end(), id) > 0) {
      out.reason = EndReason::kStop;
      break;
    }
    out.tokens.push_back(id);
    sampler.accept(id);
    next = {id};
  }
  return out;
}

// Keeps what it is told, and checks the order of it.
class Recorder : public EventSink {
 public:
  void on_start(int64_t from_cache, int64_t total) override {
    EXPECT_FALSE(cached || finish) << "started twice, or too late";
    EXPECT_LT(from_cache, total);
    cached = from_cache;
    prompt = total;
  }
  void on_prefill(int64_t done, int64_t total) override {
    EXPECT_TRUE(tokens.empty() && !finish);
    EXPECT_TRUE(cached);
    EXPECT_EQ(total, prompt);
    EXPECT_GE(done, prefilled);
    EXPECT_LE(done, total);
    prefilled = done;
  }
  void on_prompt_logits(int64_t position, std::span<const float> logits) override {
    EXPECT_EQ(position * static_cast<int64_t>(logits.size()), static_cast<int64_t>(prompt_logits.size()));
    EXPECT_GE(position, prefilled);
    EXPECT_FALSE(finish);
    prompt_logits.insert(prompt_logits.end(), logits.begin(), logits.end());
  }
  bool on_token(const TokenEvent& event) override {
    EXPECT_FALSE(finish);
    EXPECT_EQ(prefilled, prompt);
    if (!event.logits.empty()) {
      EXPECT_EQ(event.logits.size(), static_cast<size_t>(small_model()->config().vocab_size));
      ++with_logits;
    }
    tokens.push_back(event.id);
    return true;
  }
  void on_finish(const FinishInfo& info) override {
    EXPECT_FALSE(finish) << "finished twice";
    EXPECT_EQ(info.generated_tokens, static_cast<int64_t>(tokens.size()));
    EXPECT_EQ(info.cached_tokens, cached.value_or(0));
    finish = info;
  }

  int64_t prefilled = 0, prompt = -1;
  std::optional<int64_t> cached;
  std::vector<float> prompt_logits;  // [positions, vocab]
  std::vector<int32_t> tokens;
  int64_t with_logits = 0;  // of the tokens
  std::optional<FinishInfo> finish;
};

inline void expect_same(const Recorder& got, const Expected& want, const std::string& which = {}) {
  ASSERT_TRUE(got.finish) << which;
  EXPECT_EQ(got.tokens, want.tokens) << which;
  EXPECT_EQ(got.finish->reason, want.reason) << which << ' ' << got.finish->error;
}

inline std::unique_ptr<PrefixCache> small_cache(const KvPool& pool,
                                                const std::filesystem::path& folder = {}) {
  PrefixCacheOptions options;
  options.identity = {{1, 2}, "release", "v4-official", small_model()->state_layout().block_bytes};
  if (!folder.empty()) options.disk = DiskStore::open({folder, int64_t{1} << 30}, options.identity);
  return std::make_unique<PrefixCache>(small_model()->state_layout(), pool, std::move(options));
}

// An engine on a pool of its own.
struct Bench {
  explicit Bench(int64_t limit = KvPool::kNoLimit, EngineConfig config = {}, bool cache = false,
                 const std::filesystem::path& folder = {})
      : ops(CpuOptions{1, ""}),
        pool(ops, limit),
        engine(small_model(), ops, pool, std::move(config), cache ? small_cache(pool, folder) : nullptr) {}

  std::pair<RequestId, std::shared_ptr<Recorder>> submit(Request r) {
    auto sink = std::make_shared<Recorder>();
    const Result<RequestId> id = engine.submit(std::move(r), sink);
    EXPECT_TRUE(id) << (id ? "" : id.error().to_string());
    return {id ? *id : 0, sink};
  }

  // Pieces that are neither free nor the cache's: a leak, when nothing runs and nothing is being written.
  int64_t lost_pieces() const {
    const PrefixCacheStats cache = engine.stats().cache;
    return pool.live_pieces() - cache.blocks - cache.anchors;
  }

  CpuOps ops;
  KvPool pool;
  Engine engine;
};

// Bytes that n states of this many tokens take.
inline int64_t state_bytes(int64_t n, int64_t tokens) {
  const StateLayout& layout = small_model()->state_layout();
  return n * layout.bytes(tokens);
}

}  // namespace hadal::test
