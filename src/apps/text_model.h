// A model together with what its text needs: tokenizer, prompt format, defaults, the ids that end an answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/model_options.h"
#include "base/result.h"
#include "chat/message.h"
#include "chat/parser.h"
#include "chat/prompt_template.h"
#include "model/config.h"
#include "text/tokenizer.h"

namespace hadal::apps {

// Immutable but for the backend.
class TextModel {
 public:
  // prompt_generation: by name; empty: as the folder says. Throws Error.
  TextModel(const ModelOptions& options, const std::string& prompt_generation);

  const std::shared_ptr<const Model>& model() const { return open_.model; }
  Ops& ops() const { return *open_.ops; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const GenerationConfig& defaults() const { return defaults_; }
  const PromptTemplate& style() const { return *template_; }
  // What ends an answer when it is sampled: EOS by config, and tokens that only a prompt may contain.
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  // TokenMask of the ids that have a token; null: all have.
  const std::shared_ptr<const std::vector<uint32_t>>& allowed() const { return allowed_; }

  // A conversation as the model sees it, and where the parser of its answer starts.
  struct Prompt {
    std::vector<int32_t> ids;
    ParserStart start = ParserStart::kContent;
  };
  Result<Prompt> prompt(const ChatRequest& request) const;
  // Plain text after BOS.
  Prompt plain_prompt(std::string_view text) const;

 private:
  OpenModel open_;
  Tokenizer tokenizer_;
  GenerationConfig defaults_;
  const PromptTemplate* template_;
  std::vector<int32_t> end_ids_;
  std::shared_ptr<const std::vector<uint32_t>> allowed_;
};

}  // namespace hadal::apps
