// How much of something a minute: a token bucket that holds one minute's worth and fills evenly. In any
// stretch of t minutes at most limit * (1 + t) get through, besides what one request took beyond the level.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "engine/request.h"

namespace hadal::serve {

// Kept as the moment at which the bucket is full again, in whole nanoseconds. For one thread at a time.
class RateBucket {
 public:
  static constexpr int64_t kMaxLimit = 1'000'000'000;

  // What was taken stays taken: a new limit only changes how fast it comes back.
  void set_limit(std::optional<int64_t> per_minute) {
    limit_ = per_minute ? std::clamp<int64_t>(*per_minute, 1, kMaxLimit) : 0;
    interval_ = limit_ == 0 ? 0 : (kMinute + limit_ - 1) / limit_;
  }
  int64_t limit() const { return limit_; }  // 0: none

  // How long until `amount` is there; more than a full bucket counts as a full one. Zero: now.
  std::chrono::nanoseconds wait(TimePoint now, int64_t amount) const {
    if (limit_ == 0) return {};
    const std::chrono::nanoseconds level((limit_ - std::clamp<int64_t>(amount, 1, limit_)) * interval_);
    return std::max(full_at_ - now - level, std::chrono::nanoseconds(0));
  }

  // Takes it even if it is not there: the level may go below empty.
  void take(TimePoint now, int64_t amount) {
    if (limit_ == 0) return;
    const int64_t longest = kMostDebt / interval_;
    const std::chrono::nanoseconds more(std::clamp<int64_t>(amount, 0, longest) * interval_);
    full_at_ = std::min(std::max(full_at_, now) + more, now + std::chrono::nanoseconds(kMostDebt));
  }

 private:
  static constexpr int64_t kMinute = 60'000'000'000;
  static constexpr int64_t kMostDebt = kMinute * 60 * 24 * 365;

  int64_t limit_ = 0, interval_ = 0;
  TimePoint full_at_{};
};

}  // namespace hadal::serve
