// The decorator changes nothing, and counts what the shapes ask for.
#include "ops/timed_ops.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "ops/reference_ops.h"

namespace hadal {
namespace {

OpTiming timing(const std::vector<OpTiming>& all, std::string_view name) {
  for (const OpTiming& one : all)
    if (one.name == name) return one;
  ADD_FAILURE() << "no op " << name;
  return {};
}

TEST(TimedOps, SameResultsCountedCalls) {
  ReferenceOps reference;
  TimedOps timed(reference);
  Weight w;
  w.format = WeightFormat::kF32;
  w.out = 3;
  w.in = 4;
  std::vector<float> weights(12), x(8), one(6), two(6);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i) - 5;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * i);
  w.data = View(weights.data(), DType::kF32, {3, 4});
  const View input(x.data(), DType::kF32, {2, 4});
  reference.matmul(View(one.data(), DType::kF32, {2, 3}), input, w);
  timed.matmul(View(two.data(), DType::kF32, {2, 3}), input, w);
  timed.matmul(View(two.data(), DType::kF32, {2, 3}), input, w);
  EXPECT_EQ(one, two);
  const OpTiming found = timing(timed.timings(), "matmul");
  EXPECT_EQ(found.calls, 2);
  EXPECT_EQ(found.work.bytes, 2 * 12 * 4);
  EXPECT_EQ(found.work.flops, 2 * 2 * 2 * 12);
  EXPECT_GE(found.seconds, 0);
  EXPECT_EQ(timing(timed.timings(), "rope").calls, 0);
  timed.scale(input, 2.0f);
  EXPECT_EQ(timing(timed.timings(), "scale").calls, 1);
  EXPECT_EQ(x[1], 2.0f);
  timed.clear();
  for (const OpTiming& cleared : timed.timings()) {
    EXPECT_EQ(cleared.calls, 0);
    EXPECT_EQ(cleared.seconds, 0);
    EXPECT_EQ(cleared.work.bytes, 0);
    EXPECT_EQ(cleared.work.flops, 0);
  }
}

TEST(TimedOps, EveryOpHasItsName) {
  ReferenceOps reference;
  const std::vector<OpTiming> all = TimedOps(reference).timings();
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_FALSE(all[i].name.empty());
    for (size_t j = 0; j < i; ++j) EXPECT_NE(all[i].name, all[j].name);
  }
}

TEST(TimedOps, IndexWork) {
  std::vector<int32_t> selected(3 * 10);
  std::vector<float> q(3 * 2 * 32);
  IndexArgs args;
  args.selected = View(selected.data(), DType::kI32, {3, 10});
  args.q = View(q.data(), DType::kF32, {3, 2, 32});
  args.ratio = 4;
  args.layout = {RowFormat::kPackedIndex, 32, 0};
  // Positions 42, 43, 44 see 10, 11 and 11 entries, of which 10 need no choice.
  const IndexSegment segment{42, 0, 3, {}};
  args.segments = {&segment, 1};
  const OpWork work = index_work(args);
  EXPECT_EQ(work.flops, 2 * 2 * 32 * 22);
  EXPECT_EQ(work.bytes, 11 * args.layout.bytes());
}

TEST(TimedOps, AttentionWork) {
  std::vector<float> q(2 * 3 * 64);
  std::vector<int32_t> selected(2 * 5);
  AttentionArgs args;
  args.q = View(q.data(), DType::kF32, {2, 3, 64});
  args.window = 8;
  args.ratio = 4;
  args.layout = {RowFormat::kPackedKv, 64, 0};
  const AttentionSegment segment{39, 0, 2, {}, nullptr, {}};
  args.segments = {&segment, 1};
  // Two queries at 39 and 40: 8 window rows each, 9 different ones; 10 entries each, the same ones.
  OpWork work = attention_work(args);
  EXPECT_EQ(work.flops, 4 * 3 * 64 * (16 + 20));
  EXPECT_EQ(work.bytes, (9 + 10) * args.layout.bytes());
  args.selected = View(selected.data(), DType::kI32, {2, 5});
  work = attention_work(args);
  EXPECT_EQ(work.flops, 4 * 3 * 64 * (16 + 10));
  EXPECT_EQ(work.bytes, (9 + 10) * args.layout.bytes());
  args.selected = {};
  args.ratio = 0;
  work = attention_work(args);
  EXPECT_EQ(work.flops, 4 * 3 * 64 * 16);
  EXPECT_EQ(work.bytes, 9 * args.layout.bytes());
}

TEST(TimedOps, ExpertWork) {
  std::vector<float> matrix(6);
  Weight w;
  w.format = WeightFormat::kF32;
  w.out = 2;
  w.in = 3;
  w.data = View(matrix.data(), DType::kF32, {2, 3});
  const ExpertWeights expert{w, w, w};
  const std::vector<ExpertWeights> experts(4, expert);
  int32_t ids[] = {0, 2, 2, -1};
  ExpertArgs args;
  args.ids = View(ids, DType::kI32, {2, 2});
  args.experts = experts;
  // Experts 0 and 2 are read once each; three uses.
  OpWork work = expert_work(args);
  EXPECT_EQ(work.bytes, 2 * 3 * 24);
  EXPECT_EQ(work.flops, 3 * 2 * 18);
  args.shared = &expert;
  work = expert_work(args);
  EXPECT_EQ(work.bytes, 3 * 3 * 24);
  EXPECT_EQ(work.flops, 5 * 2 * 18);
}

}  // namespace
}  // namespace hadal
