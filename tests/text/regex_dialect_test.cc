// Translation of regular expressions; that the result means what it should is tested in pretokenizer_test.cc.
#include "text/regex_dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/unicode_additions.h"

namespace hadal {
namespace {

TEST(RegexDialect, LeavesCommonSyntaxAlone) {
  for (const char* pattern :
       {R"(\p{Nd}{1,3})", "[一-龥\u3040-ゟ゠-ヿ]+", R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)",
        R"([^\r\n\p{Lu}\p{Pd}]?[\p{Zs}\p{C}]+| ?\P{Sm}+[\r\n]*)", R"((?i:'s|'t)|(?:a|b)++c*+d?+e*?)",
        R"((?<=a)b(?!c)(?=d)(?<!e)(?>f)^g$.)", R"(\A\x{1F642}\z\P{Ll}{2,}?)", "[a-]", "[-a]", "[^-a-z]"}) {
    EXPECT_EQ(oniguruma_to_pcre2(pattern, ""), pattern);
  }
}

TEST(RegexDialect, RewritesWhatDiffers) {
  EXPECT_EQ(
      oniguruma_to_pcre2(R"(\h[\H]\d\v\u3042\x7e\p{Han}a{,3})", ""),
      R"([0-9A-Fa-f][\x{0}-\x{2f}\x{3a}-\x{40}\x{47}-\x{60}\x{67}-\x{10ffff}][\p{Nd}]\x{b}\x{3042}\x{7e})"
      R"(\p{sc:Han}a{0,3})");
  EXPECT_EQ(oniguruma_to_pcre2(R"([\s-])", "").substr(0, 5), R"([\x{9)");
  EXPECT_EQ(oniguruma_to_pcre2(R"([-\s])", "").substr(0, 6), R"([-\x{9)");
  EXPECT_EQ(oniguruma_to_pcre2(R"([\-\s])", "").substr(0, 7), R"([\-\x{9)");
}

TEST(RegexDialect, CategoriesGetTheCharactersOfNewerUnicode) {
  const std::string p(unicode_additions('P'));
  EXPECT_EQ(oniguruma_to_pcre2(R"(\p{P})", ""), R"([\p{P})" + p + "]");
  EXPECT_EQ(oniguruma_to_pcre2(R"(\P{P})", ""), R"([^\p{P})" + p + "]");
  EXPECT_EQ(oniguruma_to_pcre2(R"(\p{^P})", ""), R"([^\p{P})" + p + "]");
  EXPECT_EQ(oniguruma_to_pcre2(R"(\P{^P})", ""), R"([\p{P})" + p + "]");
  EXPECT_EQ(oniguruma_to_pcre2(R"([a\p{P}])", ""), R"([a\p{P})" + p + "]");
  EXPECT_EQ(oniguruma_to_pcre2(R"([a\p{^P}])", ""), R"([a\P{P}])");
  EXPECT_EQ(oniguruma_to_pcre2(R"([^\p{P}])", ""), R"([^\p{P})" + p + "]");
}

TEST(RegexDialect, RefusesByName) {
  for (const auto& [pattern, named] :
       std::vector<std::pair<const char*, const char*>>{{R"(a\w)", R"("\w" at byte 1)"},
                                                        {R"(\bx)", R"("\b")"},
                                                        {R"(\K)", R"("\K")"},
                                                        {R"((a)\1)", R"("\1")"},
                                                        {R"(\R)", R"("\R")"},
                                                        {R"(\X)", R"("\X")"},
                                                        {R"(\Qa\E)", R"("\Q")"},
                                                        {R"(\Z)", R"("\Z")"},
                                                        {R"([[:alpha:]])", R"("[:")"},
                                                        {R"([a[b]])", R"("[b")"},
                                                        {R"([a&&b])", R"("&&")"},
                                                        {R"([])", R"("[]")"},
                                                        {R"((?i)a)", R"("(?i")"},
                                                        {R"((?m:a))", R"("(?m")"},
                                                        {R"((?<n>a))", R"("(?<")"},
                                                        {R"((*UCP)a)", R"("(*U")"},
                                                        {R"((?R))", R"("(?R")"},
                                                        {R"(a{2}+)", R"("{2}+")"},
                                                        {R"(a{2}?)", R"("{2}?")"},
                                                        {R"(a{2}{3})", R"("{2}{")"},
                                                        {R"(a{x})", R"("{")"},
                                                        {R"([a-\s])", R"("\s)"},
                                                        {R"([\s-z])", R"("\s-")"},
                                                        {R"([\p{L}-z])", R"("\p{L}-")"},
                                                        {R"(\xFF)", R"("\xFF")"},
                                                        {R"(\u12)", R"("\u12")"},
                                                        {R"(\pL)", R"("\p")"},
                                                        {R"(\p{Script=Han})", "Script"},
                                                        {R"([\A])", R"("\A")"},
                                                        {R"(\)", R"("\")"},
                                                        {R"(\é)", R"("\é")"},
                                                        {R"(\p{L)", R"("\p")"},
                                                        {R"(\x{12)", R"("\x{12")"}}) {
    try {
      oniguruma_to_pcre2(pattern, "f.json: field");
      ADD_FAILURE() << pattern << " was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUnsupported) << pattern;
      EXPECT_THAT(e.what(), ::testing::StartsWith("f.json: field: ")) << pattern;
      EXPECT_THAT(e.what(), ::testing::HasSubstr(named)) << pattern;
    }
  }
  for (const char* open : {"[", "[a", "[^", "[a-"})
    EXPECT_THROW(oniguruma_to_pcre2(open, "f"), Error) << open;
}

}  // namespace
}  // namespace hadal
