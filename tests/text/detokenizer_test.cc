// Streamed text equals decoded text, and is valid at every step.
#include "text/detokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error.h"
#include "text/small_tokenizer.h"
#include "text/utf8.h"

namespace hadal {
namespace {

const Tokenizer& small() {
  static const Tokenizer tokenizer = Tokenizer::parse(testing::small_tokenizer_json().dump(), "small");
  return tokenizer;
}

int32_t byte(int b) {
  return testing::kFirstByteId + b;
}

TEST(StreamDecoder, HoldsBackAnUnfinishedCharacter) {
  StreamDecoder stream(small());
  EXPECT_EQ(stream.push(byte('a')), "a");
  EXPECT_EQ(stream.push(byte(0xF0)), "");
  EXPECT_EQ(stream.push(byte(0x9F)), "");
  EXPECT_EQ(stream.push(byte(0x99)), "");
  EXPECT_EQ(stream.push(byte(0x82)), "🙂");
  EXPECT_EQ(stream.push(byte(0xE4)), "");
  EXPECT_EQ(stream.push(byte(0xE4)), "\uFFFD");  // the first will not be completed; the second may be
  EXPECT_EQ(stream.push(testing::kThink), "\uFFFD<think>");
  EXPECT_EQ(stream.push(byte(0xFF)), "\uFFFD");
  EXPECT_EQ(stream.push(testing::merge_id("\xE4\xB8")), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.push(byte(0xAD)), "\uFFFD");  // as new: nothing is held from before
}

TEST(StreamDecoder, LeavesOutSpecialTokensOnRequest) {
  StreamDecoder stream(small(), true);
  EXPECT_EQ(stream.push(0), "");
  EXPECT_EQ(stream.push(byte(0xC3)), "");
  EXPECT_EQ(stream.push(1), "");
  EXPECT_EQ(stream.push(byte(0xA9)), "é");
  EXPECT_EQ(stream.push(testing::kThink), "<think>");
}

TEST(StreamDecoder, AnIdWithoutTokenChangesNothing) {
  StreamDecoder stream(small());
  EXPECT_EQ(stream.push(byte(0xC3)), "");
  EXPECT_THROW(stream.push(-1), Error);
  EXPECT_THROW(stream.push(testing::kHole), Error);
  EXPECT_EQ(stream.push(byte(0xA9)), "é");
}

RC_GTEST_PROP(StreamDecoder, EqualsDecodeOfTheWholeList, (bool skip_special)) {
  const auto id = rc::gen::suchThat(
      rc::gen::weightedOneOf<int32_t>(
          {{2, rc::gen::inRange(0, small().vocab_size())},
           {3, rc::gen::map(rc::gen::elementOf(std::vector<int>{0xC3, 0xE4, 0xB8, 0xAD, 0xF0, 0x9F, 0x99,
                                                                0x82, 0xED, 0xA0, 0xFF, 'a'}),
                            byte)}}),
      [](int32_t i) { return small().has_token(i); });
  const auto ids = *rc::gen::container<std::vector<int32_t>>(id);
  StreamDecoder stream(small(), skip_special);
  std::string text;
  for (const int32_t i : ids) {
    const std::string part = stream.push(i);
    RC_ASSERT(utf8_valid_prefix(part) == part.size());
    text += part;
  }
  RC_ASSERT(text + stream.finish() == small().decode(ids, skip_special));
}

}  // namespace
}  // namespace hadal
