// The invariants of spec/model.md section 12.2: however tokens reach a state, the logits after them are the
// same bits. Run on a small checkpoint with every kind of layer (window 16, ratios 0, 4 and 128, index top-k
// 8, hash and score routing), in both numerics.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "cpu/cpu_ops.h"
#include "model/model.h"
#include "ops/reference_ops.h"

namespace hadal {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(HADAL_SOURCE_DIR) / "tests/golden/tiny-fp8fp4";
constexpr int kTokens = 300;

std::vector<int32_t> tokens(int n, int seed = 0) {
  std::vector<int32_t> ids;
  uint32_t x = 12345u + static_cast<uint32_t>(seed);
  for (int i = 0; i < n; ++i) {
    x = x * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>((x >> 16) % 320));
  }
  return ids;
}

class States : public testing::TestWithParam<Numerics> {
 protected:
  void SetUp() override {
    model_ = Model::open(kFolder, GetParam());
    vocab_ = static_cast<size_t>(model_->config().vocab_size);
  }

  SequenceState fresh(Ops& ops) const { return SequenceState(model_->state_layout(), ops); }

  // Appends ids and returns the logits after each of them.
  std::vector<float> append(Ops& ops, SequenceState& state, std::span<const int32_t> ids) const {
    const int64_t n = static_cast<int64_t>(ids.size());
    std::vector<float> logits(ids.size() * vocab_);
    const Segment segment{&state, 0, n, LogitsWanted::kAll};
    model_->forward(Ctx{ops}, Batch{ids, {&segment, 1}},
                    {View(logits.data(), DType::kF32, {n, static_cast<int64_t>(vocab_)}), {}});
    return logits;
  }
  std::vector<float> whole(Ops& ops, std::span<const int32_t> ids) const {
    SequenceState state = fresh(ops);
    return append(ops, state, ids);
  }
  // Rows [from, from + n) of logits.
  std::vector<float> rows(const std::vector<float>& logits, int from, int n) const {
    return {logits.begin() + static_cast<int64_t>(from * vocab_),
            logits.begin() + static_cast<int64_t>((from + n) * vocab_)};
  }

  std::shared_ptr<const Model> model_;
  size_t vocab_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, States, testing::Values(Numerics::kRelease, Numerics::kFp32),
                         [](const auto& p) { return std::string(numerics_name(p.param)); });

TEST_P(States, PrefillEqualsPrefixThenDecode) {
  CpuOps ops{CpuOptions{}};
  const std::vector<int32_t> ids = tokens(kTokens);
  const std::vector<float> want = whole(ops, ids);
  // Every residue mod 4, around the window (16), the top-k threshold (36 tokens), 128 and 256.
  for (const int prefix :
       {1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 34, 35, 36, 37, 126, 127, 128, 129, 254, 255, 256, 257}) {
    SequenceState state = fresh(ops);
    ASSERT_EQ(append(ops, state, std::span(ids).first(static_cast<size_t>(prefix))), rows(want, 0, prefix))
        << prefix;
    for (int t = prefix; t < std::min(prefix + 6, kTokens); ++t)
      ASSERT_EQ(append(ops, state, std::span(ids).subspan(static_cast<size_t>(t), 1)), rows(want, t, 1))
          << prefix << ' ' << t;
  }
}

TEST_P(States, AnyChunkingGivesTheSameBits) {
  const std::vector<int32_t> ids = tokens(kTokens);
  CpuOps one{CpuOptions{1, ""}};
  const std::vector<float> want = whole(one, ids);
  EXPECT_TRUE(rc::check("chunks", [&] {
    const int threads = *rc::gen::inRange(1, 4);
    CpuOps ops{CpuOptions{threads, ""}};
    SequenceState state = fresh(ops);
    int at = 0;
    while (at < kTokens) {
      const int n = std::min(kTokens - at, *rc::gen::oneOf(rc::gen::inRange(1, 9), rc::gen::inRange(1, 140)));
      RC_ASSERT(append(ops, state, std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(n))) ==
                rows(want, at, n));
      at += n;
    }
  }));
}

