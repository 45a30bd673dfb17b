#include "text/added_tokens.h"

#include <algorithm>

#include "base/check.h"

namespace hadal {

LiteralMatcher::LiteralMatcher(std::vector<Literal> literals) : literals_(std::move(literals)) {
  std::sort(literals_.begin(), literals_.end(),
            [](const Literal& a, const Literal& b) { return a.text < b.text; });
  for (const Literal& literal : literals_) {
    HADAL_CHECK(!literal.text.empty() && literal.text.size() <= kMaxLength);
    if (first_bytes_.empty() || first_bytes_.back() != literal.text[0]) first_bytes_ += literal.text[0];
  }
}

std::optional<LiteralMatcher::Match> LiteralMatcher::find(std::string_view text, size_t from) const {
  if (literals_.empty()) return std::nullopt;
  for (size_t at = text.find_first_of(first_bytes_, from); at != std::string_view::npos;
       at = text.find_first_of(first_bytes_, at + 1)) {
    if (const auto match = match_at(text, at)) return match;
  }
  return std::nullopt;
}

// Narrows the sorted literals to those that share one more byte with the text, until none is left. Of a range
// that shares its first n bytes, a literal of exactly n bytes comes first.
std::optional<LiteralMatcher::Match> LiteralMatcher::match_at(std::string_view text, size_t begin) const {
  std::optional<Match> longest;
  auto low = literals_.begin(), high = literals_.end();
  for (size_t depth = 0; begin + depth < text.size(); ++depth) {
    // Strings order by unsigned bytes; a literal that ends here comes before all others.
    const int wanted = static_cast<uint8_t>(text[begin + depth]);
    const auto byte = [depth](const Literal& l) {
      return l.text.size() == depth ? -1 : static_cast<int>(static_cast<uint8_t>(l.text[depth]));
    };
    low = std::partition_point(low, high, [&](const Literal& l) { return byte(l) < wanted; });
    high = std::partition_point(low, high, [&](const Literal& l) { return byte(l) <= wanted; });
    if (low == high) break;
    if (low->text.size() == depth + 1) longest = Match{begin, begin + depth + 1, low->id};
  }
  return longest;
}

std::optional<int32_t> LiteralMatcher::id(std::string_view literal) const {
  const auto it = std::partition_point(literals_.begin(), literals_.end(),
                                       [&](const Literal& l) { return l.text < literal; });
  if (it == literals_.end() || it->text != literal) return std::nullopt;
  return it->id;
}

}  // namespace hadal
