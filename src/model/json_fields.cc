#include "model/json_fields.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace hadal {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 32;

// The line of text that holds a byte, shortened, and its number.
std::string line_at(std::string_view text, size_t byte) {
  byte = std::min(byte, text.size());
  const size_t number =
      1 + static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<long>(byte), '\n'));
  size_t begin = byte == 0 ? 0 : text.rfind('\n', byte - 1);
  begin = begin == std::string_view::npos ? 0 : begin + (text[begin] == '\n' ? 1 : 0);
  const size_t end = std::min(text.find('\n', byte), text.size());
  std::string line;
  for (const char c : text.substr(begin, std::min<size_t>(end - begin, 100)))
    line += c >= 0x20 && c < 0x7f ? c : '?';
  return fmt::format("line {}: {}", number, line);
}

// What stands in the file, for a message.
std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr size_t kLongest = 80;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace

nlohmann::json parse_json_object(std::string_view text, const std::string& name) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth)
      fail(ErrorCode::kInvalidFile, "{}: nested deeper than {} levels, expected a configuration", name,
           kMaxDepth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail(ErrorCode::kInvalidFile, "{}: {} is given twice, expected once", name, shown(parsed));
    return true;
  };
  Json document;
  try {
    document = Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::kInvalidFile, "{}: not JSON at {}", name,
         line_at(text, error.byte == 0 ? 0 : error.byte - 1));
  } catch (const Json::exception&) {
    fail(ErrorCode::kInvalidFile, "{}: a number is outside the range of a double", name);
  }
  if (!document.is_object())
    fail(ErrorCode::kInvalidFile, "{}: a JSON object expected, found {}", name, document.type_name());
  return document;
}

const Json* JsonFields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::wrong(const char* key, const std::string& expected) const {
  const Json* value = find(key);
  if (value == nullptr)
    fail(ErrorCode::kInvalidFile, "{}: {}{} is missing, expected {}", file_, prefix_, key, expected);
  fail(ErrorCode::kInvalidFile, "{}: {}{} is {}, expected {}", file_, prefix_, key, shown(*value), expected);
}

void JsonFields::contradiction(const char* key, const std::string& message) const {
  fail(ErrorCode::kInvalidFile, "{}: {}{}: {}", file_, prefix_, key, message);
}

void JsonFields::unsupported(const char* key, const std::string& message) const {
  fail(ErrorCode::kUnsupported, "{}: {}{}: {}", file_, prefix_, key, message);
}

int64_t JsonFields::integer_value(const Json& value, const char* key, int64_t low, int64_t high) const {
  const auto out_of_range = [&] { wrong(key, fmt::format("a whole number from {} to {}", low, high)); };
  if (!value.is_number_integer()) out_of_range();
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) out_of_range();
  const auto number = value.get<int64_t>();
  if (number < low || number > high) out_of_range();
  return number;
}

int64_t JsonFields::integer(const char* key, int64_t low, int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr) wrong(key, fmt::format("a whole number from {} to {}", low, high));
  return integer_value(*value, key, low, high);
}

int64_t JsonFields::integer(const char* key, int64_t low, int64_t high, int64_t fallback) const {
  const Json* value = find(key);
  return value == nullptr ? fallback : integer_value(*value, key, low, high);
}

double JsonFields::number_value(const Json& value, const char* key, double low, double high) const {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= low && number <= high)) wrong(key, fmt::format("a number from {} to {}", low, high));
  return number;
}

double JsonFields::number(const char* key, double low, double high) const {
  const Json* value = find(key);
  if (value == nullptr) wrong(key, fmt::format("a number from {} to {}", low, high));
  return number_value(*value, key, low, high);
}

double JsonFields::number(const char* key, double low, double high, double fallback) const {
  const Json* value = find(key);
  return value == nullptr ? fallback : number_value(*value, key, low, high);
}

bool JsonFields::boolean(const char* key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) wrong(key, "true or false");
  return value->get<bool>();
}

std::string JsonFields::text(const char* key, const std::string& fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) wrong(key, "a string");
  return value->get<std::string>();
}

std::vector<int64_t> JsonFields::integers(const char* key, int64_t low, int64_t high,
                                          bool one_is_enough) const {
  const Json* value = find(key);
  if (value != nullptr && one_is_enough && !value->is_array()) return {integer_value(*value, key, low, high)};
  if (value == nullptr || !value->is_array())
    wrong(key, fmt::format("a list of whole numbers from {} to {}", low, high));
  std::vector<int64_t> out;
  for (const Json& entry : *value) out.push_back(integer_value(entry, key, low, high));
  return out;
}

JsonFields JsonFields::object(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_object()) wrong(key, "an object");
  return JsonFields(*value, file_, prefix_ + key + ".");
}

void JsonFields::only(const char* key, const std::string& supported) const {
  const std::string found = text(key, supported);
  if (found != supported)
    unsupported(key, fmt::format("{} is not supported, only \"{}\" is", shown(*find(key)), supported));
}

}  // namespace hadal
