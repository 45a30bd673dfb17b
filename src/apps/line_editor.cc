#include "apps/line_editor.h"

#include <histedit.h>

#include <clocale>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <system_error>

namespace hadal::apps {
namespace {

volatile std::sig_atomic_t line_cancelled = 0;
void cancel_line(int) {
  line_cancelled = 1;
}

}  // namespace

struct LineEditor::Impl {
  EditLine* edit = nullptr;
  History* history = nullptr;
  HistEvent event = {};
  std::filesystem::path file;
  std::string prompt;

  static char* show_prompt(EditLine* edit) {
    Impl* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }
};

LineEditor::LineEditor(std::filesystem::path history_file) : impl_(std::make_unique<Impl>()) {
  std::setlocale(LC_CTYPE, "");
  impl_->file = std::move(history_file);
  impl_->edit = el_init("hadal", stdin, stdout, stderr);
  impl_->history = history_init();
  history(impl_->history, &impl_->event, H_SETSIZE, 1000);
  history(impl_->history, &impl_->event, H_SETUNIQUE, 1);
  if (!impl_->file.empty()) history(impl_->history, &impl_->event, H_LOAD, impl_->file.c_str());
  el_set(impl_->edit, EL_CLIENTDATA, impl_.get());
  el_set(impl_->edit, EL_PROMPT, Impl::show_prompt);
  el_set(impl_->edit, EL_EDITOR, "emacs");
  el_set(impl_->edit, EL_SIGNAL, 0);
  el_set(impl_->edit, EL_HIST, history, impl_->history);
  el_set(impl_->edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  if (!impl_->file.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(impl_->file.parent_path(), ignored);
    history(impl_->history, &impl_->event, H_SAVE, impl_->file.c_str());
  }
  history_end(impl_->history);
  el_end(impl_->edit);
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  // Without SA_RESTART the read returns on Ctrl-C, and the line is dropped.
  struct sigaction action = {}, previous = {};
  action.sa_handler = cancel_line;
  sigaction(SIGINT, &action, &previous);
  line_cancelled = 0;
  std::string text;
  impl_->prompt = prompt;
  std::optional<std::string> result;
  while (true) {
    int count = 0;
    const char* line = el_gets(impl_->edit, &count);
    if (line_cancelled) {
      el_reset(impl_->edit);
      std::fputs("\n", stdout);
      result = "";
      break;
    }
    if (line == nullptr || count <= 0) break;
    text.append(line, static_cast<size_t>(count));
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (!text.empty() && text.back() == '\\') {  // the message goes on
      text.back() = '\n';
      impl_->prompt = std::string(prompt.size() > 2 ? prompt.size() - 2 : 0, ' ') + ". ";
      continue;
    }
    result = text;
    break;
  }
  sigaction(SIGINT, &previous, nullptr);
  if (result && !result->empty()) history(impl_->history, &impl_->event, H_ENTER, result->c_str());
  return result;
}

}  // namespace hadal::apps
