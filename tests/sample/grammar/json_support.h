// Schemas and texts for tests, and whether a text fits.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sample/grammar/json_grammar.h"
#include "sample/grammar/small_vocabulary.h"

namespace hadal::grammar {

inline constexpr JsonStyle kAnyStyle{
    .space = JsonStyle::Space::kAny, .any_order = true, .any_spelling = true};

inline Result<std::shared_ptr<Grammar>> compile(std::string_view schema, JsonStyle style = kAnyStyle,
                                                std::vector<SchemaNote>* notes = nullptr) {
  const auto value = parse_json(schema);
  if (!value) throw std::runtime_error("a test's schema is no JSON: " + std::string(schema));
  static const std::shared_ptr<const Vocabulary> vocabulary = testing::small_vocabulary();
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
