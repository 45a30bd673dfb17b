// The JSON of a tokenizer.json, without a tree for its two large parts: model.vocab and model.merges go to
// flat lists, which keeps loading a file of 130,000 tokens within tens of milliseconds.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal {

struct RawTokenizer {
  std::vector<std::pair<std::string, int32_t>> vocab;  // ids in 0 … TokenizerFile::kMaxVocabSize - 1
  std::vector<std::pair<std::string, std::string>> merges;
  bool has_vocab = false, has_merges = false;
};

// Parses json; rest receives the document without model.vocab and model.merges. Throws Error kInvalidFile
// that names the file (name) and the byte or field: malformed JSON, invalid UTF-8, nesting deeper than 32, a
// key given twice, an id or merge of the wrong type.
RawTokenizer parse_raw_tokenizer(std::string_view json, const std::string& name, nlohmann::json& rest);

// Text of a file for a message: at most 60 bytes, quoted, control characters escaped.
std::string quote(std::string_view text);

}  // namespace hadal
