// The strict parse of a complete, well-formed completion (api.md A17.2), written for clearness and without
// any sharing with the streaming parser: what that must agree with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/collect.h"
#include "chat/python_json.h"

namespace hadal::test {

class StrictParse {
 public:
  // Nothing if the completion is not well-formed.
  static std::optional<ParsedMessage> of(std::string_view completion, bool thinking) {
    StrictParse parse(completion);
    return parse.run(thinking) ? std::optional(parse.message_) : std::nullopt;
  }

 private:
  explicit StrictParse(std::string_view text) : rest_(text) {}

  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  std::optional<std::string> until(std::string_view literal) {
    const size_t at = rest_.find(literal);
    if (at == std::string_view::npos) return std::nullopt;
    std::string text(rest_.substr(0, at));
    rest_.remove_prefix(at + literal.size());
    return text;
  }
  static bool plain(std::string_view text) {
    for (const std::string_view bad :
         {"<think>", "</think>", "｜DSML｜", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"})
      if (text.find(bad) != std::string_view::npos) return false;
    return true;
  }

  bool run(bool thinking) {
    if (thinking) {
      const auto reasoning = until("</think>");
      if (!reasoning || !plain(*reasoning)) return false;
      message_.reasoning = *reasoning;
    }
    static constexpr std::string_view kOpen = "\n\n<｜DSML｜tool_calls", kEnd = "<｜end▁of▁sentence｜>";
    const size_t content = std::min(rest_.find(kOpen), rest_.find(kEnd));
    if (content == std::string_view::npos) return false;
    message_.content = rest_.substr(0, content);
    rest_.remove_prefix(content);
    if (!plain(message_.content)) return false;
    if (take(kOpen) && !(take(">\n") && invocations())) return false;
    if (!take(kEnd) || !rest_.empty()) return false;
    message_.finished = true;
    message_.reason = message_.calls.empty() ? FinishReason::kStop : FinishReason::kToolCalls;
    return true;
  }

  bool invocations() {
    while (take("<｜DSML｜invoke")) {
      while (take(" ") || take("\n") || take("\t")) {
      }
      if (!take("name=\"")) return false;
      const auto name = until("\">\n");
      if (!name) return false;
      std::string arguments;
      while (take("<｜DSML｜parameter name=\"")) {
        const auto key = until("\" string=\"");
        const auto kind = until("\">");
        const auto value = until("</｜DSML｜parameter>\n");
        if (!key || !kind || !value) return false;
        arguments += arguments.empty() ? "{" : ", ";
        arguments += json_quoted(*key) + ": " + (*kind == "true" ? json_quoted(*value) : *value);
      }
      take("\n");  // the empty line of an invocation without parameters
      if (!take("</｜DSML｜invoke>\n")) return false;
      message_.calls.push_back({*name, arguments.empty() ? "{}" : arguments + "}"});
    }
    return take("</｜DSML｜tool_calls>");
  }

  std::string_view rest_;
  ParsedMessage message_;
};

}  // namespace hadal::test
