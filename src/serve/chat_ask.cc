#include "serve/chat_ask.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "serve/strict_schema.h"
#include "text/json_value.h"

namespace hadal::serve {
namespace {

uint64_t random_seed() {
  uint64_t seed = 0;
  HADAL_CHECK(::getentropy(&seed, sizeof seed) == 0);
  return seed;
}

}  // namespace

Asked<void> resolve_thinking(ChatAsk& ask, const ChatRules& rules) {
  std::optional<Effort> effort;
  if (!ask.effort.empty()) {
    effort = effort_from_name(ask.effort, rules.preview_efforts ? EffortMap::kPreview : EffortMap::kOfficial);
    if (!effort)
      return refuse(fmt::format("Invalid reasoning_effort '{}': expected one of none, minimal, low, medium, "
                                "high, xhigh, ultra, max",
                                ask.effort),
                    "reasoning_effort");
  }
  bool on = ask.model.thinking.value_or(true);
  if (effort) on = *effort != Effort::kNone;
  if (ask.thinking) on = *ask.thinking;
  if (ask.must_call) {
    if (ask.thinking == true) return refuse("Thinking mode does not support this tool_choice", "tool_choice");
    on = false;
    ask.chat.forced_tool = true;
  }
  ask.chat.mode = on ? Mode::kThinking : Mode::kChat;
  ask.chat.effort = !on ? Effort::kNone : effort && *effort != Effort::kNone ? *effort : Effort::kHigh;
  return {};
}

Asked<void> pair_tool_results(std::vector<Message>& messages, const ChatRules& rules) {
  std::vector<Message> paired;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == "tool")  // those after their calls are taken below
      return refuse(fmt::format("Messages with role 'tool' must be a response to a preceding message with "
                                "'tool_calls' (messages[{}])",
                                i),
                    "messages");
    paired.push_back(std::move(messages[i]));
    const std::vector<ToolCall> calls = paired.back().tool_calls;
    if (calls.empty()) continue;
    std::set<std::string> wanted, answered;
    for (const ToolCall& call : calls)
      if (!wanted.insert(call.id).second)
        return refuse(fmt::format("Duplicate value for 'tool_call_id' of {} in message[{}]", call.id, i),
                      "messages");
    while (i + 1 < messages.size() && messages[i + 1].role == "tool") {
      const std::string& id = messages[++i].tool_call_id;
      if (!wanted.contains(id))
        return refuse(fmt::format("An assistant message with 'tool_calls' must be followed by tool messages "
                                  "responding to each 'tool_call_id'. Unexpected tool_call_id: {}",
                                  id),
                      "messages");
      if (!answered.insert(id).second)
        return refuse(fmt::format("Duplicate value for 'tool_call_id' of {} in message[{}]", id, i),
                      "messages");
      paired.push_back(std::move(messages[i]));
    }
    const bool unfinished_turn = paired.back().role == "assistant" && i + 1 == messages.size();
    for (const ToolCall& call : calls) {
      if (answered.contains(call.id) || (unfinished_turn && paired.back().prefix)) continue;
      if (rules.strict_tools)
        return refuse(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. (insufficient tool messages following tool_calls message)",
            "messages");
      Message empty;
      empty.role = "tool";
      empty.tool_call_id = call.id;
      paired.push_back(std::move(empty));
    }
  }
  messages = std::move(paired);
  return {};
}

Asked<void> check_reasoning(const ChatRequest& chat, const ChatRules& rules) {
  if (!rules.require_reasoning || chat.mode != Mode::kThinking || chat.tools.empty()) return {};
  for (const Message& message : chat.messages)
    if (!message.tool_calls.empty() && message.reasoning_content.empty())
      return refuse("The `reasoning_content` in the thinking mode must be passed back to the API.",
                    "messages");
  return {};
}

AnswerRules answer_rules(const ChatAsk& ask, const ChatRules& rules, ParserStart start) {
  using Fit = AnswerRules::Fit;
  AnswerRules out = ask.answer;
  out.start = start;
  out.style = rules.json;
  if (ask.chat.tools.empty()) return out;
  out.calls = ask.must_call ? AnswerRules::Calls::kMust : AnswerRules::Calls::kMay;
  // Any call is as good as another.
  if (!ask.must_call && ask.strict.empty() && out.content == AnswerRules::Content::kText) return ask.answer;
  for (const std::string& text : ask.chat.tools) {
    const Result<JsonValue> parsed = parse_json(text);
    if (!parsed) continue;  // the prompt has not been made of it either
    const JsonValue* wrapped = parsed->find("function");
    const JsonValue& function = wrapped != nullptr ? *wrapped : *parsed;
    const JsonValue* name = function.find("name");
    if (name == nullptr) continue;
    AnswerRules::Tool& tool = out.tools.emplace_back();
    tool.name = name->text;
    tool.fit = std::ranges::count(ask.strict, tool.name) > 0 ? Fit::kMust
               : ask.must_call                               ? Fit::kIfPossible
                                                             : Fit::kNot;
    if (tool.fit == Fit::kNot) continue;
    const JsonValue* parameters = function.find("parameters");
    if (parameters == nullptr || (parameters->is_object() && parameters->keys.empty())) {
      tool.parameters = object_schema();  // none, or an empty one: it takes nothing
      tool.parameters.keys.emplace_back("properties");
      tool.parameters.items.emplace_back().kind = JsonValue::Kind::kObject;
    } else {
      tool.parameters = *parameters;
    }
    tool.parameters = closed_schema(std::move(tool.parameters));
  }
  return out;
}

Asked<Ask> settings_of(const ChatAsk& ask, const ChatRules& rules) {
  Ask out;
  out.n = ask.n;
  out.top_logprobs = ask.top_logprobs;
  SamplingParams& sampling = out.sampling = rules.sampling;
  const bool thinking = ask.chat.mode == Mode::kThinking;
  if (!thinking || rules.client_sampling_in_thinking) {
    sampling.temperature = ask.temperature.value_or(sampling.temperature);
    sampling.top_p = ask.top_p.value_or(sampling.top_p);
  }
  if (!thinking) {  // the hosted API's penalties have no effect; OpenAI's do
    sampling.presence_penalty = ask.presence_penalty.value_or(sampling.presence_penalty);
    sampling.frequency_penalty = ask.frequency_penalty.value_or(sampling.frequency_penalty);
  }
  sampling.min_p = ask.min_p.value_or(sampling.min_p);
  sampling.top_k = ask.top_k.value_or(sampling.top_k);
  sampling.repetition_penalty = ask.repetition_penalty.value_or(sampling.repetition_penalty);
  const std::optional<uint64_t> seed = ask.seed ? ask.seed : rules.seed;
  sampling.seed = seed ? *seed : random_seed();
  out.parser.stops = ask.stops;
  return out;
}

Asked<int64_t> token_budget(int64_t prompt_tokens, std::optional<int64_t> asked, int64_t by_default,
                            int64_t context_tokens) {
  if (prompt_tokens >= context_tokens)
    return tl::make_unexpected(ApiError{
        .message =
            fmt::format("This model's maximum context length is {} tokens. However, you requested {} "
                        "tokens ({} in the messages, {} in the completion). Please reduce the length "
                        "of the messages or completion.",
                        context_tokens, prompt_tokens + asked.value_or(1), prompt_tokens, asked.value_or(1)),
        .code = "context_length_exceeded",
        .param = "messages",
        .n_prompt_tokens = prompt_tokens,
        .n_ctx = context_tokens});
  return std::min({asked.value_or(by_default), kMostAnswerTokens, context_tokens - prompt_tokens});
}

}  // namespace hadal::serve
