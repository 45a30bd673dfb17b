#include "text/detokenizer.h"

#include "text/utf8.h"

namespace hadal {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::push(int32_t id) {
  const std::string_view token = tokenizer_.token_bytes(id);
  if (skip_special_ && tokenizer_.is_special(id)) return {};
  held_ += token;
  std::string out;
  held_.erase(0, utf8_append_lossy(out, held_, true));
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  utf8_append_lossy(out, held_, false);
  held_.clear();
  return out;
}

}  // namespace hadal
