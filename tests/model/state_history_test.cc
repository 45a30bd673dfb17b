// Random histories of several sequences (append, batches, take back, rewind, fork, snapshot, restore,
// boundaries kept and thinned, failures half-way) against the simplest model there is of a state: its list of
// tokens. Every row of logits and of drafts that a history produced is compared, bit for bit, with the same
// tokens computed from an empty state in one pass.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "model/rewind.h"
#include "support/formula_model.h"

namespace hadal {
namespace {

constexpr int kMostTokens = 300, kMostSequences = 4, kVocab = 24;
constexpr int kHistoriesACase = 40;  // so that a default run is thousands of them

test::Json small_json() {
  test::Json c = test::released_config();
  c.erase("quantization_config");
  c.erase("expert_dtype");
  c["torch_dtype"] = "float32";
  c["rope_scaling"]["original_max_position_embeddings"] = 64;
  c.update({{"vocab_size", kVocab},
            {"hidden_size", 32},
            {"moe_intermediate_size", 16},
            {"num_hidden_layers", 3},
            {"num_hash_layers", 1},
            {"num_attention_heads", 2},
            {"head_dim", 80},
            {"qk_rope_head_dim", 16},
            {"q_lora_rank", 16},
            {"o_groups", 1},
            {"o_lora_rank", 16},
            {"hc_mult", 2},
            {"hc_sinkhorn_iters", 3},
            {"n_routed_experts", 4},
            {"num_experts_per_tok", 2},
            {"routed_scaling_factor", 1.5},
            {"index_n_heads", 2},
            {"index_head_dim", 32},
            {"index_topk", 6},
            {"sliding_window", 12},
            {"compress_ratios", {0, 4, 128, 0}}});
  return c;
}

using Tokens = std::vector<int32_t>;
// One action of a history; what the numbers mean depends on the first.
using Action = std::tuple<uint8_t, uint16_t, uint16_t>;
using History = std::vector<Action>;

Tokens some_tokens(int64_t n, uint32_t seed) {
  Tokens ids;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>((seed >> 16) % kVocab));
  }
  return ids;
}

// Logits [tokens, vocab] and, from position 0 on, drafts [tokens - 1, vocab] of a text.
struct Rows {
  Tokens tokens;
  int64_t from = 0, draft_from = 0;
  std::vector<float> logits, drafts;
};

class World {
 public:
  World(const Model& model, Ops& ops) : model_(model), ops_(ops), pool_(ops) { add(); }

  void act(const Action& action) {
    const auto [what, a, b] = action;
    SequenceState& state = *sequences_[a % sequences_.size()];
    switch (what) {
      case 12:
      case 13: {  // to a boundary or a few tokens past it
        const int64_t to = (state.length() / kBlockTokens + 1) * kBlockTokens + b % 7;
        append({&state}, {some_tokens(to - state.length(), a + b)});
        keep_boundary(state, false);
        break;
      }
      case 0:
      case 1: {
        const int64_t most = b % 3 == 0 ? 1 : b % 3 == 1 ? 9 : 160;
        append({&state}, {some_tokens(1 + (a * 7 + b / 3) % most, b)});
        break;
      }
      case 2: {  // one batch for all
        std::vector<SequenceState*> states;
        std::vector<Tokens> more;
        for (size_t i = 0; i < sequences_.size(); ++i) {
          states.push_back(sequences_[i].get());
          more.push_back(some_tokens(1 + (a >> i) % (i % 2 == 0 ? 3 : 40), b + static_cast<uint32_t>(i)));
        }
        append(states, std::move(more));
        break;
      }
      case 3:
        if (state.length() > 0) take_back(state, state.length() - b % (state.layout().rollback + 1));
        break;
      case 4:
      case 14: {
        const int64_t length = state.length() == 0 ? 0 : b % state.length();
        const Tokens kept(state.tokens().begin(), state.tokens().begin() + length);
        const int64_t exact = state.exact_length(length);
        RC_ASSERT(rewind(model_, Ctx{ops_}, state, length) == length - exact);
        RC_ASSERT(Tokens(state.tokens().begin(), state.tokens().end()) == kept);
        break;
      }
      case 5:
        if (sequences_.size() < kMostSequences)
          sequences_.push_back(std::make_unique<SequenceState>(state.fork()));
        break;
      case 6:
        snapshots_.push_back(state.snapshot());
        if (snapshots_.size() > 3) snapshots_.erase(snapshots_.begin());
        break;
      case 7:
        if (!snapshots_.empty()) state.restore(snapshots_[b % snapshots_.size()]);
        break;
      case 8:
      case 15:
        keep_boundary(state, b % 2 == 0);
        break;
      case 9:
        state.thin_boundaries(b % 4 * tail_bytes_);
        RC_ASSERT(state.boundary_bytes() <= b % 4 * tail_bytes_);
        break;
      case 10:
        sequences_.erase(sequences_.begin() + a % static_cast<int64_t>(sequences_.size()));
        if (sequences_.empty()) add();
        break;
      case 11:
        fail_half_way(state, 1 + b % (a % 2 == 0 ? 8 : 60), a % 4);
        break;
    }
  }

