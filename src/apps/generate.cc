// hadal generate: one prompt, one answer.
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/answer.h"
#include "apps/answer_options.h"
#include "apps/commands.h"
#include "apps/generation.h"
#include "apps/terminal.h"
#include "assistant/answer_stream.h"
#include "base/error.h"

namespace hadal::apps {
namespace {

struct GenerateOptions : ModelOptions {
  GenerationOptions generation;
  EngineOptions engine;
  AnswerOptions answer;
  std::string prompt;
  std::vector<std::string> stop;
  bool raw = false, json = false, show_reasoning = false;
};

void print_json(const Message& message, Finish finish, const GenerationStats& stats, uint64_t seed,
                bool raw) {
  nlohmann::ordered_json out;
  if (raw) {
    out["text"] = message.content;
  } else {
    out["content"] = message.content;
    if (!message.reasoning_content.empty()) out["reasoning_content"] = message.reasoning_content;
  }
  for (const ToolCall& call : message.tool_calls)
    out["tool_calls"].push_back({{"name", call.name}, {"arguments", call.arguments}});
  out["finish_reason"] = finish_name(finish);
  out["seed"] = seed;
  out["usage"] = {{"prompt_tokens", stats.prompt_tokens},
                  {"cached_tokens", stats.reused_tokens},
                  {"completion_tokens", stats.generated_tokens}};
  out["seconds"] = {{"prefill", stats.prefill_seconds}, {"decode", stats.decode_seconds}};
  fmt::print("{}\n", out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

// One a line, behind the text.
void print_calls(const Message& message) {
  if (!message.content.empty() || message.tool_calls.empty()) fmt::print("\n");
  for (const ToolCall& call : message.tool_calls) fmt::print("{} {}\n", call.name, call.arguments);
}

void run(const GenerateOptions& options) {
  Generator generator(options, options.generation.prompt_generation, options.engine);
  const SamplingParams params = sampling_params(options.generation, generator.defaults());
  ParserOptions parser;
  ChatRequest request;
  AnswerRules rules = answer_rules(options.answer, request);
  parser.tools = !request.tools.empty();
  parser.stops = options.stop;
  TextModel::Prompt prompt;
  if (options.raw) {
    prompt = generator.text().plain_prompt(options.prompt);
  } else {
    set_thinking(request, options.generation.think);
    if (!options.generation.system.empty())
      request.messages.push_back(plain_message("system", options.generation.system));
    request.messages.push_back(plain_message("user", options.prompt));
    request.forced_tool = rules.calls == AnswerRules::Calls::kMust && request.mode == Mode::kChat;
    prompt = generator.prompt(request);
  }
  rules.start = parser.start = prompt.start;
  const auto constraint = make_constraint(options.answer, rules, generator.text());
  if (constraint) {  // markup is what the grammar has as markup
    using Content = AnswerRules::Content;
    parser.lenient = false;
    parser.exact_newlines = rules.content != Content::kText && rules.content != Content::kJson;
  }

  AnswerPrinter printer({!options.json, !options.json && options.show_reasoning, false});
  AnswerStream stream(generator.tokenizer(), parser, printer);
  const InterruptGuard interrupt;
  GenerationStats stats;
  Finish finish = generator.generate(
      prompt.ids, params, token_limit(options.generation, generator.defaults()),
      [&](int32_t id) { stream.push(id); }, [&] { return !interrupt.interrupted() && !stream.finished(); },
      stats, constraint);
  if (stream.finished()) finish = Finish::kStop;  // a stop string
  stream.finish(finish_cause(finish));
  if (options.json)
    print_json(printer.message(), finish, stats, params.seed, options.raw);
  else
    print_calls(printer.message());
  interrupt.check();
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App& command = *app.add_subcommand("generate", "one prompt, one answer on standard output");
  add_model_options(command, *options);
  add_generation_options(command, options->generation);
  add_engine_options(command, options->engine);
  command.add_option("--prompt", options->prompt, "the user's message, or with --raw the text to continue")
      ->required();
  command.add_option("--stop", options->stop, "end the answer before this text; may be given several times");
  add_answer_options(command, options->answer);
  command.add_flag("--raw", options->raw, "no chat format: continue the text after BOS")
      ->excludes("--system")
      ->excludes("--tools");
  command.add_flag("--show-reasoning", options->show_reasoning, "print the reasoning before the answer");
  command.add_flag("--json", options->json, "print one JSON object at the end");
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
