// Stop strings against a search of the whole text.
#include "chat/stop_matcher.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace hadal {
namespace {

TEST(StopMatcher, HoldsBackNoMoreThanItMust) {
  StopMatcher stops({"abc", ""});
  std::string out;
  const auto push = [&](std::string_view text) {
    bool found = false;
    for (const char c : text) found = stops.push(c, out);
    return found;
  };
  EXPECT_FALSE(push("xab"));
  EXPECT_EQ(out, "x");
  EXPECT_FALSE(push("a"));
  EXPECT_EQ(out, "xab");
  EXPECT_TRUE(push("bc"));
  EXPECT_EQ(out, "xab");
  EXPECT_EQ(stops.matched(), "abc");
}

TEST(StopMatcher, WithoutStopsEverythingPasses) {
  StopMatcher stops({"", ""});
  std::string out;
  EXPECT_FALSE(stops.push('a', out));
  EXPECT_EQ(out, "a");
}

RC_GTEST_PROP(StopMatcher, AgreesWithASearch, ()) {
  const auto letters = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab")));
  const auto texts = *rc::gen::container<std::vector<std::string>>(3, letters);
  const std::string text = *letters;

  // The first place where a stop string ends, and the longest that ends there.
  std::string found, before = text;
  for (size_t end = 1; end <= text.size() && found.empty(); ++end)
    for (const std::string& stop : texts)
      if (stop.size() > found.size() && text.substr(0, end).ends_with(stop)) {
        found = stop;
        before = text.substr(0, end - stop.size());
      }

  StopMatcher matcher(texts);
  std::string out;
  bool stopped = false;
  for (size_t i = 0; i < text.size() && !stopped; ++i) stopped = matcher.push(text[i], out);
  if (!stopped) matcher.flush(out);
  RC_ASSERT(stopped == !found.empty());
  RC_ASSERT(out == before);
  RC_ASSERT(matcher.matched() == found);
}

}  // namespace
}  // namespace hadal
