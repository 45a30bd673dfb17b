#include "apps/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace hadal::apps {
namespace {

// Ctrl-C writes to a pipe that the editor waits on together with the keyboard: a flag alone would be missed
// when the signal comes just before the read, or to another thread.
int interrupt_pipe = -1;
void cancel_line(int) {
  const int saved = errno;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(interrupt_pipe, &byte, 1);
  errno = saved;
}

// Messages are UTF-8, also where no locale is set (a container): there the editor would drop every other
// character.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineEditor::Impl {
  EditLine* edit = nullptr;
  History* history = nullptr;
  HistEvent event = {};
  std::filesystem::path file;
  std::string prompt;
  int pipe[2] = {-1, -1};  // read end, write end
  bool cancelled = false;

  // The next character: 1, 0 at the end of the input, -1 when Ctrl-C came.
  static int next_character(EditLine* edit, wchar_t* out) {
    Impl* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    std::mbstate_t state = {};
    while (true) {
      pollfd ready[2] = {{STDIN_FILENO, POLLIN, 0}, {self->pipe[0], POLLIN, 0}};
      if (::poll(ready, 2, -1) < 0 && errno != EINTR) return -1;
      if (ready[1].revents != 0) {
        char byte = 0;
        while (::read(self->pipe[0], &byte, 1) == 1) continue;
        self->cancelled = true;
        return -1;
      }
      if (ready[0].revents == 0) continue;
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) return static_cast<int>(n);
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // more bytes follow
      if (used != static_cast<size_t>(-1)) return 1;
      state = {};  // not UTF-8: dropped
    }
  }

  static char* show_prompt(EditLine* edit) {
    Impl* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }
};

LineEditor::LineEditor(std::filesystem::path history_file) : impl_(std::make_unique<Impl>()) {
  use_utf8();
  if (::pipe2(impl_->pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    fail(ErrorCode::kIo, "the line editor cannot make a pipe: {}", std::strerror(errno));
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
  el_set(impl_->edit, EL_GETCFN, Impl::next_character);
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
  ::close(impl_->pipe[0]);
  ::close(impl_->pipe[1]);
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  struct sigaction action = {}, previous = {};
  action.sa_handler = cancel_line;
  interrupt_pipe = impl_->pipe[1];
  sigaction(SIGINT, &action, &previous);
  impl_->cancelled = false;
  std::string text;
  impl_->prompt = prompt;
  std::optional<std::string> result;
  while (true) {
    int count = 0;
    // Before the prompt, not after it as el_gets would: a Ctrl-D typed in between would vanish.
    el_set(impl_->edit, EL_PREP_TERM, 1);
    const char* line = el_gets(impl_->edit, &count);
    if (impl_->cancelled) {
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