TEST_P(States, EveryIsaAndTheReferenceGiveTheSameBitsSlow) {
  const std::vector<int32_t> ids = tokens(160);
  CpuOps best{CpuOptions{}};
  const std::vector<float> want = whole(best, ids);
  for (const std::string& isa : available_isas()) {
    CpuOps ops{CpuOptions{2, isa}};
    EXPECT_EQ(whole(ops, ids), want) << isa;
  }
  ReferenceOps reference;
  EXPECT_EQ(whole(reference, std::span(ids).first(140)), rows(want, 0, 140));
}

TEST_P(States, TruncateTakesBackExactly) {
  CpuOps ops{CpuOptions{}};
  const std::vector<int32_t> ids = tokens(kTokens), other = tokens(kTokens, 7);
  const std::vector<float> want = whole(ops, ids);
  EXPECT_TRUE(rc::check("drafts that are taken back leave no trace", [&] {
    SequenceState state = fresh(ops);
    int length = *rc::gen::inRange(1, 280);
    append(ops, state, std::span(ids).first(static_cast<size_t>(length)));
    for (int round = 0; round < 4 && length < kTokens - 10; ++round) {
      const int drafts = *rc::gen::inRange(1, Model::kDefaultRollback + 1);
      append(ops, state, std::span(other).first(static_cast<size_t>(drafts)));
      RC_ASSERT(state.can_truncate(length));
      state.truncate(length);
      const int n = *rc::gen::inRange(1, 10);
      RC_ASSERT(
          append(ops, state, std::span(ids).subspan(static_cast<size_t>(length), static_cast<size_t>(n))) ==
          rows(want, length, n));
      length += n;
    }
  }));
}

TEST_P(States, ResetIsANewSequence) {
  CpuOps ops{CpuOptions{}};
  const std::vector<int32_t> first = tokens(200, 3), second = tokens(150, 4);
  SequenceState state = fresh(ops);
  append(ops, state, first);
  EXPECT_FALSE(state.can_truncate(100));
  state.reset();
  EXPECT_EQ(state.length(), 0);
  EXPECT_EQ(append(ops, state, second), whole(ops, second));
  // A prompt shorter than a window of the compressor, after a long one.
  state.reset();
  EXPECT_EQ(append(ops, state, std::span(first).first(3)), whole(ops, std::span(first).first(3)));
}

TEST_P(States, InterleavedSequencesEqualEachAlone) {
  CpuOps ops{CpuOptions{}};
  const std::vector<std::vector<int32_t>> ids = {tokens(280, 1), tokens(150, 2), tokens(90, 3)};
  std::vector<std::vector<float>> want;
  for (const auto& sequence : ids) want.push_back(whole(ops, sequence));
  EXPECT_TRUE(rc::check("ragged batches of three sequences", [&] {
    std::vector<SequenceState> states;
    for (int i = 0; i < 3; ++i) states.push_back(fresh(ops));
    std::vector<int> at(3, 0);
    while (at[0] < 280 || at[1] < 150 || at[2] < 90) {
      std::vector<Segment> segments;
      std::vector<int32_t> batch;
      std::vector<int> owners, counts;
      for (int i = 0; i < 3; ++i) {
        const int left = static_cast<int>(ids[i].size()) - at[i];
        const int n =
            std::min(left, *rc::gen::oneOf(rc::gen::just(0), rc::gen::just(1), rc::gen::inRange(1, 90)));
        if (n == 0) continue;
        segments.push_back({&states[i], static_cast<int64_t>(batch.size()), n, LogitsWanted::kAll});
        batch.insert(batch.end(), ids[i].begin() + at[i], ids[i].begin() + at[i] + n);
        owners.push_back(i);
        counts.push_back(n);
      }
      if (batch.empty()) continue;
      std::vector<float> logits(batch.size() * vocab_);
      model_->forward(Ctx{ops}, Batch{batch, segments},
                      {View(logits.data(), DType::kF32,
                            {static_cast<int64_t>(batch.size()), static_cast<int64_t>(vocab_)}),
                       {}});
      int row = 0;
      for (size_t s = 0; s < owners.size(); ++s) {
        RC_ASSERT(rows(logits, row, counts[s]) == rows(want[owners[s]], at[owners[s]], counts[s]));
        row += counts[s];
        at[owners[s]] += counts[s];
      }
    }
  }));
}

