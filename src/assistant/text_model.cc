#include "assistant/text_model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "chat/encode.h"
#include "chat/special_tokens.h"

namespace hadal {

TextModel::TextModel(std::shared_ptr<const Model> model, const std::filesystem::path& folder,
                     std::string_view prompt_generation)
    : model_(std::move(model)),
      tokenizer_(Tokenizer::load(folder)),
      defaults_(GenerationConfig::load(folder)) {
  const int64_t vocab = model_->config().vocab_size;
  if (tokenizer_.vocab_size() > vocab)
    fail(ErrorCode::kInvalidFile, "{}: the tokenizer has {} tokens and the model's vocabulary {}",
         folder.string(), tokenizer_.vocab_size(), vocab);
  std::optional<PromptGeneration> generation = generation_from_name(prompt_generation);
  if (!generation) generation = generation_from_name(defaults_.prompt_generation);
  template_ = &prompt_template(generation ? *generation : detect_generation(folder));

  const std::vector<int64_t>& eos =
      defaults_.eos_token_ids.empty() ? model_->config().eos_token_ids : defaults_.eos_token_ids;
  // Rows of the embedding beyond the tokenizer, and holes in it, are never sampled: they have no text.
  auto allowed = std::make_shared<std::vector<uint32_t>>(static_cast<size_t>((vocab + 31) / 32));
  bool holes = false;
  for (int32_t id = 0; id < vocab; ++id) {
    if (std::count(eos.begin(), eos.end(), id) > 0 ||
        (tokenizer_.is_added(id) && special::ends_turn(tokenizer_.token_bytes(id))))
      end_ids_.push_back(id);
    if (tokenizer_.has_token(id))
      (*allowed)[static_cast<size_t>(id / 32)] |= 1u << (id % 32);
    else
      holes = true;
  }
  if (holes) allowed_ = std::move(allowed);
}

const std::shared_ptr<const grammar::Vocabulary>& TextModel::vocabulary() const {
  std::call_once(vocabulary_->made, [&] {
    vocabulary_->value = std::make_shared<const grammar::Vocabulary>(
        tokenizer_, static_cast<int32_t>(model_->config().vocab_size));
  });
  return vocabulary_->value;
}

Result<std::vector<PromptItem>> TextModel::items(const ChatRequest& request) const {
  return encode_chat(request, *template_);
}

Result<TextModel::Prompt> TextModel::prompt(const ChatRequest& request) const {
  const auto items = this->items(request);
  if (!items) return tl::make_unexpected(items.error());
  auto ids = prompt_ids(*items, tokenizer_);
  if (!ids) return tl::make_unexpected(ids.error());
  return Prompt{std::move(*ids), parser_start(*items)};
}

TextModel::Prompt TextModel::plain_prompt(std::string_view text) const {
  Prompt prompt{tokenizer_.encode(text), ParserStart::kContentContinued};
  prompt.ids.insert(prompt.ids.begin(), static_cast<int32_t>(model_->config().bos_token_id));
  return prompt;
}

}  // namespace hadal
