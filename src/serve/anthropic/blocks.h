// The content blocks that say text, wherever they stand in an Anthropic body.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/json_fields.h"
#include "serve/api_error.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {

// An object with its `type`, and where it stands: "messages.0.content.1".
struct Block {
  std::string type;
  std::string where;
  const JsonValue* value = nullptr;

  Fields fields() const { return Fields(*value, where); }
};
Asked<Block> read_block(const JsonValue& value, std::string where);

// What the model is shown of a block that belongs to no role. Of one that it cannot read: that there was one.
// Error: an image.
Asked<std::string> text_of(const Block& block);

// A string, or blocks of text with an empty line between them.
Asked<std::string> read_text(const JsonValue& content, const std::string& where);

// A problem in the words of the original: "PLACE: WHAT".
tl::unexpected<ApiError> refuse_at(const std::string& where, std::string_view what);

}  // namespace hadal::serve::anthropic