TEST_P(States, LogitsOfStreamsAreThoseOfThePass) {
  CpuOps ops{CpuOptions{}};
  const std::vector<int32_t> ids = tokens(100);
  const auto vocab = static_cast<int64_t>(vocab_);
  SequenceState state = fresh(ops);
  const Arena::Frame frame(ops.arena());
  const View streams = ops.arena().alloc({100, 4, model_->config().hidden_size}, model_->activation_dtype());
  std::vector<float> want(100 * vocab_), got(100 * vocab_);
  const Segment all{&state, 0, 100, LogitsWanted::kAll};
  model_->forward(Ctx{ops}, Batch{ids, {&all, 1}}, {View(want.data(), DType::kF32, {100, vocab}), streams});
  for (const int64_t rows : {1, 7, 100}) {
    std::fill(got.begin(), got.end(), 0.0f);
    for (int64_t at = 0; at < 100; at += rows) {
      const int64_t n = std::min<int64_t>(rows, 100 - at);
      model_->logits(Ctx{ops}, streams.slice(0, at, n),
                     View(got.data() + at * vocab, DType::kF32, {n, vocab}));
    }
    EXPECT_EQ(got, want) << rows;
  }
}

TEST_P(States, DraftsDoNotDependOnChunking) {
  CpuOps ops{CpuOptions{}};
  const std::vector<int32_t> ids = tokens(150);
  const auto drafts = [&](int chunk) {
    SequenceState state = fresh(ops);
    std::vector<float> all;
    for (int at = 0; at + 1 < 150; at += chunk) {
      const int n = std::min(chunk, 149 - at);
      const Arena::Frame frame(ops.arena());
      const View streams =
          ops.arena().alloc({n, 4, model_->config().hidden_size}, model_->activation_dtype());
      const Segment append{&state, 0, n, LogitsWanted::kNone}, draft{&state, 0, n, LogitsWanted::kAll};
      model_->forward(Ctx{ops}, Batch{std::span(ids).subspan(at, n), {&append, 1}}, {{}, streams});
      std::vector<float> logits(n * vocab_);
      model_->draft(Ctx{ops}, Batch{std::span(ids).subspan(at + 1, n), {&draft, 1}}, streams,
                    {View(logits.data(), DType::kF32, {n, static_cast<int64_t>(vocab_)}), {}});
      all.insert(all.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(state.mtp_length(), 149);
    return all;
  };
  const std::vector<float> want = drafts(149);
  for (const int chunk : {1, 7, 64}) EXPECT_EQ(drafts(chunk), want) << chunk;
}

TEST_P(States, PackedRowsHaveTheirReleasedSize) {
  const StateLayout& layout = model_->state_layout();
  if (GetParam() == Numerics::kRelease) {
    EXPECT_EQ(layout.kv_row.bytes(), model_->config().kv_row_bytes());
    EXPECT_EQ(layout.index_row.bytes(), model_->config().index_row_bytes());
  } else {
    EXPECT_EQ(layout.kv_row.bytes(), 4 * model_->config().head_dim);
  }
  // Two ratio-4 layers of 32 rows and one ratio-128 row a block, each rounded up to a cache line.
  int64_t rows = 0;
  for (const StateLayout::Layer& layer : layout.layers) rows += layer.row_count;
  EXPECT_EQ(rows, 2 * 32 + 1);
  CpuOps ops{CpuOptions{}};
  SequenceState state = fresh(ops);
  append(ops, state, tokens(129));
  EXPECT_EQ(state.bytes(), layout.fixed_bytes + 2 * layout.block_bytes);
}

}  // namespace
}  // namespace hadal
