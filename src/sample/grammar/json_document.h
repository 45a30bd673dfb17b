// A JSON Schema as a document: its subschemas as places with a path, and where references lead.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/json_value.h"

namespace hadal::grammar {

using PlaceId = uint32_t;

// Borrows the schema. Not thread-safe.
class SchemaDocument {
 public:
  explicit SchemaDocument(const JsonValue& root);

  PlaceId root() const { return 0; }
  const JsonValue& value(PlaceId place) const { return *places_[place].value; }
  // As a JSON pointer from the root: "#/properties/a". Stays where it is.
  const std::string& path(PlaceId place) const { return places_[place].path; }

  // The subschema at a keyword of a place, and one further in: place / key / index or key.
  PlaceId child(PlaceId place, std::string_view key, const JsonValue& value);
  PlaceId child(PlaceId place, std::string_view key, std::string_view inner, const JsonValue& value);
  // Where $ref at a place leads. Throws Error{kInvalidInput}: the path and why it leads nowhere.
  PlaceId target(PlaceId place, std::string_view reference);

  // Draft 7 and earlier: keywords beside $ref have no effect.
  bool reference_stands_alone() const { return old_draft_; }
  // Draft 2019-09 and later, named by $schema: `format` says what a string is and asserts nothing.
  bool formats_are_annotations() const { return new_draft_; }

 private:
  struct Place {
    const JsonValue* value = nullptr;
    std::string path;
    std::string base;  // absolute or empty: the URI that references are relative to
  };
  struct Found {
    const JsonValue* value = nullptr;
    std::string path, base;
  };

  PlaceId add(const JsonValue& value, std::string path, const std::string& outer_base);
  void collect(const JsonValue& value, const std::string& path, const std::string& outer_base, int depth);
  std::string base_of(const JsonValue& value, const std::string& outer) const;

  std::deque<Place> places_;
  std::unordered_map<const JsonValue*, PlaceId> index_;
  std::map<std::string, Found> resources_;  // by URI without fragment
  std::map<std::string, Found> anchors_;    // by URI with it
  bool old_draft_ = false, new_draft_ = false;
};

// A member of an object, null or not; nullptr if there is none or this is no object.
const JsonValue* member(const JsonValue& object, std::string_view key);
// A key as part of a JSON pointer.
std::string pointer_part(std::string_view key);

}  // namespace hadal::grammar
