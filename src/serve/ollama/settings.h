// What the bodies of Ollama's chat and generate have in common (api.md B11).
#pragma once

#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve::ollama {

struct CommonAsk {
  ChatAsk chat;
  bool unload = false;  // keep_alive is zero: where nothing is asked, the model may go
};

// model, options, think, format, stream, keep_alive, logprobs. body: an object.
Asked<CommonAsk> read_common(const BodyRules& rules, const JsonValue& body);

// Error: there are pictures in it. where: of the object, or empty.
Asked<void> refuse_images(const JsonValue& object, const std::string& where);

}  // namespace hadal::serve::ollama
