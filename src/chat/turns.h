// The conversation as the renderer wants it: messages after the rules of api.md A3 and A9 and the dropping of
// A6.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "chat/encode.h"
#include "chat/message.h"

namespace hadal {

enum class TurnKind { kSystem, kUser, kDeveloper, kLatestReminder, kAssistant };

struct Turn {
  TurnKind kind = TurnKind::kUser;
  std::string text;
  std::string reasoning;             // kAssistant
  std::vector<ToolCall> tool_calls;  // kAssistant
  std::string task;                  // or empty
  std::vector<std::string> tools;    // kSystem, kDeveloper: definitions rendered with the text
  std::vector<std::string> formats;  // kSystem, kDeveloper: response formats rendered with the text
  bool continued = false;            // the last assistant turn, without its end
};

struct Conversation {
  std::vector<Turn> turns;
  bool any_tools = false;
  bool drop_reasoning = false;  // D of A4: reasoning before the last user turn is not rendered
  int last_user = -1;           // L of A4: index of the last user or developer turn
};

Result<Conversation> make_conversation(const ChatRequest& request, const PromptTemplate& style,
                                       Dialect dialect);

}  // namespace hadal
