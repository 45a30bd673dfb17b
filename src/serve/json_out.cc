#include "serve/json_out.h"

#include <cmath>

#include "chat/python_json.h"

namespace hadal::serve {

void JsonOut::separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

JsonOut& JsonOut::begin(char bracket) {
  separate();
  out_.push_back(bracket);
  comma_ = false;
  return *this;
}

JsonOut& JsonOut::end(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
  return *this;
}

JsonOut& JsonOut::key(std::string_view name) {
  value(name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

JsonOut& JsonOut::value(std::string_view text) {
  separate();
  out_.push_back('"');
  append_json_escaped(text, out_);
  out_.push_back('"');
  return *this;
}

JsonOut& JsonOut::value(double number) {
  if (!std::isfinite(number)) return null();
  return raw(fmt::format("{}", number));
}

JsonOut& JsonOut::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

std::string json_string(std::string_view text) {
  std::string out;
  JsonOut(out).value(text);
  return out;
}

}  // namespace hadal::serve