  // Everything seen so far, computed again; then all memory must be back.
  void check() {
    std::sort(seen_.begin(), seen_.end(),
              [](const Rows& x, const Rows& y) { return x.tokens.size() > y.tokens.size(); });
    std::vector<Rows> whole;
    for (const Rows& rows : seen_) {
      auto found = std::find_if(whole.begin(), whole.end(), [&](const Rows& w) {
        return std::equal(rows.tokens.begin(), rows.tokens.end(), w.tokens.begin());
      });
      if (found == whole.end()) found = whole.insert(whole.end(), from_nothing(rows.tokens));
      RC_ASSERT(same(rows.logits, found->logits, rows.from));
      RC_ASSERT(same(rows.drafts, found->drafts, rows.draft_from));
    }
    sequences_.clear();
    snapshots_.clear();
    RC_ASSERT(pool_.live_pieces() == 0);
    RC_ASSERT(pool_.used_bytes() == 0);
  }

 private:
  void add() { sequences_.push_back(std::make_unique<SequenceState>(model_.state_layout(), pool_)); }

  static bool same(const std::vector<float>& rows, const std::vector<float>& whole, int64_t from) {
    return std::equal(rows.begin(), rows.end(), whole.begin() + from * kVocab,
                      [](float x, float y) { return std::memcmp(&x, &y, sizeof x) == 0; });
  }

  void take_back(SequenceState& state, int64_t length) {
    if (state.can_truncate(length)) state.truncate(length);
  }

  void keep_boundary(SequenceState& state, bool marked) {
    const int64_t at = state.length() / kBlockTokens * kBlockTokens;
    if (state.keep_boundary(marked)) {
      RC_ASSERT(state.exact_length(at) == at);
      tail_bytes_ = state.blocks()[static_cast<size_t>(at / kBlockTokens - 1)].boundary->bytes();
    }
  }

  // Appends to several sequences in one pass, drafts along, and notes what came out.
  void append(const std::vector<SequenceState*>& states, std::vector<Tokens> more) {
    Tokens ids, draft_ids;
    std::vector<Segment> segments, draft_segments;
    std::vector<std::vector<std::byte>> before;
    for (size_t i = 0; i < states.size(); ++i) {
      SequenceState& state = *states[i];
      more[i].resize(std::min(more[i].size(), static_cast<size_t>(kMostTokens - state.length())));
      if (more[i].empty()) continue;
      const auto n = static_cast<int64_t>(more[i].size());
      segments.push_back({&state, static_cast<int64_t>(ids.size()), n, LogitsWanted::kAll});
      ids.insert(ids.end(), more[i].begin(), more[i].end());
      RC_ASSERT(state.mtp_length() == std::max<int64_t>(0, state.length() - 1));
      before.emplace_back(state.length() == 0 ? 0 : static_cast<size_t>(state.layout().stream_row_bytes));
      if (state.length() > 0)
        std::memcpy(before.back().data(), state.stream(state.length() - 1), before.back().size());
      const int64_t skipped = state.length() == 0 ? 1 : 0;
      if (n > skipped)
        draft_segments.push_back(
            {&state, static_cast<int64_t>(draft_ids.size()), n - skipped, LogitsWanted::kAll});
      draft_ids.insert(draft_ids.end(), more[i].begin() + skipped, more[i].end());
    }
    if (ids.empty()) return;
    const Arena::Frame frame(ops_.arena());
    const auto tokens = static_cast<int64_t>(ids.size()), drafts = static_cast<int64_t>(draft_ids.size());
    const int64_t hc = model_.config().hc_mult, dim = model_.config().hidden_size;
    const View streams = ops_.arena().alloc({tokens, hc, dim}, model_.activation_dtype());
    std::vector<float> logits(ids.size() * kVocab), drafted(draft_ids.size() * kVocab);
    model_.forward(Ctx{ops_}, Batch{ids, segments},
                   {View(logits.data(), DType::kF32, {tokens, kVocab}), streams});
    if (drafts > 0) {
      const View hidden = ops_.arena().alloc({drafts, hc, dim}, model_.activation_dtype());
      const size_t row = static_cast<size_t>(model_.state_layout().stream_row_bytes);
      std::byte* at = hidden.data;
      for (size_t i = 0; i < segments.size(); ++i) {
        at = std::copy(before[i].begin(), before[i].end(), at);
        const std::byte* from = streams.data + static_cast<size_t>(segments[i].begin) * row;
        at = std::copy(from, from + static_cast<size_t>(segments[i].count - 1) * row, at);
      }
      model_.draft(Ctx{ops_}, Batch{draft_ids, draft_segments}, hidden,
                   {View(drafted.data(), DType::kF32, {drafts, kVocab}), {}});
    }
    int64_t draft_row = 0;
    for (const Segment& s : segments) {
      Rows rows;
      rows.tokens.assign(s.state->tokens().begin(), s.state->tokens().end());
      rows.from = s.state->length() - s.count;
      rows.draft_from = std::max<int64_t>(0, rows.from - 1);
      const int64_t n = s.count - (rows.from == 0 ? 1 : 0);
      rows.logits.assign(logits.begin() + s.begin * kVocab, logits.begin() + (s.begin + s.count) * kVocab);
      rows.drafts.assign(drafted.begin() + draft_row * kVocab, drafted.begin() + (draft_row + n) * kVocab);
      draft_row += n;
      seen_.push_back(std::move(rows));
    }
  }

