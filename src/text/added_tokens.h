// Finding the literals of added tokens in a text: <｜User｜>, <think>, … Leftmost match first, the longest
// among those that start at the same place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

// Immutable; safe to use from many threads.
class LiteralMatcher {
 public:
  struct Literal {
    std::string text;  // not empty, at most kMaxLength bytes
    int32_t id = 0;
  };
  struct Match {
    bool operator==(const Match&) const = default;
    size_t begin = 0, end = 0;
    int32_t id = 0;
  };

  // The cost of a search is bounded by text size times this, whatever the literals and the text.
  static constexpr size_t kMaxLength = 512;

  explicit LiteralMatcher(std::vector<Literal> literals);
  LiteralMatcher() : LiteralMatcher(std::vector<Literal>{}) {}

  // The first match at or after from.
  std::optional<Match> find(std::string_view text, size_t from) const;
  std::optional<int32_t> id(std::string_view literal) const;

 private:
  std::optional<Match> match_at(std::string_view text, size_t begin) const;

  std::vector<Literal> literals_;  // by text
  std::string first_bytes_;        // distinct
};

}  // namespace hadal
