// Sessions through files: a state that was saved and loaded goes on, and goes back, as the one that was not.
#include "kv/session_file.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cpu/cpu_ops.h"
#include "kv/kv_support.h"
#include "model/rewind.h"

namespace hadal {
namespace {

class Sessions : public testing::Test {
 protected:
  Sessions()
      : model_(Model::open(std::filesystem::path(HADAL_SOURCE_DIR) / "tests/golden/tiny-fp8fp4",
                           Numerics::kRelease)),
        pool_(ops_),
        identity_(test::identity_of(model_->state_layout().block_bytes)) {}

  std::vector<float> append(SequenceState& state, int64_t n, uint32_t seed) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < n; ++i)
      ids.push_back(static_cast<int32_t>((seed = seed * 1664525u + 1) >> 16) % 320);
    const Segment segment{&state, 0, n, LogitsWanted::kAll};
    std::vector<float> logits(static_cast<size_t>(n * model_->config().vocab_size));
    model_->forward(Ctx{ops_}, Batch{ids, {&segment, 1}},
                    {View(logits.data(), DType::kF32, {n, model_->config().vocab_size}), {}});
    return logits;
  }
  SequenceState fresh() { return SequenceState(model_->state_layout(), pool_); }
  Snapshot loaded(const std::filesystem::path& path) {
    return load_session(path, identity_, model_->state_layout(), pool_);
  }

  CpuOps ops_{CpuOptions{1, ""}};
  std::shared_ptr<const Model> model_;
  KvPool pool_;
  KvIdentity identity_;
  test::TempFolder folder_;
};

TEST_F(Sessions, GoOnAndBackAsTheyWere) {
  EXPECT_TRUE(rc::check("save, load, go on, go back", [&] {
    const auto number = [](int most) { return *rc::gen::resize(100, rc::gen::inRange(0, most)); };
    SequenceState state = fresh();
    const int parts = 1 + number(4);
    for (int i = 0; i < parts; ++i) {
      const int64_t to_block = kBlockTokens - state.length() % kBlockTokens;
      append(state, number(2) == 0 ? to_block : 1 + number(150), static_cast<uint32_t>(number(1000)));
      if (number(2) == 0) state.keep_boundary(number(2) == 0);
    }
    const auto path = folder_ / "session";
    save_session(path, identity_, state.snapshot());
    SequenceState other = fresh();
    other.restore(loaded(path));
    RC_ASSERT(std::ranges::equal(other.tokens(), state.tokens()));
    const auto seed = static_cast<uint32_t>(number(1000));
    RC_ASSERT(append(other, 20, seed) == append(state, 20, seed));
    const int64_t back = number(static_cast<int>(state.length()));
    rewind(*model_, Ctx{ops_}, state, back);
    rewind(*model_, Ctx{ops_}, other, back);
    RC_ASSERT(append(other, 20, seed) == append(state, 20, seed));
  }));
  EXPECT_EQ(pool_.live_pieces(), 0);
}

TEST_F(Sessions, KeepTheirBoundaries) {
  SequenceState state = fresh();
  for (int i = 0; i < 3; ++i) {
    append(state, 128, 1);
    state.keep_boundary();
  }
  append(state, 37, 2);
  save_session(folder_ / "s", identity_, state.snapshot());
  SequenceState other = fresh();
  other.restore(loaded(folder_ / "s"));
  EXPECT_EQ(other.rewind(300), 256);
}

TEST_F(Sessions, ErrorsNameTheField) {
  SequenceState state = fresh();
  EXPECT_THROW(save_session(folder_ / "empty", identity_, state.snapshot()), Error);
  append(state, 200, 1);
  const auto path = folder_ / "s";
  save_session(path, identity_, state.snapshot());
  const auto refused = [&](auto change) {
    KvIdentity other = identity_;
    change(other);
    return test::invalid_file([&] { load_session(path, other, model_->state_layout(), pool_); });
  };
  EXPECT_NE(refused([](KvIdentity& i) { i.numerics = "fp32"; }).find("numerics is release, expected fp32"),
            std::string::npos);
  EXPECT_NE(refused([](KvIdentity& i) { i.fingerprint.low ^= 1; }).find("fingerprint"), std::string::npos);
  EXPECT_NE(refused([](KvIdentity& i) { i.prompt_generation = "other"; }).find("prompt generation"),
            std::string::npos);
  test::error_of(ErrorCode::kNotFound, [&] { loaded(folder_ / "none"); });
  const std::string bytes = test::read_bytes(path);
  for (size_t i = 0; i < 300; ++i) {
    std::string bad = bytes;
    bad[(i * 7919 + 13) % bad.size()] ^= static_cast<char>(1 << (i % 8));
    folder_.write("bad", bad);
    test::invalid_file([&] { loaded(folder_ / "bad"); });
  }
  for (size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 50) {
    folder_.write("bad", bytes.substr(0, n));
    test::invalid_file([&] { loaded(folder_ / "bad"); });
  }
  EXPECT_LE(pool_.live_pieces(), 3);  // the state's own
}

}  // namespace
}  // namespace hadal