  // A forward pass that throws before a layer. Either nothing happened, or the state is back at a boundary.
  void fail_half_way(SequenceState& state, int64_t n, int layer) {
    n = std::min(n, kMostTokens - state.length());
    if (n <= 0) return;
    const Tokens before(state.tokens().begin(), state.tokens().end()), ids = some_tokens(n, 99);
    const StreamHook hook = [&](int at, View) {
      if (at == layer) fail(ErrorCode::kIo, "a failure made up for this test");
    };
    const Segment segment{&state, 0, n, LogitsWanted::kNone};
    bool failed = false;
    try {
      model_.forward(Ctx{ops_, &hook}, Batch{ids, {&segment, 1}}, {});
    } catch (const Error&) {
      failed = true;
    }
    RC_ASSERT(failed);
    RC_ASSERT(std::equal(state.tokens().begin(), state.tokens().end(), before.begin()));
    RC_ASSERT(n > state.layout().rollback || state.length() == static_cast<int64_t>(before.size()));
  }

  Rows from_nothing(const Tokens& tokens) {
    World other(model_, ops_);
    other.append({other.sequences_[0].get()}, {tokens});
    return other.seen_.front();
  }

  const Model& model_;
  Ops& ops_;
  KvPool pool_;
  std::vector<std::unique_ptr<SequenceState>> sequences_;
  std::vector<Snapshot> snapshots_;
  std::vector<Rows> seen_;
  int64_t tail_bytes_ = 0;
};

class StateHistories : public testing::TestWithParam<Numerics> {
 protected:
  static void SetUpTestSuite() {
    folder_ = new test::TempFolder;
    test::write_model(*folder_, small_json(), test::formula_tensors(test::parse_config(small_json())));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override { model_ = Model::open(folder_->path(), GetParam()); }

  void run(const History& history) {
    World world(*model_, ops_);
    for (const Action& action : history) world.act(action);
    world.check();
  }

  static test::TempFolder* folder_;
  std::shared_ptr<const Model> model_;
  CpuOps ops_{CpuOptions{1, ""}};
};
test::TempFolder* StateHistories::folder_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Modes, StateHistories, testing::Values(Numerics::kRelease, Numerics::kFp32),
                         [](const auto& p) { return std::string(numerics_name(p.param)); });

TEST_P(StateHistories, EveryRowIsThatOfAFreshState) {
  EXPECT_TRUE(rc::check("thousands of random histories", [&] {
    // Elements at full size: small numbers would make short sequences that never reach a boundary.
    const auto number = rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint16_t>(0, 10000));
    const auto action =
        rc::gen::tuple(rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint8_t>(0, 16)), number, number);
    const auto histories = *rc::gen::container<std::vector<History>>(
        kHistoriesACase, rc::gen::resize(40, rc::gen::container<History>(action)));
    for (const History& history : histories) run(history);
  }));
}

// Histories that told a mistake from the right thing once, shrunk: a restored snapshot without the rows of
// the compressors' earlier window; a shared block written in place; a boundary that outlived the end of its
// block.
TEST_P(StateHistories, CounterexamplesOfOldStayRight) {
  run({{5, 0, 0}, {0, 3, 1}, {6, 15, 0}, {7, 0, 0}, {0, 0, 10}});
  run({{0, 9, 32}, {5, 0, 0}, {0, 0, 35}, {0, 1, 38}, {2, 5, 3}});
  run({{12, 0, 3}, {3, 0, 8}, {3, 0, 1}, {12, 5, 6}, {0, 9, 32}, {4, 0, 129}, {0, 0, 4}});
  run({{12, 0, 4}, {11, 3, 59}, {0, 0, 3}, {12, 0, 0}, {9, 0, 0}, {11, 1, 59}, {0, 0, 8}});
}

}  // namespace
}  // namespace hadal
