// The byte-level alphabet: tokenizer files spell each of the 256 bytes as one printable character, so that a
// token of any bytes can be written as a JSON string (spec A16.2). Printable Latin-1 characters stand for
// themselves, the 68 other bytes for U+0100 and following.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hadal {

// The character that spells a byte, as UTF-8.
std::string byte_level_symbol(uint8_t byte);

// The bytes that a token of a file spells; nothing when a character of it is not in the alphabet.
std::optional<std::string> byte_level_decode(std::string_view token);

}  // namespace hadal
