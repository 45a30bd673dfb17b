// The body of POST /v1/messages as a conversation to be answered (api.md B9.1).
#pragma once

#include <vector>

#include "serve/anthropic/conversation.h"
#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {

struct MessageAsk {
  ChatAsk chat;
  std::vector<Conversation::Hidden> hidden;  // of chat.chat.messages
  bool show_thinking = true;  // otherwise the client wants to know that there was some, and its signature
};

// body: an object. strict_tools: as ChatRules has it.
Asked<MessageAsk> read_message_body(const BodyRules& rules, bool strict_tools, const JsonValue& body);

}  // namespace hadal::serve::anthropic
