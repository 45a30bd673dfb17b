// The input of a fuzz target of grammars: rules, a zero byte and a text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

inline void require(bool condition) {
  if (!condition) std::abort();
}

struct RulesAndText {
  RulesAndText(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t end = std::min(input.find('\0'), size);
    rules = input.substr(0, end);
    text = input.substr(std::min(end + 1, size));
  }
  std::string_view rules, text;
};
