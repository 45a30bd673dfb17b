// Schemas made at random: what is read by them is what their specification calls valid, and what is written
// by them, too, without ever getting stuck.
#include "sample/grammar/json_shapes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>

#include "chat/python_json.h"
#include "sample/grammar/json_support.h"
#include "sample/grammar/plain_validator.h"

namespace hadal::grammar {
namespace {

using testing::PlainValidator;

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  std::string value(int depth) {
    switch (pick(depth > 0 ? 8 : 6)) {
      case 0:
        return pick({"null", "true", "false"});
      case 1:
      case 2:
        return pick({"-2", "-1", "0", "1", "2", "3", "4", "0.5", "2.5"});
      case 3:
      case 4:
      case 5:
        return "\"" + word() + "\"";
      case 6:
        return "[" + list(pick(4), [&] { return value(depth - 1); }) + "]";
      default: {
        std::string members;
        for (const char* key : {"a", "b", "x1", "x2", "c"})
          if (pick(3) == 0)
            members += (members.empty() ? "\"" : ", \"") + std::string(key) + "\": " + value(depth - 1);
        return "{" + members + "}";
      }
    }
  }

  std::string schema(int depth) {
    if (pick(12) == 0) return pick({"true", "false", "{}"});
    std::string keywords;
    for (int n = 1 + pick(3); n > 0; --n) {
      const std::string one = keyword(depth);
      if (keywords.find(one.substr(0, one.find(':') + 1)) == std::string::npos)
        keywords += (keywords.empty() ? "" : ", ") + one;
    }
    return "{" + keywords + "}";
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  std::string pick(std::initializer_list<const char*> list) {
    return *(list.begin() + pick(static_cast<int>(list.size())));
  }
  std::string word() { return pick({"", "a", "b", "ab", "abc", "x1", "é"}); }
  template <class Make>
  std::string list(int n, Make&& make) {
    std::string text;
    for (int i = 0; i < n; ++i) text += (i ? ", " : "") + make();
    return text;
  }
  std::string names() {
    return list(1 + pick(2), [&] { return "\"" + pick({"a", "b", "x1", "c"}) + "\""; });
  }

  std::string keyword(int depth) {
    const int simple = 13, n = depth > 0 ? 30 : simple;
    const auto inner = [&] { return schema(depth - 1); };
    const auto some = [&] { return "[" + list(1 + pick(3), inner) + "]"; };
    switch (pick(n)) {
      case 0:
      case 1:
        return "\"type\": \"" + pick({"null", "boolean", "integer", "number", "string", "array", "object"}) +
               "\"";
      case 2:
        return "\"enum\": [" + list(1 + pick(3), [&] { return value(1); }) + "]";
      case 3:
        return "\"const\": " + value(1);
      case 4:
        return "\"minimum\": " + pick({"-1", "0.5", "2"});
      case 5:
        return "\"exclusiveMaximum\": " + pick({"0", "2", "3"});
      case 6:
        return "\"multipleOf\": " + pick({"2", "0.5", "3"});
      case 7:
        return "\"minLength\": " + pick({"1", "2"});
      case 8:
        return "\"maxLength\": " + pick({"0", "1", "2"});
      case 9:
        return "\"pattern\": \"^" + pick({"a", "x", "b", "ab"}) + "\"";
      case 10:
        return "\"required\": [" + names() + "]";
      case 11:
        return "\"maxProperties\": " + pick({"0", "1", "2"});
      case 12:
        return "\"minItems\": " + pick({"1", "2"});
      case 13:
      case 14:
      case 15:
        return "\"properties\": {\"a\": " + inner() + ", \"" + pick({"b", "x1", "c"}) + "\": " + inner() +
               "}";
      case 16:
        return "\"patternProperties\": {\"^" + pick({"a", "x", ""}) + "\": " + inner() + "}";
      case 17:
        return "\"additionalProperties\": " + inner();
      case 18:
        return "\"propertyNames\": {\"maxLength\": 1}";
      case 19:
        return "\"items\": " + inner();
      case 20:
        return "\"prefixItems\": " + some();
      case 21:
        return "\"maxItems\": " + pick({"0", "1", "2"});
      case 22:
        return "\"contains\": " + inner() + (pick(2) ? ", \"maxContains\": 1" : "");
      case 23:
        return "\"dependentRequired\": {\"a\": [" + names() + "]}";
      case 24:
        return "\"allOf\": " + some();
      case 25:
        return "\"anyOf\": " + some();
      case 26:
        return "\"oneOf\": " + some();
      case 27:
        return "\"not\": " + inner();
      case 28:
        return "\"if\": " + inner() + ", \"then\": " + inner() + ", \"else\": " + inner();
      default:
        return "\"minProperties\": 1";
    }
  }

  std::mt19937_64 random_;
};

// A text that the grammar lets through, chosen byte by byte; empty if it got too long.
std::string written(const std::shared_ptr<Grammar>& grammar, std::mt19937_64& random) {
  Matcher matcher(grammar);
  TokenBits bits(grammar->vocabulary().words());
  std::string text;
  for (int steps = 0; steps < 120; ++steps) {
    if (matcher.can_end() && random() % 2) return text;
    matcher.allow(bits);
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < grammar->vocabulary().size(); ++id)
      if (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1) ids.push_back(id);
    if (ids.empty() && matcher.can_end()) return text;
    RC_ASSERT(!ids.empty());  // stuck
    // Brackets and quotes more often than not, or texts get long.
    std::vector<int32_t> marks;
    for (const int32_t id : ids)
      if (grammar->vocabulary().bytes(id).find_first_of("\"]}:,{[") != std::string_view::npos)
        marks.push_back(id);
    const std::vector<int32_t>& from = !marks.empty() && random() % 3 ? marks : ids;
    const int32_t id = from[random() % from.size()];
    RC_ASSERT(matcher.accept(id));
    text += grammar->vocabulary().bytes(id);
  }
  return matcher.can_end() ? text : "";
}

// The oracle counts with doubles.
bool has_long_number(const std::string& text) {
  int digits = 0;
  for (const char c : text)
    if ((digits = c >= '0' && c <= '9' ? digits + 1 : c == 'e' || c == 'E' ? 12 : 0) > 12) return true;
  return false;
}

TEST(JsonShapes, RandomSchemasMeanWhatTheirSpecificationSays) {
  int schemas = 0, refused = 0, read = 0, valid = 0, wrote = 0;
  EXPECT_TRUE(rc::check([&] {
    const uint64_t seed = *rc::gen::noShrink(rc::gen::arbitrary<uint64_t>());
    Maker maker(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 10; ++round) {
      const std::string text = maker.schema(3);
      ++schemas;
      const JsonValue schema = *parse_json(text);
      const auto reader = compile(text), writer = compile(text, {});
      RC_LOG() << text << "\n";
      if (!reader) {
        // What nothing fits is refused as well; then no value may be valid.
        ++refused;
        if (reader.error().what == "nothing can ever fit")
          for (int i = 0; i < 20; ++i) RC_ASSERT(!PlainValidator::valid(schema, *parse_json(maker.value(2))));
        continue;
      }
      for (int i = 0; i < 20; ++i) {
        const std::string value = maker.value(2);
        RC_LOG() << value << "\n";
        const bool is_valid = PlainValidator::valid(schema, *parse_json(value));
        RC_ASSERT(fits(*reader, value) == is_valid);
        ++read, valid += is_valid;
      }
      for (int i = 0; i < 5 && writer; ++i) {
        const std::string value = written(*writer, random);
        if (value.empty() || has_long_number(value)) continue;
        RC_LOG() << value << "\n";
        const auto parsed = parse_json(value);
        RC_ASSERT(parsed.has_value());
        RC_ASSERT(PlainValidator::valid(schema, *parsed));
        ++wrote;
      }
    }
  }));
  EXPECT_GT(read, 10 * schemas);
  EXPECT_GT(valid, read / 10);
  EXPECT_GT(wrote, schemas / 2);
  EXPECT_LT(refused, schemas / 5);
}

// The suite that validators are tested with: each group is kept to exactly or refused.
TEST(JsonShapes, TheTestSuiteHoldsWhereItIsAtHand) {
  const std::filesystem::path suite = std::filesystem::path(HADAL_SOURCE_DIR).parent_path() /
                                      "shared/data/json_schema/test_suite_2020_12.jsonl.xz";
  if (!std::filesystem::exists(suite)) GTEST_SKIP() << suite.string() << " is not there";
  const std::string command = "xz -dc '" + suite.string() + "'";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string all;
  char block[1 << 16];
  for (size_t n = 0; (n = fread(block, 1, sizeof(block), pipe)) > 0;) all.append(block, n);
  if (pclose(pipe) != 0) GTEST_SKIP() << "xz is not there to read " << suite.string();
  JsonStyle style = kAnyStyle;
  style.formats_by_dialect = true;
  int groups = 0, refused = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    const auto line = parse_json(std::string_view(all).substr(at, end - at));
    at = end + 1;
    ASSERT_TRUE(line.has_value());
    ++groups;
    const auto grammar =
        json_schema_grammar(testing::small_vocabulary(), {}, *member(*line, "schema"), style);
    if (!grammar) {
      ++refused;
      continue;
    }
    for (const JsonValue& test : member(*line, "tests")->items)
      EXPECT_EQ(fits(*grammar, python_json(*member(test, "data"))),
                member(test, "valid")->is(JsonValue::Kind::kTrue))
          << member(*line, "description")->text << ": " << member(test, "description")->text;
  }
  EXPECT_GT(groups, 300);
  EXPECT_LT(refused, 150);
}

}  // namespace
}  // namespace hadal::grammar
