// The bundled model's tokenizer and prompt format: what a real answer is made of.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "chat/collect.h"
#include "chat/encode.h"
#include "chat/special_tokens.h"
#include "text/tokenizer.h"

namespace hadal::test {

inline const std::filesystem::path kMini = std::filesystem::path(HADAL_SOURCE_DIR) / "models/hadal-mini";

inline const Tokenizer& mini_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(kMini);
  return tokenizer;
}

// A text in which the literals of "</think>" and of the others are special tokens, one id for each element.
inline std::vector<int32_t> ids_of(const std::vector<std::string>& tokens) {
  std::vector<int32_t> ids;
  for (const std::string& token : tokens) {
    if (const auto added = mini_tokenizer().added_id(token)) {
      ids.push_back(*added);
      continue;
    }
    const std::vector<int32_t> text = mini_tokenizer().encode(token);
    ids.insert(ids.end(), text.begin(), text.end());
  }
  return ids;
}

inline std::string text_of(std::span<const int32_t> ids) {
  std::string out;
  for (const int32_t id : ids) out += mini_tokenizer().token_bytes(id);
  return out;
}

}  // namespace hadal::test
