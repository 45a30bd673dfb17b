// The tokenizer of DeepSeek-V4 (spec A16): byte-level BPE behind regular expressions, everything about it
// read from a tokenizer.json. Text to ids and back; nothing is added by itself (no BOS).
//
// encode(x) then decode gives x back for every valid UTF-8 text x. Bytes that are not UTF-8 are kept too: a
// stretch of them is a piece of its own, the text before and after it is cut into pieces as if it stood
// alone, and the token_bytes of the ids, strung together, are the input again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

struct TokenizerFile;

// Immutable after load; safe to use from many threads. Copies share their data.
class Tokenizer {
 public:
  // A tokenizer.json, a gzipped one, or a folder that holds one of them. Throws Error.
  static Tokenizer load(const std::filesystem::path& path);
  // The text of a tokenizer.json; name stands for the file in messages. Throws Error.
  static Tokenizer parse(std::string_view json, std::string_view name);

  // Plain text: the literal of an added token is text like any other. Linear in the text up to a logarithm.
  // Throws Error kInvalidInput for 2 GiB and more.
  std::vector<int32_t> encode(std::string_view text) const;

  // A place in `text` that no token reaches over: those before it are the same whatever comes behind `text`,
  // and what comes from there on is encoded as if it stood alone. (Not the last one; 0 for a text of one
  // word.)
  size_t settled(std::string_view text) const;

  // Literals of added tokens become their ids: first those that the file does not call normalized, then the
  // others in what remains; leftmost first, the longest of those that start together.
  std::vector<int32_t> encode_with_added(std::string_view text) const;

  // The bytes of the tokens as valid UTF-8: U+FFFD for each broken sequence. skip_special leaves out the
  // tokens that is_special names. Throws Error kInvalidInput for an id that has no token.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The exact bytes of a token, for an added one its literal. Never empty. Valid as long as a copy of this
  // object lives. Throws Error kInvalidInput for an id that has no token.
  std::string_view token_bytes(int32_t id) const;

  // Ids below vocab_size() may be holes of the file; any int32_t may be asked for.
  bool has_token(int32_t id) const;
  bool is_added(int32_t id) const;
  bool is_special(int32_t id) const;  // an added token that the file flags special

  std::optional<int32_t> added_id(std::string_view literal) const;  // "<｜User｜>" -> its id
  int32_t vocab_size() const;                                       // largest id + 1

 private:
  struct Data;
  class Encoder;
  explicit Tokenizer(TokenizerFile file);
  std::shared_ptr<const Data> data_;
};

}  // namespace hadal
