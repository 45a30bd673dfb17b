#include "sample/grammar/charset.h"

#include <algorithm>
#include <utility>

namespace hadal::grammar {

CharSet::CharSet(std::vector<CharRange> ranges) : ranges_(std::move(ranges)) {
  normalize();
}

void CharSet::normalize() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const CharRange& a, const CharRange& b) { return a.first < b.first; });
  size_t n = 0;
  for (const CharRange& range : ranges_) {
    if (n > 0 && range.first <= ranges_[n - 1].last + 1)
      ranges_[n - 1].last = std::max(ranges_[n - 1].last, range.last);
    else
      ranges_[n++] = range;
  }
  ranges_.resize(n);
}

void CharSet::add(CharRange range) {
  ranges_.push_back(range);
  normalize();
}

void CharSet::add(const CharSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalize();
}

CharSet CharSet::complement() const {
  std::vector<CharRange> rest;
  uint32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > kLastChar) break;
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastChar) rest.push_back({next, kLastChar});
  return CharSet(std::move(rest));
}

CharSet CharSet::intersect(const CharSet& other) const {
  std::vector<CharRange> both;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const CharRange &a = ranges_[i], &b = other.ranges_[j];
    const uint32_t first = std::max(a.first, b.first), last = std::min(a.last, b.last);
    if (first <= last) both.push_back({first, last});
    if (a.last < b.last)
      ++i;
    else
      ++j;
  }
  return CharSet(std::move(both));
}

bool CharSet::contains(uint32_t c) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c,
                                      [](uint32_t x, const CharRange& range) { return x < range.first; });
  return after != ranges_.begin() && c <= std::prev(after)->last;
}

}  // namespace hadal::grammar
