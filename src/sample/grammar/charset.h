// Sets of characters as ranges of code points.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace hadal::grammar {

inline constexpr uint32_t kLastChar = 0x10FFFF;
// Beyond the characters: one symbol for each special token of a vocabulary, kFirstSpecial + id.
inline constexpr uint32_t kFirstSpecial = 0x110000;

struct CharRange {
  uint32_t first = 0, last = 0;  // both belong to it
  bool operator==(const CharRange&) const = default;
};

// A value; ranges are ascending, apart from each other and not adjacent.
class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges) : CharSet(std::vector<CharRange>(ranges)) {}
  explicit CharSet(std::vector<CharRange> ranges);  // in any order, may overlap

  static CharSet any() { return {{0, kLastChar}}; }
  static CharSet one(uint32_t c) { return {{c, c}}; }

  void add(CharRange range);
  void add(const CharSet& other);
  // Every character, and no special, that is not here.
  CharSet complement() const;
  CharSet intersect(const CharSet& other) const;
  bool contains(uint32_t c) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<CharRange>& ranges() const { return ranges_; }
  bool operator==(const CharSet&) const = default;

 private:
  void normalize();
  std::vector<CharRange> ranges_;
};

}  // namespace hadal::grammar
