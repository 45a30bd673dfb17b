// A vocabulary for tests of grammars: every byte, and longer tokens that begin and end in the middle of
// things.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sample/grammar/token_trie.h"
#include "text/small_tokenizer.h"

namespace hadal::grammar::testing {

inline std::shared_ptr<const Vocabulary> small_vocabulary(int32_t extra_logits = 3) {
  nlohmann::json file = hadal::testing::small_tokenizer_json();
  nlohmann::json& vocab = file["model"]["vocab"];
  int id = 400;
  for (const char* token : {"ab",
                            "ba",
                            "aab",
                            "bbb",
                            "abab",
                            "cab",
                            "\"a",
                            "a\"",
                            "\",\"",
                            "\":",
                            "{\"",
                            "}}",
                            "]]",
                            "[[",
                            "\"}",
                            "\\\"",
                            "\\u",
                            "\\u00",
                            "00e9",
                            "é",
                            "éa",
                            "aé",
                            "\xA9",
                            "\xA9"
                            "a",
                            "\xC3",
                            "a\xC3",
                            "\xF0\x9F",
                            "\x98\x80",
                            "😀",
                            "\xED",
                            "\xED\xA0",
                            "\xE2\x80",
                            ", ",
                            "()",
                            "((",
                            "))",
                            ")(",
                            "+1",
                            "1+",
                            "x+y",
                            " a",
                            "  a",
                            "true",
                            "null",
                            "a,b",
                            "a,",
                            ",b",
                            "-1",
                            ".5",
                            "aaaa",
                            "aaaaaaaa",
                            "bab",
                            "a\nb",
                            "\x01",
                            "aaaaaaaaaaaaaaaaaaaaaaaa",
                            "abababababababababababababab",
                            "bcbcbcbcbcbcbcbcbcbc",
                            "aaaaaaaaaaaaaaaaaaaaa\"",
                            "cccccccccccccccccccccccccccccccccccccccccc",
                            "aaaaaaaaaaaaaaaaaabbb"})
    if (const std::string spelled = hadal::testing::spelled(token); !vocab.contains(spelled))
      vocab[spelled] = id++;
  Tokenizer tokenizer = Tokenizer::parse(file.dump(), "small");
  const int32_t size = tokenizer.vocab_size() + extra_logits;
  return std::make_shared<const Vocabulary>(std::move(tokenizer), size);
}

inline const std::vector<int32_t>& small_end_ids() {
  static const std::vector<int32_t> ids = {1};
  return ids;
}

}  // namespace hadal::grammar::testing
