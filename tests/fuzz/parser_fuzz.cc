// Any bytes as a completion. The first bytes choose the options and the cuts; in the rest a byte of 0xF8 and
// above, which UTF-8 never has, stands for a special token. However the stream is cut, the message must be
// the same, every delta must be valid UTF-8, and the events must come in order.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "chat/collect.h"
#include "text/utf8.h"

namespace {

using namespace hadal;

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::array<std::string_view, 8> kSpecials = {"｜DSML｜",    "｜DSML｜",   "</think>",
                                                       "<think>",     "<｜User｜>", "<｜end▁of▁sentence｜>",
                                                       "<｜title｜>", "｜DSML｜"};

class CheckingSink : public CollectingSink {
 public:
  void on_reasoning(std::string_view delta) override { check(delta), CollectingSink::on_reasoning(delta); }
  void on_content(std::string_view delta) override { check(delta), CollectingSink::on_content(delta); }
  void on_call(int index, std::string_view name) override {
    require(!message.finished && utf8_valid_prefix(name) == name.size());
    CollectingSink::on_call(index, name);
  }
  void on_arguments(int index, std::string_view delta) override {
    check(delta), CollectingSink::on_arguments(index, delta);
  }

 private:
  void check(std::string_view delta) const {
    require(!message.finished && !delta.empty() && utf8_valid_prefix(delta) == delta.size());
  }
};

ParsedMessage run(const ParserOptions& options, std::string_view stream, size_t fragment, FinishCause cause) {
  ChatParser parser(options);
  CheckingSink sink;
  size_t begin = 0;
  const auto push_until = [&](size_t end) {
    const size_t step = fragment == 0 ? stream.size() + 1 : fragment;
    for (; begin < end; begin += std::min(step, end - begin))
      parser.push_bytes(stream.substr(begin, std::min(step, end - begin)), sink);
  };
  for (size_t at = 0; at < stream.size(); ++at) {
    const auto byte = static_cast<uint8_t>(stream[at]);
    if (byte < 0xF8) continue;
    push_until(at);
    parser.push_special(kSpecials[byte - 0xF8], sink);
    begin = at + 1;
  }
  push_until(stream.size());
  parser.finish(cause, sink);
  require(sink.message.finished);
  return sink.message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ParserOptions options;
  options.start = static_cast<ParserStart>(data[0] % 5);
  options.tools = (data[0] & 0x80) == 0;
  options.lenient = (data[1] & 1) == 0;
  options.exact_newlines = (data[1] & 2) != 0;
  options.whole_values = (data[1] & 4) != 0;
  if (data[1] & 8) options.stops = {"END", "\n\n", "é<"};
  const FinishCause cause = (data[1] & 16) ? FinishCause::kLength : FinishCause::kEos;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);

  const ParsedMessage whole = run(options, stream, 0, cause);
  for (const size_t fragment : {1, 2, 3, 7}) require(run(options, stream, fragment, cause) == whole);
  for (const ParsedCall& call : whole.calls) without_repeated_keys(call.arguments);
  return 0;
}
