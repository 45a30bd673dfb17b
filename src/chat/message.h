// What a client asks for, before it is a prompt: messages, tools and the settings that change the text
// (api.md A3-A5). Plain data; the JSON parts are kept as text so that nothing of their spelling is lost.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hadal {

struct JsonValue;

enum class Mode { kChat, kThinking };

// kNone: the request names no effort, no effort text is rendered. What an API puts in its place is its own
// rule.
enum class Effort { kNone, kLow, kHigh, kMax };

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text as given; anything that is not an object is shown to the model as it is
};

struct Message {
  std::string role;  // system, user, assistant, tool, developer or latest_reminder
  std::string content;
  std::string reasoning_content;     // assistant
  std::vector<ToolCall> tool_calls;  // assistant
  std::string tool_call_id;          // tool: the call this is the result of
  std::string task;                  // quick-instruction task (A11), or empty
  bool prefix = false;               // assistant, last message: the model continues this text (A12)
  std::vector<std::string>
      tools;                    // system, developer: tool definitions that come with this message, JSON each
  std::string response_format;  // system, developer: JSON, or empty
};

struct ChatRequest {
  std::vector<Message> messages;
  std::vector<std::string>
      tools;  // {"type": "function", "function": {...}} or the function object alone, JSON each
  std::string response_format;  // the JSON value to show to the model (A10), or empty
  Mode mode = Mode::kThinking;
  Effort effort = Effort::kNone;
  bool drop_thinking = true;   // without tools, reasoning before the last user message is not rendered (A6)
  bool continue_last = false;  // as prefix on the last message
  bool forced_tool = false;    // the prompt ends inside an opened tool block (A13)
};

// Which level an effort name means: the levels of the official models, or those that the hosted preview used
// (B3.3).
enum class EffortMap { kOfficial, kPreview };
std::optional<Effort> effort_from_name(std::string_view name, EffortMap map = EffortMap::kOfficial);

// Reads {messages, tools?, mode?, reasoning_effort?, response_format?, drop_thinking?, continue_last?,
// forced_tool?}; an array alone is the messages. Unknown fields are ignored, null is absent. Problem: the
// path of the field
// ("messages[2].content") and what was expected there.
Result<ChatRequest> chat_request_from_json(std::string_view json, EffortMap map = EffortMap::kOfficial);
Result<ChatRequest> chat_request_from_value(const JsonValue& value, EffortMap map = EffortMap::kOfficial);

}  // namespace hadal
