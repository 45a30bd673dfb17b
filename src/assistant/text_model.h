// A model together with what its text needs: tokenizer, prompt format, defaults, the ids that end an answer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/message.h"
#include "chat/parser.h"
#include "chat/prompt_item.h"
#include "chat/prompt_template.h"
#include "model/config.h"
#include "model/model.h"
#include "sample/grammar/token_trie.h"
#include "text/tokenizer.h"

namespace hadal {

// Immutable; safe from any thread.
class TextModel {
 public:
  // The model of this checkpoint folder. prompt_generation: by name; empty: as the folder says. Throws Error.
  TextModel(std::shared_ptr<const Model> model, const std::filesystem::path& folder,
            std::string_view prompt_generation = {});

  const std::shared_ptr<const Model>& model() const { return model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const GenerationConfig& defaults() const { return defaults_; }
  const PromptTemplate& style() const { return *template_; }
  // What ends an answer when it is sampled: EOS by config, and tokens that only a prompt may contain.
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  // TokenMask of the ids that have a token; null: all have.
  const std::shared_ptr<const std::vector<uint32_t>>& allowed() const { return allowed_; }

  // The same tokens for grammars. Made when it is first asked for, which takes a moment.
  const std::shared_ptr<const grammar::Vocabulary>& vocabulary() const;

  // A conversation as the model sees it, and where the parser of its answer starts.
  struct Prompt {
    std::vector<int32_t> ids;
    ParserStart start = ParserStart::kContent;
  };
  Result<Prompt> prompt(const ChatRequest& request) const;
  // The same before it is ids.
  Result<std::vector<PromptItem>> items(const ChatRequest& request) const;
  // Plain text after BOS.
  Prompt plain_prompt(std::string_view text) const;

 private:
  struct LateVocabulary {
    std::once_flag made;
    std::shared_ptr<const grammar::Vocabulary> value;
  };

  std::shared_ptr<const Model> model_;
  Tokenizer tokenizer_;
  GenerationConfig defaults_;
  const PromptTemplate* template_;
  std::vector<int32_t> end_ids_;
  std::shared_ptr<const std::vector<uint32_t>> allowed_;
  const std::shared_ptr<LateVocabulary> vocabulary_ = std::make_shared<LateVocabulary>();
};

}  // namespace hadal
