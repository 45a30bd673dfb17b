// A body of POST /responses (api.md B10.1).
#pragma once

#include <string>
#include <vector>

#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "serve/openai/response_input.h"
#include "serve/openai/response_tools.h"

namespace hadal::serve::responses {

struct ResponseAsk {
  ChatAsk chat;  // its reasoning is not complete while `hidden` has entries
  std::vector<Conversation::Hidden> hidden;
  Tools tools;
  bool encrypted_reasoning = false;  // the client wants a name for the reasoning, to give it back by
  // What the answer repeats, as JSON.
  std::string instructions = "null";
  std::string metadata = "{}";
  std::string tool_choice = "\"auto\"";
  std::string text_format = R"({"type":"text"})";
};

Asked<ResponseAsk> read_response_body(const BodyRules& rules, const JsonValue& body);

}  // namespace hadal::serve::responses
