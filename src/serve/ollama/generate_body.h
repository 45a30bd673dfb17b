// The body of POST /api/generate: one message, a prompt that is taken as it is, or a gap between two texts
// (api.md B11).
#pragma once

#include <string>

#include "serve/ollama/settings.h"

namespace hadal::serve::ollama {

struct GenerateAsk {
  enum class Form { kNothing, kMessage, kRaw, kGap };

  CommonAsk common;  // kMessage: with the conversation
  Form form = Form::kNothing;
  std::string prompt, suffix;  // kRaw, kGap
};

Asked<GenerateAsk> read_generate_body(const BodyRules& rules, const JsonValue& body);

}  // namespace hadal::serve::ollama
