#include "sample/grammar/json_document.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"

namespace hadal::grammar {
namespace {

// Where subschemas are. Those of kMaps have one under each key.
constexpr std::array kSingles = {"additionalProperties",
                                 "additionalItems",
                                 "contains",
                                 "else",
                                 "if",
                                 "items",
                                 "not",
                                 "propertyNames",
                                 "then",
                                 "unevaluatedItems",
                                 "unevaluatedProperties"};
constexpr std::array kLists = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
constexpr std::array kMaps = {"$defs",        "definitions",       "dependentSchemas",
                              "dependencies", "patternProperties", "properties"};

struct Uri {
  std::string scheme, authority, path, query;
  bool has_authority = false, has_query = false;

  explicit Uri(std::string_view text) {
    const size_t colon = text.find(':');
    if (colon != text.npos && colon > 0 && text.substr(0, colon).find_first_of("/?#") == text.npos) {
      scheme = text.substr(0, colon);
      text.remove_prefix(colon + 1);
    }
    if (text.starts_with("//")) {
      has_authority = true;
      const size_t end = std::min(text.find_first_of("/?", 2), text.size());
      authority = text.substr(2, end - 2);
      text.remove_prefix(end);
    }
    const size_t mark = text.find('?');
    has_query = mark != text.npos;
    path = text.substr(0, mark);
    if (has_query) query = text.substr(mark + 1);
  }

  std::string text() const {
    std::string out = scheme.empty() ? "" : scheme + ":";
    if (has_authority) out += "//" + authority;
    out += path;
    if (has_query) out += "?" + query;
    return out;
  }
};

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool absolute = path.starts_with('/');
  bool slash_at_end = false;
  while (!path.empty()) {
    if (path.starts_with('/')) path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(end);
    slash_at_end = part == "." || part == ".." || part.empty();
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != "." && !(part.empty() && path.empty())) {
      parts.push_back(part);
    }
  }
  std::string out = absolute ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) out.append(i ? "/" : "").append(parts[i]);
  if (slash_at_end && !parts.empty()) out += "/";
  return out;
}

// RFC 3986 section 5.2; neither has a fragment.
std::string resolve(const std::string& base, std::string_view reference) {
  if (reference.empty()) return base;
  Uri target(reference);
  if (!target.scheme.empty()) return target.text();
  Uri from(base);
  target.scheme = from.scheme;
  if (!target.has_authority) {
    target.has_authority = from.has_authority;
    target.authority = from.authority;
    if (target.path.empty()) {
      target.path = from.path;
      if (!target.has_query) target.query = from.query, target.has_query = from.has_query;
    } else if (!target.path.starts_with('/')) {
      const size_t slash = from.path.rfind('/');
      if (slash != std::string::npos)
        target.path = from.path.substr(0, slash + 1) + target.path;
      else if (from.has_authority)
        target.path = "/" + target.path;
    }
  }
  target.path = without_dots(target.path);
  return target.text();
}

std::pair<std::string_view, std::optional<std::string_view>> split_fragment(std::string_view reference) {
  const size_t hash = reference.find('#');
  if (hash == reference.npos) return {reference, std::nullopt};
  return {reference.substr(0, hash), reference.substr(hash + 1)};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (i + 3 > text.size() ||
        std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16).ptr != &text[i + 1] + 2)
      return std::nullopt;
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return out;
}

std::string from_pointer_part(std::string_view part) {
  std::string out;
  for (size_t i = 0; i < part.size(); ++i) {
    const bool escaped = part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1');
    out.push_back(!escaped ? part[i] : part[++i] == '0' ? '~' : '/');
  }
  return out;
}

const JsonValue* string_member(const JsonValue& object, std::string_view key) {
  const JsonValue* found = member(object, key);
  return found && found->is_string() ? found : nullptr;
}

}  // namespace

const JsonValue* member(const JsonValue& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  for (size_t i = 0; i < object.keys.size(); ++i)
    if (object.keys[i] == key) return &object.items[i];
  return nullptr;
}

std::string pointer_part(std::string_view key) {
  std::string out;
  for (const char c : key) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  return out;
}

SchemaDocument::SchemaDocument(const JsonValue& root) {
  const JsonValue* dialect = string_member(root, "$schema");
  if (dialect)
    for (const std::string_view draft : {"draft-03", "draft-04", "draft-06", "draft-07"})
      old_draft_ |= dialect->text.find(draft) != std::string::npos;
  new_draft_ = dialect && dialect->text.find("/draft/20") != std::string::npos;
  if (dialect && dialect->text.find("://json-schema.org/") == std::string::npos)
    fail(ErrorCode::kInvalidInput, "#/$schema: \"{}\" is not a dialect of json-schema.org", dialect->text);
  add(root, "#", "");
  collect(root, "#", "", 0);
  resources_.try_emplace("", Found{&root, "#", ""});
}

