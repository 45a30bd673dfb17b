// Schemas and texts for tests: a vocabulary of single bytes, and whether a text fits.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sample/grammar/json_grammar.h"

namespace hadal::grammar {

// A token for each byte, id and byte the same.
inline std::shared_ptr<const Vocabulary> byte_vocabulary() {
  std::string vocab;
  int extra = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    std::string text;
    append_char(static_cast<uint32_t>(is_itself ? byte : 256 + extra++), text);
    vocab += fmt::format("{}\"{}{}\": {}", vocab.empty() ? "" : ", ",
                         text == "\"" || text == "\\" ? "\\" : "", text, byte);
  }
  const std::string json = fmt::format(
      R"({{"added_tokens": [], "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}},
          "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}}})",
      vocab);
  return std::make_shared<Vocabulary>(Tokenizer::parse(json, "bytes"), 256);
}

inline constexpr JsonStyle kAnyStyle{
    .space = JsonStyle::Space::kAny, .any_order = true, .any_spelling = true};

inline Result<std::shared_ptr<Grammar>> compile(std::string_view schema, JsonStyle style = kAnyStyle,
                                                std::vector<SchemaNote>* notes = nullptr) {
  const auto value = parse_json(schema);
  if (!value) throw std::runtime_error("a test's schema is no JSON: " + std::string(schema));
  static const std::shared_ptr<const Vocabulary> vocabulary = byte_vocabulary();
  return json_schema_grammar(vocabulary, {}, *value, style, notes);
}

inline bool fits(const std::shared_ptr<Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return (text.empty() || matcher.accept_bytes(text)) && matcher.can_end();
}

// Texts that fit and texts that do not.
inline void expect(std::string_view schema, const std::vector<std::string>& good,
                   const std::vector<std::string>& bad, JsonStyle style = kAnyStyle) {
  const auto grammar = compile(schema, style);
  ASSERT_TRUE(grammar.has_value()) << schema << ": " << grammar.error().to_string();
  for (const std::string& text : good) EXPECT_TRUE(fits(*grammar, text)) << schema << " should take " << text;
  for (const std::string& text : bad)
    EXPECT_FALSE(fits(*grammar, text)) << schema << " should not take " << text;
}

// The schema is refused, and the reason says this.
inline void expect_refused(std::string_view schema, std::string_view reason) {
  const auto grammar = compile(schema);
  ASSERT_FALSE(grammar.has_value()) << schema;
  EXPECT_NE(grammar.error().to_string().find(reason), std::string::npos) << grammar.error().to_string();
}

}  // namespace hadal::grammar
