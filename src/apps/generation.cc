#include "apps/generation.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "apps/terminal.h"
#include "base/error.h"
#include "chat/encode.h"
#include "chat/special_tokens.h"

namespace hadal::apps {

namespace {

// The parser of the command line would take -1 for 2^64 - 1 and cut larger numbers to it.
std::string seed_problem(const std::string& text) {
  uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seed);
  if (error == std::errc() && stop == end) return {};
  return fmt::format("{} is no whole number from 0 to 2^64 - 1", text);
}

// The option that sets a field of SamplingParams.
std::string option_name(std::string field) {
  if (field == "temperature") return "--temp";
  std::replace(field.begin(), field.end(), '_', '-');
  return "--" + field;
}

}  // namespace

void add_generation_options(CLI::App& command, GenerationOptions& options) {
  command
      .add_option("-n,--max-tokens", options.max_tokens,
                  "tokens to make at most; 0: as many as the model holds (default: max_new_tokens of "
                  "generation_config.json, or 0)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  command.add_option("--temp,--temperature", options.temperature,
                     "sampling temperature; 0 takes the likeliest token");
  command.add_option("--top-p", options.top_p, "nucleus sampling");
  command.add_option("--top-k", options.top_k, "sample among the k likeliest tokens");
  command.add_option("--min-p", options.min_p, "drop tokens less than this times as likely as the likeliest");
  command.add_option("--presence-penalty", options.presence_penalty, "lower every token that occurred");
  command.add_option("--frequency-penalty", options.frequency_penalty,
                     "lower tokens by how often they occurred");
  command.add_option("--repetition-penalty", options.repetition_penalty,
                     "divide the logits of tokens that occurred");
  command.add_option("--seed", options.seed, "same seed, same text, whatever the threads (default: random)")
      ->check(CLI::Validator([](std::string& text) { return seed_problem(text); }, "UINT64"));
  command.add_option("--think", options.think, "reasoning before the answer")
      ->check(CLI::IsMember({"off", "low", "high", "max"}))
      ->capture_default_str();
  command.add_option("--system", options.system, "system message");
  command
      .add_option("--prompt-generation", options.prompt_generation,
                  "prompt format of the checkpoint (default: as its folder says)")
      ->check(CLI::IsMember({"v4-preview", "v4-official"}));
}

int64_t token_limit(const GenerationOptions& options, const GenerationConfig& defaults) {
  return options.max_tokens.value_or(defaults.max_new_tokens);
}

SamplingParams sampling_params(const GenerationOptions& options, const GenerationConfig& defaults) {
  SamplingParams params;
  params.temperature =
      options.temperature.value_or(defaults.do_sample ? static_cast<float>(defaults.temperature) : 0.0f);
  params.top_p = options.top_p.value_or(static_cast<float>(defaults.top_p));
  params.top_k = options.top_k.value_or(static_cast<int32_t>(defaults.top_k));
  params.min_p = options.min_p.value_or(params.min_p);
  params.presence_penalty = options.presence_penalty.value_or(params.presence_penalty);
  params.frequency_penalty = options.frequency_penalty.value_or(params.frequency_penalty);
  params.repetition_penalty = options.repetition_penalty.value_or(params.repetition_penalty);
  params.seed = options.seed.value_or(std::random_device{}());
  if (const Result<void> valid = validate(params); !valid) {
    const auto& [field, what] = valid.error();
    const bool by_file = (field == "temperature" && !options.temperature) ||
                         (field == "top_p" && !options.top_p) || (field == "top_k" && !options.top_k);
    if (by_file) fail(ErrorCode::kInvalidFile, "generation_config.json: {}: {}", field, what);
    fail(ErrorCode::kInvalidInput, "{}: {}", option_name(field), what);
  }
  return params;
}

bool set_thinking(ChatRequest& request, std::string_view word) {
  const std::optional<Effort> effort = word == "off" ? Effort::kNone : effort_from_name(word);
  if (!effort) return false;
  request.mode = word == "off" ? Mode::kChat : Mode::kThinking;
  request.effort = *effort;
  return true;
}

