#include "apps/answer.h"

#include <cstdio>

namespace hadal::apps {

void AnswerPrinter::put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void AnswerPrinter::leave_reasoning() {
  if (!reasoning_open_) return;
  reasoning_open_ = false;
  put(options_.colour ? "\x1b[0m\n\n" : "\n\n");
}

void AnswerPrinter::on_reasoning(std::string_view delta) {
  message_.reasoning_content += delta;
  if (!options_.print_reasoning || delta.empty()) return;
  if (!reasoning_open_ && options_.colour) put("\x1b[2m");
  reasoning_open_ = true;
  put(delta);
}

void AnswerPrinter::on_content(std::string_view delta) {
  message_.content += delta;
  if (!options_.print_content || delta.empty()) return;
  leave_reasoning();
  put(delta);
}

void AnswerPrinter::on_call(int index, std::string_view name) {
  message_.tool_calls.resize(static_cast<size_t>(index) + 1);
  message_.tool_calls.back().name = name;
}

void AnswerPrinter::on_arguments(int index, std::string_view delta) {
  message_.tool_calls[static_cast<size_t>(index)].arguments += delta;
}

void AnswerPrinter::on_finish(FinishReason, std::string_view) {
  if (reasoning_open_ && options_.colour) put("\x1b[0m");
  reasoning_open_ = false;
}

}  // namespace hadal::apps
