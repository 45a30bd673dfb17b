// A prompt before it is token ids: runs of text and special tokens, kept apart so that client text can never
// be taken for structure (api.md A4, A15).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

struct PromptItem {
  bool special = false;  // text is the literal of one added token, such as "<｜User｜>"
  std::string text;
  bool operator==(const PromptItem&) const = default;
};

// The prompt as one text, every special token spelled out. For people and comparisons; never tokenise it.
std::string render_flat(const std::vector<PromptItem>& items);

// Collects items. Adjacent texts become one item, because the tokenizer merges across their seam.
class PromptWriter {
 public:
  void text(std::string_view bytes);
  void special(std::string_view literal);
  // Trusted text of the template: the given literals inside it are special tokens, the rest is text.
  void markup(std::string_view trusted, std::span<const std::string_view> literals);
  void append(const std::vector<PromptItem>& items);
  bool empty() const { return items_.empty(); }
  std::vector<PromptItem> take() { return std::move(items_); }

 private:
  std::vector<PromptItem> items_;
};

}  // namespace hadal
