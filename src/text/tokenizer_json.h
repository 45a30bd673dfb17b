// Reading a tokenizer.json: from the bytes of an untrusted file to a checked description of a tokenizer. What
// a file asks for and this program does not do is refused by the name of the field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/bpe.h"
#include "text/pretokenizer.h"

namespace hadal {

struct AddedToken {
  int32_t id = 0;
  std::string literal;
  bool special = false;     // the file calls it special: a decode may leave it out
  bool normalized = false;  // matched after all that are not (HF's order)
};

// What holds after parse_tokenizer_json: ids are below kMaxVocabSize; no id and no spelling appears twice;
// every byte has a token; merges name existing tokens and no pair twice.
struct TokenizerFile {
  static constexpr int32_t kMaxVocabSize = 1 << 22;

  struct VocabEntry {
    int32_t id = 0;
    std::string bytes;        // never empty
    bool byte_level = false;  // bytes were spelled in the byte-level alphabet (byte_level.h), not literally
  };
  std::vector<VocabEntry> vocab;  // in the order of the file, without the added tokens that it also lists
  std::vector<AddedToken> added;
  Bpe bpe;
  bool ignore_merges = false;  // a piece that is a token as a whole is not taken apart
  std::vector<Pretokenizer::Pass> passes;
};

// name: of the file, for messages. Throws Error (kInvalidFile, kUnsupported) that names file and field.
TokenizerFile parse_tokenizer_json(std::string_view json, std::string_view name);

// The text of a tokenizer.json, a gzipped one, or that of a folder that holds one of them (tokenizer.json
// first). Returns the path read and its content. Throws Error (kNotFound, kIo, kInvalidFile).
std::pair<std::string, std::string> read_tokenizer_file(const std::filesystem::path& path);

}  // namespace hadal
