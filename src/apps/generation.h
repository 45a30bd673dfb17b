// Generating tokens with one model: options, the loop, and what it cost.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "apps/engine_options.h"
#include "apps/model_options.h"
#include "assistant/text_model.h"
#include "chat/message.h"
#include "chat/parser.h"
#include "chat/prompt_template.h"
#include "model/config.h"
#include "sample/constraint.h"
#include "sample/sampler.h"
#include "text/tokenizer.h"

namespace hadal::apps {

// What the command line says; what it does not say comes from generation_config.json.
struct GenerationOptions {
  std::optional<int64_t> max_tokens;  // 0: no limit but the model's positions
  std::optional<float> temperature, top_p, min_p, presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;  // none: a random one
  std::string think = "off";     // off, low, high, max
  std::string system;
  std::string prompt_generation;
};
void add_generation_options(CLI::App& command, GenerationOptions& options);
void add_seed_option(CLI::App& command, std::optional<uint64_t>& seed, const std::string& help);

// What -n says, or else the checkpoint's max_new_tokens; 0: no limit.
int64_t token_limit(const GenerationOptions& options, const GenerationConfig& defaults);
// Throws Error{kInvalidInput} naming the option that is out of range.
SamplingParams sampling_params(const GenerationOptions& options, const GenerationConfig& defaults);
// Sets mode and effort of a request; false for a word that is none of off, low, high, max.
bool set_thinking(ChatRequest& request, std::string_view word);

// A message with nothing but a role and a text.
Message plain_message(std::string role, std::string content);

enum class Finish { kStop, kLength, kInterrupted };
std::string_view finish_name(Finish finish);
// The same to the parser of the answer.
FinishCause finish_cause(Finish finish);

struct GenerationStats {
  int64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
};

// A model ready to answer, one request at a time. What prompts share with earlier ones is not computed again.
class Generator {
 public:
  Generator(const ModelOptions& options, const std::string& prompt_generation, const EngineOptions& engine);

  const TextModel& text() const { return text_; }
  const Model& model() const { return *text_.model(); }
  const Tokenizer& tokenizer() const { return text_.tokenizer(); }
  const GenerationConfig& defaults() const { return text_.defaults(); }

  // Throws Error{kInvalidInput} for a conversation that cannot be rendered.
  TextModel::Prompt prompt(const ChatRequest& request) const;

  // Continues `prompt` until the answer ends, max_tokens tokens were made (0: no limit), or keep_going says
  // false. on_token sees every token but the one that ended the answer. constraint: what the answer must fit.
  // Throws Error.
  Finish generate(std::span<const int32_t> prompt, const SamplingParams& params, int64_t max_tokens,
                  const std::function<void(int32_t id)>& on_token, const std::function<bool()>& keep_going,
                  GenerationStats& stats, std::shared_ptr<const TokenConstraint> constraint = nullptr);

 private:
  OpenModel open_;
  TextModel text_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace hadal::apps
