#include "sample/grammar/char_classes.h"

#include <gtest/gtest.h>

namespace hadal::grammar {
namespace {

TEST(CharClasses, NamedSets) {
  EXPECT_TRUE(digit_chars().contains('7'));
  EXPECT_FALSE(digit_chars().contains(0x0661));  // a digit elsewhere
  EXPECT_TRUE(word_chars().contains('_'));
  EXPECT_FALSE(word_chars().contains(0xE9));
  for (const uint32_t c : {0x9u, 0xAu, 0xBu, 0xCu, 0xDu, 0x20u, 0xA0u, 0x2029u, 0x3000u, 0xFEFFu})
    EXPECT_TRUE(space_chars().contains(c)) << c;
  EXPECT_FALSE(space_chars().contains(0x85));
  EXPECT_FALSE(line_chars().contains(0x2028));
  EXPECT_TRUE(line_chars().contains(0x85));
}

TEST(CharClasses, Properties) {
  CharClasses classes;
  const CharSet* upper = classes.property("Lu");
  ASSERT_NE(upper, nullptr);
  EXPECT_TRUE(upper->contains('A'));
  EXPECT_TRUE(upper->contains(0xC9));
  EXPECT_FALSE(upper->contains('a'));
  for (const char* name : {"Uppercase_Letter", "gc=Lu", "General_Category=Uppercase_Letter"}) {
    const CharSet* same = classes.property(name);
    ASSERT_NE(same, nullptr) << name;
    EXPECT_EQ(*same, *upper) << name;
  }
  EXPECT_EQ(classes.property("Lu"), upper);  // kept
  EXPECT_TRUE(classes.property("Script=Greek")->contains(0x3B1));
  EXPECT_TRUE(classes.property("sc=Grek")->contains(0x3B1));
  EXPECT_TRUE(classes.property("scx=Greek")->contains(0x3B1));
  EXPECT_FALSE(classes.property("Script=Greek")->contains('a'));
  EXPECT_TRUE(classes.property("Han")->contains(0x4E2D));
  EXPECT_TRUE(classes.property("Alphabetic")->contains('x'));
  EXPECT_TRUE(classes.property("Emoji")->contains(0x1F600));
  EXPECT_TRUE(classes.property("L&")->contains('x'));
  EXPECT_EQ(*classes.property("ASCII"), (CharSet{{0, 0x7F}}));
  EXPECT_TRUE(classes.property("Any")->contains(kLastChar));
  EXPECT_TRUE(classes.property("Assigned")->contains('a'));
  EXPECT_FALSE(classes.property("Assigned")->contains(0x378));
  for (const char* name : {"", "Lx", "gc=Greek", "sc=Lu", "sc=", "Xan", "Nonsense", "Lu}|a", "bidi_class:L"})
    EXPECT_EQ(classes.property(name), nullptr) << name;
}

// Whole planes are of one category.
TEST(CharClasses, CategoriesCoverEverything) {
  CharClasses classes;
  CharSet all{{0xD800, 0xDFFF}};  // in no text
  for (const char* name : {"L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Cn", "Co"}) {
    EXPECT_TRUE(all.intersect(*classes.property(name)).empty()) << name;
    all.add(*classes.property(name));
  }
  EXPECT_EQ(all, CharSet::any());
  EXPECT_TRUE(classes.property("Cn")->contains(0x50000));
  EXPECT_TRUE(classes.property("Cn")->contains(0x5FFFE));
  EXPECT_TRUE(classes.property("Co")->contains(0xF0000));
  EXPECT_TRUE(classes.property("Co")->contains(0x10FFFD));
  EXPECT_TRUE(classes.property("Cn")->contains(0x10FFFE));
  EXPECT_TRUE(classes.property("L")->contains(0x20000));
}

TEST(CharClasses, Fold) {
  CharClasses classes;
  EXPECT_EQ(classes.fold({{'a', 'b'}}), (CharSet{{'A', 'B'}, {'a', 'b'}}));
  EXPECT_EQ(classes.fold(CharSet::one('K')), (CharSet{{'K', 'K'}, {'k', 'k'}, {0x212A, 0x212A}}));
  EXPECT_EQ(classes.fold(CharSet::one(0x3C3)), (CharSet{{0x3A3, 0x3A3}, {0x3C2, 0x3C2}, {0x3C3, 0x3C3}}));
  EXPECT_EQ(classes.fold(CharSet::one('1')), CharSet::one('1'));
  EXPECT_EQ(classes.fold(CharSet::one(0x416)), (CharSet{{0x416, 0x416}, {0x436, 0x436}}));
}

}  // namespace
}  // namespace hadal::grammar
