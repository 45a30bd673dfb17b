// hadal encode: chat messages to the prompt the model sees.
#include "chat/encode.h"

#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "apps/commands.h"
#include "base/error.h"
#include "chat/python_json.h"

namespace hadal::apps {
namespace {

struct EncodeArgs {
  bool jsonl = false;
  bool hosted = false;
  bool reference = false;
  std::string generation = "v4-preview";
  std::string effort_map = "official";
};

std::string encode_one(const std::string& text, const EncodeArgs& args, const std::string& where) {
  const auto map = args.effort_map == "preview" ? EffortMap::kPreview : EffortMap::kOfficial;
  const EncodeOptions options{args.hosted ? Dialect::kHosted : Dialect::kReference};
  const Result<ChatRequest> request = chat_request_from_json(text, map);
  if (!request) fail(ErrorCode::kInvalidFile, "{}{}", where, request.error().to_string());
  const auto items = encode_chat(*request, prompt_template(*generation_from_name(args.generation)), options);
  if (!items) fail(ErrorCode::kInvalidFile, "{}{}", where, items.error().to_string());
  return render_flat(*items);
}

void run_encode(const EncodeArgs& args) {
  std::string text;
  if (!args.jsonl) {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    std::cout << encode_one(text, args, "");
    return;
  }
  for (size_t line = 1; std::getline(std::cin, text); ++line)
    std::cout << json_quoted(encode_one(text, args, fmt::format("line {}: ", line))) << '\n';
}

}  // namespace

void add_encode(CLI::App& app) {
  auto args = std::make_shared<EncodeArgs>();
  CLI::App* command =
      app.add_subcommand("encode", "Turn chat messages into the prompt of a DeepSeek-V4 model");
  command->footer(
      "Reads from standard input one JSON object {messages, tools, mode, reasoning_effort, response_format,\n"
      "drop_thinking, continue_last, forced_tool}, or an array of messages; mode is \"chat\" or \"thinking\" "
      "(the\n"
      "default). Prints the prompt with special tokens spelled out. The default form is that of the "
      "published\n"
      "encoder, for comparison; --hosted is the form hadal runs models with. They differ in unusual "
      "requests:\n"
      "tools without a system message, tools with other keys than name, description and parameters, calls "
      "with\n"
      "empty arguments, system messages in the middle, two assistant messages in a row, a conversation that "
      "begins\n"
      "with the assistant or has no user message at its end.");
  command->add_flag("--jsonl", args->jsonl, "one request a line; prints one JSON string a line");
  command->add_option("--generation", args->generation, "prompt generation: v4-preview or v4-official")
      ->capture_default_str()
      ->check(CLI::IsMember({"v4-preview", "v4-official"}));
  auto* hosted = command->add_flag("--hosted", args->hosted, "the form DeepSeek's API renders");
  command->add_flag("--reference", args->reference, "the form of the published encoder (default)")
      ->excludes(hosted);
  command
      ->add_option("--effort-map", args->effort_map,
                   "what effort names mean: official (medium and xhigh are high) or preview (low is high, "
                   "xhigh is max)")
      ->capture_default_str()
      ->check(CLI::IsMember({"official", "preview"}));
  command->callback([args] { run_encode(*args); });
}

}  // namespace hadal::apps
