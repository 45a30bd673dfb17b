// Search for literals, against the obvious search.
#include "text/added_tokens.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace hadal {
namespace {

using Literal = LiteralMatcher::Literal;

TEST(LiteralMatcher, LeftmostThenLongest) {
  const LiteralMatcher matcher({{"<a>", 1}, {"<a>>", 2}, {"a>", 3}, {"｜", 4}, {"<", 5}});
  const auto at = [&](std::string_view text, size_t from) {
    const auto m = matcher.find(text, from);
    return m ? std::tuple(m->begin, m->end, m->id) : std::tuple(size_t{0}, size_t{0}, -1);
  };
  EXPECT_EQ(at("x<a>>", 0), std::tuple(1, 5, 2));
  EXPECT_EQ(at("x<a>y", 0), std::tuple(1, 4, 1));
  EXPECT_EQ(at("x<a", 0), std::tuple(1, 2, 5));
  EXPECT_EQ(at("x<a>y", 2), std::tuple(2, 4, 3));
  EXPECT_EQ(at("z｜", 0), std::tuple(1, 4, 4));
  EXPECT_EQ(at("none", 0), std::tuple(0, 0, -1));
  EXPECT_EQ(at("", 0), std::tuple(0, 0, -1));
  EXPECT_EQ(matcher.id("<a>>"), 2);
  EXPECT_EQ(matcher.id("<a"), std::nullopt);
  EXPECT_EQ(LiteralMatcher().find("abc", 0), std::nullopt);
}

RC_GTEST_PROP(LiteralMatcher, EqualsTheObviousSearch, ()) {
  const auto word = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab\xFF")));
  std::vector<Literal> literals;
  for (const std::string& text : *rc::gen::container<std::set<std::string>>(rc::gen::nonEmpty(word))) {
    literals.push_back({text, static_cast<int32_t>(literals.size())});
  }
  const std::string text = *word;
  const auto from = *rc::gen::inRange<size_t>(0, text.size() + 1);
  const auto found = LiteralMatcher(literals).find(text, from);
  for (size_t at = from; at < text.size(); ++at) {
    const Literal* longest = nullptr;
    for (const Literal& l : literals) {
      if (text.compare(at, l.text.size(), l.text) == 0 && (!longest || l.text.size() > longest->text.size()))
        longest = &l;
    }
    if (longest == nullptr) continue;
    RC_ASSERT(found.has_value());
    RC_ASSERT(found->begin == at && found->end == at + longest->text.size() && found->id == longest->id);
    return;
  }
  RC_ASSERT(!found.has_value());
}

}  // namespace
}  // namespace hadal
