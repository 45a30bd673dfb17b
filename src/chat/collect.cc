#include "chat/collect.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "chat/python_json.h"
#include "chat/special_tokens.h"
#include "text/json_value.h"

namespace hadal {

void CollectingSink::on_call(int index, std::string_view name) {
  HADAL_CHECK(index == static_cast<int>(message.calls.size()), "call {} after {} calls", index,
              message.calls.size());
  message.calls.push_back({std::string(name), ""});
}

void CollectingSink::on_arguments(int index, std::string_view delta) {
  HADAL_CHECK(index + 1 == static_cast<int>(message.calls.size()), "arguments of call {}, not the last",
              index);
  message.calls.back().arguments.append(delta);
}

void CollectingSink::on_finish(FinishReason reason, std::string_view stop) {
  HADAL_CHECK(!message.finished, "finished twice");
  message.finished = true;
  message.reason = reason;
  message.stop = stop;
}

std::string without_repeated_keys(const std::string& arguments) {
  // Only the first level has keys of the markup; the reader has already dropped what was repeated.
  const Result<JsonValue> parsed = parse_json(arguments);
  if (!parsed || !parsed->is_object() || !parsed->had_repeats) return arguments;
  return python_json(*parsed);
}

void push_flat(ChatParser& parser, std::string_view completion, size_t fragment, ParserSink& sink) {
  static constexpr std::array<std::string_view, 8> kLiterals = {
      special::kEos,   special::kBos,      special::kUser, special::kAssistant,
      special::kThink, special::kEndThink, special::kDsml, special::kEndOfTurn};
  const auto push_text = [&](std::string_view text) {
    const size_t step = fragment == 0 ? std::max<size_t>(text.size(), 1) : fragment;
    for (size_t at = 0; at < text.size(); at += step) parser.push_bytes(text.substr(at, step), sink);
  };
  size_t start = 0;
  for (size_t at = 0; at < completion.size();) {
    const std::string_view here = completion.substr(at);
    const auto found =
        std::find_if(kLiterals.begin(), kLiterals.end(), [&](auto l) { return here.starts_with(l); });
    if (found == kLiterals.end()) {
      ++at;
      continue;
    }
    push_text(completion.substr(start, at - start));
    parser.push_special(*found, sink);
    start = at += found->size();
  }
  push_text(completion.substr(start));
}

}  // namespace hadal
