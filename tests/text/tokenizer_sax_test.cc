// The parser's side of a tokenizer.json: what is not JSON, too deep or said twice, and what goes where.
#include "text/tokenizer_sax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/small_tokenizer.h"

namespace hadal {
namespace {

using nlohmann::json;
using ::testing::HasSubstr, ::testing::StartsWith;

std::string error_of(const std::string& text) {
  try {
    json rest;
    parse_raw_tokenizer(text, "f.json", rest);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidFile);
    return e.what();
  }
  return "taken";
}

TEST(TokenizerSax, SetsTheLargePartsApart) {
  json rest;
  const RawTokenizer raw = parse_raw_tokenizer(
      R"({"a":[1,{"b":null}],"model":{"type":"BPE","vocab":{"x":3,"y":0},"merges":["x y",["y","x"]],"z":-1.5},"c":"d"})",
      "f.json", rest);
  EXPECT_TRUE(raw.has_vocab && raw.has_merges);
  EXPECT_EQ(raw.vocab, (std::vector<std::pair<std::string, int32_t>>{{"x", 3}, {"y", 0}}));
  EXPECT_EQ(raw.merges, (std::vector<std::pair<std::string, std::string>>{{"x", "y"}, {"y", "x"}}));
  EXPECT_EQ(rest, json::parse(R"({"a":[1,{"b":null}],"model":{"type":"BPE","z":-1.5},"c":"d"})"));
}

TEST(TokenizerSax, QuotesTextOfAFileSafely) {
  EXPECT_EQ(quote("a\"b\n\x01"), R"("a\"b\n\u0001")");
  EXPECT_EQ(quote("\xFF"), "\"\uFFFD\"");
  EXPECT_EQ(quote(std::string(100, 'x')), "\"" + std::string(60, 'x') + "\"…");
}

TEST(TokenizerSax, RefusesWhatIsNotJson) {
  const std::string good = testing::small_tokenizer_json().dump();
  for (size_t n = 0; n < good.size(); n += 1 + n / 5) {
    EXPECT_THAT(error_of(good.substr(0, n)), StartsWith("f.json: not valid JSON at byte ")) << n;
  }
  EXPECT_THAT(error_of(good + "x"), StartsWith("f.json: not valid JSON at byte "));
  EXPECT_THAT(error_of("{\"a\": \"\xFF\"}"), StartsWith("f.json: not valid JSON at byte "));
  EXPECT_THAT(error_of("{\"a\": 1e999}"), StartsWith("f.json: not valid JSON"));
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("nested deeper than 32"));
  std::string deep = "{\"a\":";
  for (int i = 0; i < 200'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(error_of(deep), HasSubstr("nested deeper than 32"));
}

TEST(TokenizerSax, RefusesKeysGivenTwice) {
  EXPECT_THAT(error_of(R"({"model":1,"model":2})"), HasSubstr("the key \"model\" is given twice"));
  EXPECT_THAT(error_of(R"({"model":{"type":"BPE","vocab":{"a":1},"vocab":{"b":2}}})"),
              HasSubstr("model.vocab is given twice"));
  EXPECT_THAT(error_of(R"({"model":{"merges":[],"merges":[]}})"), HasSubstr("model.merges is given twice"));
  // Keys of the same names elsewhere are not the model's.
  EXPECT_THAT(error_of(R"({"x":{"vocab":{"a":-1}},"y":[{"merges":[1]}],"model":{"type":"BPE"}})"),
              StartsWith("taken"));
}

}  // namespace
}  // namespace hadal
