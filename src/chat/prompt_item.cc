#include "chat/prompt_item.h"

#include <algorithm>

namespace hadal {

std::string render_flat(const std::vector<PromptItem>& items) {
  std::string out;
  for (const PromptItem& item : items) out.append(item.text);
  return out;
}

void PromptWriter::text(std::string_view bytes) {
  if (bytes.empty()) return;
  if (items_.empty() || items_.back().special)
    items_.push_back({false, std::string(bytes)});
  else
    items_.back().text.append(bytes);
}

void PromptWriter::special(std::string_view literal) {
  items_.push_back({true, std::string(literal)});
}

void PromptWriter::markup(std::string_view trusted, std::span<const std::string_view> literals) {
  while (!trusted.empty()) {
    size_t first = std::string_view::npos;
    std::string_view found;
    for (const std::string_view literal : literals) {
      const size_t at = trusted.find(literal);
      if (at < first) first = at, found = literal;
    }
    text(trusted.substr(0, first));
    if (found.empty()) return;
    special(found);
    trusted.remove_prefix(first + found.size());
  }
}

void PromptWriter::append(const std::vector<PromptItem>& items) {
  for (const PromptItem& item : items) item.special ? special(item.text) : text(item.text);
}

}  // namespace hadal
