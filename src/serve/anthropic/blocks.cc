#include "serve/anthropic/blocks.h"

#include <fmt/format.h>

#include <utility>

namespace hadal::serve::anthropic {

tl::unexpected<ApiError> refuse_at(const std::string& where, std::string_view what) {
  return refuse(fmt::format("{}: {}", where, what), where);
}

Asked<Block> read_block(const JsonValue& value, std::string where) {
  if (!value.is_object()) return refuse_at(where, "expected a content block, which is an object");
  const JsonValue* type = value.find("type");
  if (type == nullptr || !type->is_string()) return refuse_at(where + ".type", "expected a string");
  return Block{type->text, std::move(where), &value};
}

Asked<std::string> text_of(const Block& block) {
  const auto member = [&](const char* name) -> Asked<std::string> {
    const JsonValue* value = block.value->find(name);
    if (value == nullptr || !value->is_string())
      return refuse_at(fmt::format("{}.{}", block.where, name), "expected a string");
    return value->text;
  };
  if (block.type == "text") return member("text");
  if (block.type == "tool_reference") return member("tool_name");
  if (block.type == "image") return refuse("This model does not support image", block.where);
  if (block.type == "document" || block.type == "search_result") return "[Unsupported Document]";
  return fmt::format("[Unsupported {}]", block.type);
}

Asked<std::string> read_text(const JsonValue& content, const std::string& where) {
  if (content.is_string()) return content.text;
  if (!content.is_array()) return refuse_at(where, "expected a string or an array of content blocks");
  std::string text;
  for (size_t i = 0; i < content.items.size(); ++i) {
    const auto block = read_block(content.items[i], fmt::format("{}.{}", where, i));
    if (!block) return tl::make_unexpected(block.error());
    const auto more = text_of(*block);
    if (!more) return more;
    if (i > 0) text += "\n\n";
    text += *more;
  }
  return text;
}

}  // namespace hadal::serve::anthropic
