// The Response object and its output items (api.md B10.2).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "serve/answer_writer.h"
#include "serve/ids.h"
#include "serve/json_out.h"
#include "serve/openai/response_tools.h"

namespace hadal::serve::responses {

// What an answer says of its request, whatever becomes of it.
struct ResponseHead {
  std::string id;  // 32 hexadecimal digits or more, without "resp_"
  int64_t created = 0;
  std::string model;
  std::string effort = "high";
  std::optional<int64_t> max_output_tokens;
  float temperature = 1, top_p = 1;
  std::string instructions = "null", metadata = "{}", tool_choice = "\"auto\"",
              text_format = R"({"type":"text"})";  // JSON
};

enum class Status { kInProgress, kCompleted, kIncomplete, kFailed };
std::string_view status_name(Status status);

// An item of the output.
struct Item {
  enum class Kind { kReasoning, kMessage, kFunction, kCustom };
  Kind kind = Kind::kMessage;
  std::string id;
  Status status = Status::kInProgress;
  std::string text;        // reasoning, message; the arguments or the input of a call
  std::string logprobs;    // entries of a message, with commas between them
  std::string_view phase;  // of a message, when it is known
  std::string handle;      // reasoning, where the client wants it
  std::string call_id;
  ToolName tool;
};

// The item as it is, or before anything has come of it.
void write_item(JsonOut& json, const Item& item, bool empty = false);
// The part that the text of a reasoning or message item is in.
void write_part(JsonOut& json, const Item& item, bool empty = false);

struct ResponseState {
  Status status = Status::kInProgress;
  std::string error_code, error_message;  // kFailed
  std::optional<int64_t> completed;       // Unix seconds
  std::optional<TokenUsage> usage;
  std::string output;  // items as JSON, with commas between them
};
void write_response(JsonOut& json, const ResponseHead& head, const ResponseState& state);

}  // namespace hadal::serve::responses
