// Two uses of the same bytes. As a tokenizer.json: loading refuses or succeeds, and what it loads encodes and
// decodes. As a text for a small sound tokenizer: its bytes survive, streamed text equals decoded text. For
// the latter the first byte chooses how the rest is cut into ids.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../text/small_tokenizer.h"
#include "base/error.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace {

using hadal::Tokenizer;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_ids(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  hadal::StreamDecoder stream(tokenizer);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  require(text + stream.finish() == tokenizer.decode(ids));
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  for (const auto& ids : {tokenizer.encode(text), tokenizer.encode_with_added(text)}) {
    std::string bytes;
    for (const int32_t id : ids) bytes += tokenizer.token_bytes(id);
    require(bytes == text);
    check_ids(tokenizer, ids);
  }
}

// A good file with the bytes of the fuzzer in place of one of its parts: without this nearly every input
// would fail for want of 256 byte tokens.
std::string with_part_replaced(uint8_t which, std::string_view part) {
  nlohmann::json file = hadal::testing::small_tokenizer_json();
  const char* mark = "\"the bytes go here\"";
  const nlohmann::json placeholder = "the bytes go here";
  switch (which % 5) {
    case 0:
      file["added_tokens"] = placeholder;
      break;
    case 1:
      file["pre_tokenizer"]["pretokenizers"][0] = placeholder;
      break;
    case 2:
      file["model"]["merges"] = placeholder;
      break;
    case 3:
      file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = placeholder;
      break;
    default:
      file["model"]["vocab"]["more"] = placeholder;
      break;
  }
  std::string text = file.dump();
  std::string value(part);
  if (which % 5 == 3)
    value = nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.replace(text.find(mark), std::string_view(mark).size(), value);
}

void load_and_use(std::string_view file) {
  try {
    const Tokenizer tokenizer = Tokenizer::parse(file, "fuzz.json");
    // Short: a pattern of the fuzzer may cost much a byte.
    check_text(tokenizer, "hello <｜User｜> 12 中 \xFF");
    check_text(tokenizer, file.substr(0, 48));
  } catch (const hadal::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Tokenizer small = Tokenizer::parse(hadal::testing::small_tokenizer_json().dump(), "small");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(small, bytes);
  load_and_use(bytes);
  if (size == 0) return 0;
  load_and_use(with_part_replaced(data[0], bytes.substr(1)));
  std::vector<int32_t> ids;
  for (size_t i = 1; i < size; ++i) {
    const int32_t id = data[i] * ((data[0] & 1) + 1) + (data[0] >> 7);
    if (small.has_token(id)) ids.push_back(id);
  }
  check_ids(small, ids);
  return 0;
}