// The URI that a subschema's references are relative to.
std::string SchemaDocument::base_of(const JsonValue& value, const std::string& outer) const {
  const JsonValue* id = string_member(value, "$id");
  if (!id && old_draft_) id = string_member(value, "id");
  if (!id || (old_draft_ && member(value, "$ref"))) return outer;
  return resolve(outer, split_fragment(id->text).first);
}

PlaceId SchemaDocument::add(const JsonValue& value, std::string path, const std::string& outer_base) {
  const auto [it, is_new] = index_.try_emplace(&value, static_cast<PlaceId>(places_.size()));
  if (is_new) places_.push_back({&value, std::move(path), base_of(value, outer_base)});
  return it->second;
}

// Finds what can be referred to by a URI or a name.
void SchemaDocument::collect(const JsonValue& value, const std::string& path, const std::string& outer_base,
                             int depth) {
  if (!value.is_object() || depth > kMaxJsonDepth) return;
  const std::string base = base_of(value, outer_base);
  if (base != outer_base || depth == 0) resources_.try_emplace(base, Found{&value, path, outer_base});
  for (const std::string_view keyword : {"$anchor", "$dynamicAnchor"})
    if (const JsonValue* anchor = string_member(value, keyword))
      anchors_.try_emplace(base + "#" + anchor->text, Found{&value, path, outer_base});
  for (const std::string_view keyword : {"$id", "id"})  // before draft 2019-09
    if (const JsonValue* id = string_member(value, keyword); id && old_draft_)
      if (const auto fragment = split_fragment(id->text).second; fragment && !fragment->empty())
        anchors_.try_emplace(base + "#" + std::string(*fragment), Found{&value, path, outer_base});
  for (const std::string_view keyword : kSingles)
    if (const JsonValue* inner = member(value, keyword))
      collect(*inner, path + "/" + std::string(keyword), base, depth + 1);
  for (const std::string_view keyword : kLists)
    if (const JsonValue* list = member(value, keyword); list && list->is_array())
      for (size_t i = 0; i < list->items.size(); ++i)
        collect(list->items[i], path + "/" + std::string(keyword) + "/" + std::to_string(i), base, depth + 1);
  for (const std::string_view keyword : kMaps)
    if (const JsonValue* map = member(value, keyword); map && map->is_object())
      for (size_t i = 0; i < map->items.size(); ++i)
        collect(map->items[i], path + "/" + std::string(keyword) + "/" + pointer_part(map->keys[i]), base,
                depth + 1);
}

PlaceId SchemaDocument::child(PlaceId place, std::string_view key, const JsonValue& value) {
  const Place& outer = places_[place];
  return add(value, outer.path + "/" + pointer_part(key), std::string(outer.base));
}

PlaceId SchemaDocument::child(PlaceId place, std::string_view key, std::string_view inner,
                              const JsonValue& value) {
  const Place& outer = places_[place];
  return add(value, outer.path + "/" + pointer_part(key) + "/" + pointer_part(inner),
             std::string(outer.base));
}

PlaceId SchemaDocument::target(PlaceId place, std::string_view reference) {
  const auto [uri, raw_fragment] = split_fragment(reference);
  const std::string& where = places_[place].path;
  const std::string absolute = resolve(places_[place].base, uri);
  const auto fragment = raw_fragment ? percent_decoded(*raw_fragment) : std::string();
  const auto resource = resources_.find(absolute);
  if (resource == resources_.end())
    fail(ErrorCode::kInvalidInput, "{}/$ref: \"{}\" is not in this schema (nothing is loaded from elsewhere)",
         where, reference);
  if (!fragment) fail(ErrorCode::kInvalidInput, "{}/$ref: \"{}\" has a malformed % escape", where, reference);
  Found found = resource->second;
  if (!fragment->empty() && !fragment->starts_with('/')) {
    const auto anchor = anchors_.find(absolute + "#" + *fragment);
    if (anchor == anchors_.end())
      fail(ErrorCode::kInvalidInput, "{}/$ref: no subschema is named \"{}\"", where, *fragment);
    found = anchor->second;
  } else {
    std::string_view rest = *fragment;
    while (!rest.empty()) {
      rest.remove_prefix(1);
      const size_t end = std::min(rest.find('/'), rest.size());
      const std::string part = from_pointer_part(rest.substr(0, end));
      rest.remove_prefix(end);
      const JsonValue* next = member(*found.value, part);
      if (size_t i = 0; !next && found.value->is_array()) {
        const auto [after, error] = std::from_chars(part.data(), part.data() + part.size(), i);
        if (error == std::errc() && after == part.data() + part.size() && i < found.value->items.size())
          next = &found.value->items[i];
      }
      if (!next) fail(ErrorCode::kInvalidInput, "{}/$ref: \"{}\" leads nowhere", where, reference);
      found.base = base_of(*found.value, found.base);
      found.path += "/" + pointer_part(part);
      found.value = next;
    }
  }
  return add(*found.value, found.path, found.base);
}

}  // namespace hadal::grammar
