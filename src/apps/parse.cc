// hadal parse: a completion to the message it means.
#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "apps/commands.h"
#include "base/error.h"
#include "chat/collect.h"
#include "chat/python_json.h"
#include "text/json_value.h"

namespace hadal::apps {
namespace {

struct ParseArgs {
  bool jsonl = false;
  bool hosted = false;
  bool reference = false;
  bool no_tools = false;
  int64_t fragment = 0;
  std::string mode = "chat";
  std::vector<std::string> stops;
};

// The message as one JSON object; the hosted form also says why it ended.
std::string message_json(const ParsedMessage& message, bool hosted) {
  std::string calls;
  for (const ParsedCall& call : message.calls) {
    if (!calls.empty()) calls.append(", ");
    const std::string arguments = hosted ? without_repeated_keys(call.arguments) : call.arguments;
    calls.append(fmt::format("{{\"type\": \"function\", \"function\": {{\"name\": {}, \"arguments\": {}}}}}",
                             json_quoted(call.name), json_quoted(arguments)));
  }
  const std::string finish =
      hosted ? fmt::format(", \"finish_reason\": \"{}\"", finish_reason_name(message.reason)) : "";
  return fmt::format(
      "{{\"role\": \"assistant\", \"content\": {}, \"reasoning_content\": {}, \"tool_calls\": [{}]{}}}",
      json_quoted(message.content), json_quoted(message.reasoning), calls, finish);
}

std::string parse_one(const std::string& completion, const std::string& mode, const ParseArgs& args) {
  ParserOptions options;
  options.start = mode == "thinking" ? ParserStart::kReasoning : ParserStart::kContent;
  options.tools = !args.no_tools;
  options.lenient = options.whole_values = args.hosted;
  options.exact_newlines = !args.hosted;
  options.stops = args.stops;
  ChatParser parser(std::move(options));
  CollectingSink sink;
  push_flat(parser, completion, static_cast<size_t>(args.fragment), sink);
  parser.finish(FinishCause::kLength, sink);  // without an end-of-sentence token the answer was cut off
  return message_json(sink.message, args.hosted);
}

std::string parse_line(const std::string& text, size_t line, const ParseArgs& args) {
  const Result<JsonValue> object = parse_json(text);
  if (!object) fail(ErrorCode::kInvalidFile, "line {}: {}", line, object.error().to_string());
  const JsonValue* completion = object->find("completion");
  if (completion == nullptr || !completion->is_string())
    fail(ErrorCode::kInvalidFile, "line {}: completion: expected a string", line);
  const JsonValue* mode = object->find("mode");
  if (mode != nullptr && mode->text != "chat" && mode->text != "thinking")
    fail(ErrorCode::kInvalidFile, "line {}: mode: expected \"chat\" or \"thinking\"", line);
  return parse_one(completion->text, mode == nullptr ? args.mode : mode->text, args);
}

void run_parse(const ParseArgs& args) {
  std::string text;
  if (!args.jsonl) {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    std::cout << parse_one(text, args.mode, args) << '\n';
    return;
  }
  for (size_t line = 1; std::getline(std::cin, text); ++line)
    std::cout << parse_line(text, line, args) << '\n';
}

}  // namespace

void add_parse(CLI::App& app) {
  auto args = std::make_shared<ParseArgs>();
  CLI::App* command = app.add_subcommand("parse", "Turn a completion of a DeepSeek-V4 model into a message");
  command->footer(
      "Reads a completion from standard input, with special tokens such as </think> spelled out, and prints\n"
      "{role, content, reasoning_content, tool_calls}. The default form keeps every newline as the published "
      "parser\n"
      "does and repairs nothing; --hosted is what hadal makes of an answer: newlines around reasoning and "
      "tool\n"
      "blocks are dropped, malformed tool calls are accepted where their meaning is clear, and finish_reason "
      "is added.");
  command->add_flag("--jsonl", args->jsonl,
                    "one {\"completion\", \"mode\"} a line; prints one object a line");
  command
      ->add_option("--fragment", args->fragment, "feed the parser this many bytes at a time; 0: all at once")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}));
  command->add_option("--mode", args->mode, "where the prompt ended: chat (content) or thinking (reasoning)")
      ->capture_default_str()
      ->check(CLI::IsMember({"chat", "thinking"}));
  command->add_option("--stop", args->stops, "a stop string; may be given more than once");
  command->add_flag("--no-tools", args->no_tools, "the request had no tools: markup is content");
  auto* hosted = command->add_flag("--hosted", args->hosted, "what hadal makes of an answer");
  command->add_flag("--reference", args->reference, "as the published parser (default)")->excludes(hosted);
  command->callback([args] { run_parse(*args); });
}

}  // namespace hadal::apps
