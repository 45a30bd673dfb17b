// The program's entry: the command line, the exit status and the standard streams. What a subcommand does
// lives in its own file (commands.h). Exit status: 0 done, 1 an error while running, 2 a command line that
// makes no sense.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "apps/commands.h"
#include "base/error.h"
#include "base/log.h"

namespace {

using namespace hadal;

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

// A program started with a standard descriptor closed would get that number for the next file it opens and
// then print into it. The gap is filled with a descriptor that refuses the wrong direction, so the error
// shows up as an error.
void reserve_standard_descriptors() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) != -1) continue;
    const int opened = ::open("/dev/null", wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened != wanted && opened >= 0) ::close(opened);
  }
}

int complain(int status, const std::string& message) {
  std::fprintf(stderr, "hadal: %s\n", message.c_str());
  return status;
}

// A full disk or a closed output is found only when the last buffered bytes are written, a bad input after
// the last read.
int finish(int status) {
  const bool written = std::cout.flush().good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!written && status == 0) return complain(kFailed, "standard output could not be written");
  // A folder or a closed descriptor as input reads like an empty one.
  if (status == 0 && std::ferror(stdin) != 0) return complain(kFailed, "standard input could not be read");
  return status;
}

int usage_error(const CLI::App& app, const std::string& message) {
  std::string command = "hadal";
  for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  return complain(kBadUsage, message + "\nTry '" + command + " --help'.");
}

void add_commands(CLI::App& app) {
  using namespace hadal::apps;
  for (void (*add)(CLI::App&) :
       {add_chat, add_serve, add_generate, add_batch, add_inspect, add_perplexity, add_tokenize, add_encode,
        add_parse, add_logits, add_trace, add_cache, add_keys, add_bench, add_synth, add_selftest}) {
    add(app);
  }
}

int run(int argc, char** argv) {
  CLI::App app("Hadal runs DeepSeek-V4 checkpoints on this machine.", "hadal");
  app.set_version_flag("--version", "hadal " HADAL_VERSION);
  app.require_subcommand(0, 1);
  app.footer("'hadal COMMAND --help' explains a command.");
  add_commands(app);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);
      return kBadUsage;
    }
    return 0;
  } catch (const CLI::Success& request) {  // --help and --version
    return app.exit(request);
  } catch (const CLI::Error& error) {
    return usage_error(app, error.what());
  } catch (const Error& error) {
    return complain(error.code() == ErrorCode::kInvalidInput ? kBadUsage : kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(kFailed, "out of memory: the machine refused an allocation");
  } catch (const std::exception& error) {
    if (std::ferror(stdout) != 0) return complain(kFailed, "standard output could not be written");
    return complain(kFailed, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  reserve_standard_descriptors();
  // `hadal generate ... | head -1` ends quietly with its reader, also under a parent that ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  return finish(run(argc, argv));
}
