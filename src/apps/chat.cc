// hadal chat: a conversation in the terminal; with standard input not a terminal, one message from it and the
// answer.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>

#include "apps/answer.h"
#include "apps/commands.h"
#include "apps/generation.h"
#include "apps/line_editor.h"
#include "apps/terminal.h"
#include "assistant/answer_stream.h"
#include "base/error.h"

namespace hadal::apps {
namespace {

struct ChatOptions : ModelOptions {
  GenerationOptions generation;
  EngineOptions engine;
  bool show_reasoning = false, no_history = false;
};

constexpr std::string_view kHelp =
    "/think off|low|high|max   reasoning before the answer\n"
    "/system TEXT              set the system message (none: remove it); starts over\n"
    "/reset                    forget the conversation\n"
    "/stats                    tokens, speed and memory of the last answer\n"
    "/help                     this list\n"
    "/exit                     leave (so does Ctrl-D)\n"
    "A line that ends in a backslash goes on in the next. Ctrl-C stops an answer.\n";

class Conversation {
 public:
  explicit Conversation(const ChatOptions& options)
      : options_(options),
        generator_(options, options.generation.prompt_generation, options.engine),
        params_(sampling_params(options.generation, generator_.defaults())) {
    set_thinking(request_, options.generation.think);
    reset(options.generation.system);
  }

  // Prints the answer to one message. Returns false when it was interrupted.
  bool answer(const std::string& text, AnswerPrinter::Options printing) {
    InterruptGuard interrupt;
    stats_ = {};
    ChatRequest asked = request_;  // the conversation stays as it was if anything fails
    asked.messages.push_back(plain_message("user", text));
    const TextModel::Prompt prompt = generator_.prompt(asked);
    AnswerPrinter printer(printing);
    ParserOptions parser;
    parser.tools = false;
    parser.start = prompt.start;
    AnswerStream stream(generator_.tokenizer(), parser, printer);
    const Finish finish = generator_.generate(
        prompt.ids, params_, token_limit(options_.generation, generator_.defaults()),
        [&](int32_t id) { stream.push(id); }, [&] { return !interrupt.interrupted(); }, stats_);
    stream.finish(finish_cause(finish));
    // What was said stays said, also after Ctrl-C; an interrupt before the first word takes the question
    // back.
    if (stats_.generated_tokens > 0 || finish != Finish::kInterrupted) {
      Message message = printer.message();
      message.role = "assistant";
      asked.messages.push_back(std::move(message));
      request_ = std::move(asked);
    }
    return finish != Finish::kInterrupted;
  }

  void reset(const std::string& system) {
    request_.messages.clear();
    if (!system.empty()) request_.messages.push_back(plain_message("system", system));
    system_ = system;
  }

  // A line that begins with a slash. Returns false to leave.
  bool command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const size_t from = line.find_first_not_of(' ', space == std::string::npos ? line.size() : space);
    const std::string argument = from == std::string::npos ? "" : line.substr(from);
    if (name == "/exit" || name == "/quit") return false;
    if (name == "/help") {
      fmt::print("{}", kHelp);
    } else if (name == "/reset") {
      reset(system_);
      fmt::print("The conversation is forgotten.\n");
    } else if (name == "/system") {
      reset(argument);
      fmt::print("{}\n", argument.empty() ? "No system message." : "System message set.");
    } else if (name == "/think") {
      if (set_thinking(request_, argument))
        fmt::print("Thinking: {}.\n", argument);
      else
        fmt::print("/think takes off, low, high or max.\n");
    } else if (name == "/stats") {
      print_stats();
    } else {
      fmt::print("{} is no command; /help lists them.\n", name);
    }
    return true;
  }

  const Config& config() const { return generator_.model().config(); }

 private:
  void print_stats() {
    const auto rate = [](int64_t tokens, double seconds) {
      return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
    };
    const int64_t computed = stats_.prompt_tokens - stats_.reused_tokens;
    fmt::print("prompt   {} tokens, {} of them reused; {:.2f} s, {:.1f} tokens/s\n", stats_.prompt_tokens,
               stats_.reused_tokens, stats_.prefill_seconds, rate(computed, stats_.prefill_seconds));
    fmt::print("answer   {} tokens; {:.2f} s, {:.1f} tokens/s\n", stats_.generated_tokens,
               stats_.decode_seconds, rate(stats_.generated_tokens, stats_.decode_seconds));
    const int64_t context = stats_.prompt_tokens + stats_.generated_tokens;
    fmt::print("context  {} of {} tokens; state {:.1f} MiB\n", context, config().max_position_embeddings,
               static_cast<double>(generator_.model().state_layout().bytes(context)) / (1 << 20));
    fmt::print("seed     {}\n", params_.seed);
  }

  const ChatOptions& options_;
  Generator generator_;
  SamplingParams params_;
  ChatRequest request_;
  std::string system_;
  GenerationStats stats_;
};

std::filesystem::path history_file() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
    return std::filesystem::path(state) / "hadal" / "chat_history";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".local" / "state" / "hadal" / "chat_history";
  return {};
}

std::string trimmed(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t\r\n"), to = text.find_last_not_of(" \t\r\n");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

void one_message(const ChatOptions& options) {
  const std::string text =
      trimmed(std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()));
  if (text.empty()) fail(ErrorCode::kInvalidInput, "standard input is empty: expected one message to answer");
  Conversation conversation(options);
  const bool whole = conversation.answer(text, {true, options.show_reasoning, false});
  fmt::print("\n");
  if (!whole) fail(ErrorCode::kCancelled, "interrupted");
}

void converse(const ChatOptions& options) {
  Conversation conversation(options);
  const bool colour = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  fmt::print("{}: {} layers, {} numerics. /help lists the commands, Ctrl-D leaves.\n", options.model,
             conversation.config().num_hidden_layers, options.numerics);
  std::signal(SIGINT, SIG_IGN);  // between an answer and the next prompt; both have their own way with Ctrl-C
  LineEditor editor(options.no_history ? std::filesystem::path() : history_file());
  while (const std::optional<std::string> line = editor.read("> ")) {
    const std::string text = trimmed(*line);
    if (text.empty()) continue;
    if (text.front() == '/') {
      if (!conversation.command(text)) return;
      continue;
    }
    try {
      const bool whole = conversation.answer(text, {true, true, colour});
      fmt::print("{}\n\n", whole ? "" : " [stopped]");
    } catch (const Error& error) {
      fmt::print("\nhadal: {}\n", error.what());
    }
  }
  fmt::print("\n");
}

void run(const ChatOptions& options) {
  if (isatty(STDIN_FILENO) == 1)
    converse(options);
  else
    one_message(options);
}

}  // namespace

void add_chat(CLI::App& app) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App& command =
      *app.add_subcommand("chat", "talk with a model; from a pipe, answer the one message on it");
  add_model_options(command, *options);
  add_generation_options(command, options->generation);
  add_engine_options(command, options->engine);
  command.add_flag("--show-reasoning", options->show_reasoning,
                   "print the reasoning too when reading from a pipe");
  command.add_flag("--no-history", options->no_history, "keep no history of what was typed");
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
