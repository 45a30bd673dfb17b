// Any bytes as a chat request: read, encode in both dialects and generations. The writer's output must read
// back, and special tokens must come from the template only.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chat/encode.h"
#include "chat/parser.h"
#include "chat/python_json.h"
#include "text/json_value.h"

namespace {

using namespace hadal;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_json(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return;
  const std::string written = python_json(*value);
  const auto again = parse_json(written);
  require(again.has_value());
  require(python_json(*again) == written);
}

void check_items(const std::vector<PromptItem>& items) {
  require(!items.empty() && items.front() == PromptItem{true, "<｜begin▁of▁sentence｜>"});
  for (size_t i = 0; i < items.size(); ++i) {
    require(!items[i].text.empty());
    if (items[i].special)
      require(items[i].text.starts_with("<") || items[i].text == "｜DSML｜");
    else
      require(i == 0 || items[i - 1].special);
  }
  parser_start(items);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_json(text);
  const auto request = chat_request_from_json(text);
  if (!request) {
    require(!request.error().what.empty());
    return 0;
  }
  for (const auto generation : {PromptGeneration::kV4Preview, PromptGeneration::kV4Official}) {
    for (const auto dialect : {Dialect::kHosted, Dialect::kReference}) {
      const auto items = encode_chat(*request, prompt_template(generation), {dialect});
      if (items) check_items(*items);
    }
  }
  return 0;
}