Message plain_message(std::string role, std::string content) {
  Message message;
  message.role = std::move(role);
  message.content = std::move(content);
  return message;
}

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kInterrupted:
      return "interrupted";
  }
  return "";
}

Generator::Generator(const ModelOptions& options, const std::string& prompt_generation)
    : open_(open_model(options)),
      tokenizer_(Tokenizer::load(options.model)),
      defaults_(GenerationConfig::load(options.model)),
      ends_(defaults_.eos_token_ids.empty() ? open_.model->config().eos_token_ids : defaults_.eos_token_ids),
      runner_(*open_.model, *open_.ops) {
  if (tokenizer_.vocab_size() > model().config().vocab_size)
    fail(ErrorCode::kInvalidFile, "{}: the tokenizer has {} tokens and the model's vocabulary {}",
         options.model, tokenizer_.vocab_size(), model().config().vocab_size);
  std::optional<PromptGeneration> generation = generation_from_name(prompt_generation);
  if (!generation) generation = generation_from_name(defaults_.prompt_generation);
  // Rows of the embedding beyond the tokenizer, and holes in it, are never sampled: they have no text.
  const auto vocab = static_cast<size_t>(model().config().vocab_size);
  bool holes = false;
  allowed_.resize((vocab + 31) / 32);
  for (size_t id = 0; id < vocab; ++id) {
    if (tokenizer_.has_token(static_cast<int32_t>(id)))
      allowed_[id / 32] |= 1u << (id % 32);
    else
      holes = true;
  }
  if (!holes) allowed_.clear();
  template_ = &prompt_template(generation ? *generation : detect_generation(options.model));
}

std::vector<int32_t> Generator::prompt(const ChatRequest& request) const {
  const auto items = encode_chat(request, *template_);
  if (!items) fail(ErrorCode::kInvalidInput, "{}", items.error().to_string());
  const auto ids = prompt_ids(*items, tokenizer_);
  if (!ids) fail(ErrorCode::kInvalidInput, "{}", ids.error().to_string());
  return *ids;
}

bool Generator::ends_answer(int32_t id) const {
  if (std::find(ends_.begin(), ends_.end(), id) != ends_.end()) return true;
  return id < tokenizer_.vocab_size() && tokenizer_.is_added(id) &&
         special::ends_turn(tokenizer_.token_bytes(id));
}

Finish Generator::generate(std::span<const int32_t> prompt, const SamplingParams& params, int64_t max_tokens,
                           const std::function<void(int32_t id)>& on_token,
                           const std::function<bool()>& keep_going, GenerationStats& stats) {
  const Config& config = model().config();
  const int64_t room = config.max_position_embeddings - static_cast<int64_t>(prompt.size());
  if (room <= 0)
    fail(ErrorCode::kInvalidInput, "the prompt has {} tokens and the model holds {}", prompt.size(),
         config.max_position_embeddings);
  const int64_t limit = max_tokens == 0 ? room : std::min(room, max_tokens);
  Sampler sampler(params, static_cast<int32_t>(config.vocab_size));
  sampler.add_prompt(prompt);

  stats.prompt_tokens = static_cast<int64_t>(prompt.size());
  const double started = now_seconds();
  std::span<const float> logits;
  {
    ProgressBar progress("reading the prompt", stats.prompt_tokens);
    logits = runner_.sync(prompt, [&](int64_t done, int64_t) {
      progress.update(done);
      return keep_going();
    });
  }
  stats.reused_tokens = runner_.reused();
  const double read = now_seconds();
  stats.prefill_seconds = read - started;
  if (logits.empty()) return Finish::kInterrupted;

  Finish finish = Finish::kLength;
  while (stats.generated_tokens < limit) {
    const int32_t id = sampler.sample(logits, static_cast<int64_t>(runner_.tokens().size()), allowed_);
    if (ends_answer(id)) {
      finish = Finish::kStop;
      break;
    }
    ++stats.generated_tokens;
    sampler.accept(id);
    on_token(id);
    if (!keep_going()) {
      finish = Finish::kInterrupted;
      break;
    }
    if (stats.generated_tokens < limit) logits = runner_.append(id);
  }
  stats.decode_seconds = now_seconds() - read;
  return finish;
}

}  // namespace hadal::apps
