#include "serve/accounts/rate_bucket.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>
#include <vector>

namespace hadal::serve {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

RateBucket bucket(int64_t limit) {
  RateBucket out;
  out.set_limit(limit);
  return out;
}

TEST(RateBucket, AMinutesWorthAtOnceThenOneByOne) {
  RateBucket b = bucket(6);
  TimePoint now(5h);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(b.wait(now, 1), 0ns);
    b.take(now, 1);
  }
  EXPECT_EQ(b.wait(now, 1), 10s);
  EXPECT_EQ(b.wait(now + 9s, 1), 1s);
  EXPECT_EQ(b.wait(now + 10s, 1), 0ns);
  EXPECT_EQ(b.wait(now + 10s, 2), 10s);
  EXPECT_EQ(b.wait(now + 60s, 6), 0ns);
}

TEST(RateBucket, NoLimit) {
  RateBucket b;
  b.take(TimePoint(1s), 1'000'000'000'000);
  EXPECT_EQ(b.wait(TimePoint(1s), 1'000'000), 0ns);
  EXPECT_EQ(b.limit(), 0);
}

TEST(RateBucket, DebtIsPaidBack) {
  RateBucket b = bucket(60);
  const TimePoint now(1h);
  b.take(now, 180);
  EXPECT_EQ(b.wait(now, 1), 121s);
  EXPECT_EQ(b.wait(now + 121s, 1), 0ns);
  EXPECT_EQ(b.wait(now, 1000), 180s);  // more than the bucket holds waits for a full one
}

TEST(RateBucket, HugeAmountsDoNotOverflow) {
  for (const int64_t limit : {int64_t{1}, int64_t{1000}, RateBucket::kMaxLimit, INT64_MAX}) {
    RateBucket b = bucket(limit);
    const TimePoint now(1h);
    for (int i = 0; i < 3; ++i) b.take(now, INT64_MAX);
    EXPECT_GT(b.wait(now, 1), 0ns);
    EXPECT_LE(b.wait(now, INT64_MAX), 366 * 24h);
    b.take(now, -5);
    EXPECT_EQ(b.wait(now + 366 * 24h, INT64_MAX), 0ns);
  }
}

TEST(RateBucket, ANewLimitCountsFromNow) {
  RateBucket b = bucket(60);
  const TimePoint now(1h);
  b.take(now, 60);
  EXPECT_EQ(b.wait(now, 1), 1s);
  b.set_limit(std::nullopt);
  EXPECT_EQ(b.wait(now, 1), 0ns);
  b.set_limit(6);
  EXPECT_EQ(b.wait(now, 1), 10s);
}

// Whoever asks first and takes one at a time, in any rhythm: no stretch of time has more than a minute's
// worth and what it refills, and who waits as long as told gets through.
RC_GTEST_PROP(RateBucket, NoWindowHasMoreThanItsShare, ()) {
  const int64_t limit = *rc::gen::elementOf(std::vector<int64_t>{1, 2, 3, 7, 11, 60, 61, 997, 100'003});
  RateBucket b = bucket(limit);
  TimePoint now(1h);
  std::vector<std::pair<TimePoint, int64_t>> taken;
  for (const auto& [gap, amount] : *rc::gen::container<std::vector<std::pair<int64_t, int64_t>>>(
           rc::gen::pair(rc::gen::inRange<int64_t>(0, 3), rc::gen::inRange<int64_t>(1, 5)))) {
    const int64_t wanted = std::min(amount, limit);
    // Right away, a little later, or exactly when it is told to come back.
    now += gap == 0 ? 0ns : gap == 1 ? nanoseconds(60'000'000'000 / limit / 3) : b.wait(now, wanted);
    if (gap == 2) RC_ASSERT(b.wait(now, wanted) == 0ns);
    while (b.wait(now, wanted) == 0ns && taken.size() < 3000) {
      b.take(now, wanted);
      taken.emplace_back(now, wanted);
    }
  }
  for (size_t first = 0; first < taken.size(); first += 1 + taken.size() / 60) {
    int64_t sum = 0;
    for (size_t last = first; last < taken.size(); ++last) {
      sum += taken[last].second;
      const double minutes =
          std::chrono::duration<double>(taken[last].first - taken[first].first).count() / 60;
      RC_ASSERT(static_cast<double>(sum) <= static_cast<double>(limit) * (1 + minutes) + 1e-6);
    }
  }
}

}  // namespace
}  // namespace hadal::serve
