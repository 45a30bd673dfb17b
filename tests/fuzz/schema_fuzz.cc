// A schema, a zero byte and a text. The schema is refused with a sentence, or texts are read by it byte by
// byte: what the mask allows is what can be read, nothing is ever stuck, and what is whole is JSON.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "rules_and_text.h"
#include "sample/grammar/json_grammar.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace {

using namespace hadal;
using namespace hadal::grammar;

// A token for each byte, id and byte the same.
std::shared_ptr<const Vocabulary> bytes() {
  std::string vocab;
  uint32_t extra = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool is_itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    vocab += vocab.empty() ? "\"" : ", \"";
    if (byte == '"' || byte == '\\') vocab += '\\';
    append_utf8(vocab, is_itself ? byte : extra++);
    vocab += "\": " + std::to_string(byte);
  }
  return std::make_shared<Vocabulary>(
      Tokenizer::parse(
          R"({"added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, )"
          R"("use_regex": false}, "model": {"type": "BPE", "vocab": {)" +
              vocab + R"(}, "merges": []}})",
          "bytes"),
      256);
}

void check(const JsonValue& schema, std::string_view text, JsonStyle style) {
  static const std::shared_ptr<const Vocabulary> vocabulary = bytes();
  const auto grammar = json_schema_grammar(vocabulary, {}, schema, style);
  if (!grammar) return require(!grammar.error().what.empty());
  Matcher matcher(*grammar);
  TokenBits bits(vocabulary->words());
  std::string read;
  // The text chooses; where its byte cannot come, one that can does.
  for (const char wanted : text.substr(0, 200)) {
    matcher.allow(bits);
    Matcher forced(matcher);
    for (const int32_t id : forced.forced()) require(forced.accept(id));
    int32_t byte = static_cast<uint8_t>(wanted), tried = 0;
    const auto allowed = [&bits](int32_t id) { return bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1u; };
    require(matcher.fork()->accept(byte) == (allowed(byte) != 0));
    for (; tried < 256 && !allowed(byte); ++tried) byte = (byte + 1) % 256;
    if (tried == 256) {
      require(matcher.can_end());
      break;
    }
    require(matcher.accept(byte));
    read.push_back(static_cast<char>(byte));
  }
  if (matcher.can_end()) require(parse_json(read).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const RulesAndText input(data, size);
  const auto schema = parse_json(input.rules, 40);
  if (!schema) return 0;
  for (const bool any : {false, true}) {
    try {
      check(*schema, input.text,
            {.space = any ? JsonStyle::Space::kAny : JsonStyle::Space::kCompact,
             .any_order = any,
             .any_spelling = any});
    } catch (const Error& error) {
      require(error.code() == ErrorCode::kInvalidInput);  // too complex while it was read
    }
  }
  return 0;
}
