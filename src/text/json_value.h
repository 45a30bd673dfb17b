// A JSON value that forgets nothing the prompt format needs: key order, integers of any size, the spelling of
// numbers (api.md A8.2, A8.3). Of duplicate keys the last value stays, at the place of the first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hadal {

struct JsonValue {
  enum class Kind : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  // kString: the decoded text, valid UTF-8. kNumber: the digits as they were written
  std::vector<JsonValue> items;   // kArray: the elements. kObject: the values
  std::vector<std::string> keys;  // kObject: keys[i] belongs to items[i]
  bool had_repeats = false;       // kObject: a key came more than once

  bool is(Kind k) const { return kind == k; }
  bool is_null() const { return kind == Kind::kNull; }
  bool is_bool() const { return kind == Kind::kFalse || kind == Kind::kTrue; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_object() const { return kind == Kind::kObject; }
  // The value of a key, or nullptr. A member that is null counts as absent, as everywhere in the API.
  const JsonValue* find(std::string_view key) const;
};

inline constexpr int kMaxJsonDepth = 256;
// Twice the ids of the longest prompt. A value takes a hundred bytes where its text may take two.
inline constexpr int64_t kMaxJsonValues = int64_t{1} << 21;

// Reads one JSON text (RFC 8259; a leading byte-order mark is skipped, an escaped lone surrogate becomes
// U+FFFD). Problem: "byte N" and what was expected there. Malformed UTF-8, nesting beyond max_depth and more
// than kMaxJsonValues values are problems too.
Result<JsonValue> parse_json(std::string_view text, int max_depth = kMaxJsonDepth);

// The inside of a JSON string. Escapes what has to be. Works byte by byte, so a text may be escaped in pieces
// cut anywhere.
void append_json_escaped(std::string_view text, std::string& out);
// The text as a JSON string with its quotes.
std::string json_quoted(std::string_view text);

}  // namespace hadal
