#include "apps/generation.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "apps/terminal.h"
#include "base/error.h"

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

void add_seed_option(CLI::App& command, std::optional<uint64_t>& seed, const std::string& help) {
  command.add_option("--seed", seed, help)
      ->check(CLI::Validator([](std::string& text) { return seed_problem(text); }, "UINT64"));
}

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
  add_seed_option(command, options.seed, "same seed, same text, whatever the threads (default: random)");
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

FinishCause finish_cause(Finish finish) {
  return finish == Finish::kStop ? FinishCause::kEos : FinishCause::kLength;
}

namespace {

// Tokens of a prompt between two looks at Ctrl-C and at the progress.
constexpr int64_t kChunk = 128;

EngineConfig engine_config() {
  EngineConfig config;
  config.scheduler.chunk_tokens = kChunk;
  return config;
}

class ForwardingSink : public EventSink {
 public:
  ForwardingSink(const std::function<void(int32_t id)>& on_token, int64_t prompt) : on_token_(on_token) {
    progress_.emplace("reading the prompt", prompt);
  }

  void on_prefill(int64_t done, int64_t total) override {
    if (progress_) progress_->update(done);
    if (done == total) progress_.reset();
  }
  bool on_token(const TokenEvent& event) override {
    progress_.reset();
    on_token_(event.id);
    return true;
  }
  void on_finish(const FinishInfo& end) override {
    progress_.reset();
    info = end;
  }

  std::optional<FinishInfo> info;

 private:
  const std::function<void(int32_t id)>& on_token_;
  std::optional<ProgressBar> progress_;
};

}  // namespace

Generator::Generator(const ModelOptions& options, const std::string& prompt_generation,
                     const EngineOptions& engine)
    : open_(open_model(options)),
      text_(open_.model, options.model, prompt_generation),
      engine_(make_engine(text_, *open_.ops, engine, engine_config())) {}

TextModel::Prompt Generator::prompt(const ChatRequest& request) const {
  auto prompt = text_.prompt(request);
  if (!prompt) fail(ErrorCode::kInvalidInput, "{}", prompt.error().to_string());
  return std::move(*prompt);
}

Finish Generator::generate(std::span<const int32_t> prompt, const SamplingParams& params, int64_t max_tokens,
                           const std::function<void(int32_t id)>& on_token,
                           const std::function<bool()>& keep_going, GenerationStats& stats,
                           std::shared_ptr<const TokenConstraint> constraint) {
  Request request;
  request.prompt.assign(prompt.begin(), prompt.end());
  request.sampling = params;
  if (max_tokens > 0) request.max_tokens = max_tokens;
  request.end_ids = text_.end_ids();
  request.allowed = text_.allowed();
  request.constraint = std::move(constraint);
  request.token_logits = false;
  const auto sink = std::make_shared<ForwardingSink>(on_token, static_cast<int64_t>(prompt.size()));
  const Result<RequestId> id = engine_->submit(std::move(request), sink);
  if (!id) fail(ErrorCode::kInvalidInput, "{}", id.error().to_string());
  while (!sink->info) {
    if (!keep_going()) engine_->cancel(*id);
    engine_->step();
  }
  const FinishInfo& info = *sink->info;
  if (info.reason == EndReason::kError) fail(ErrorCode::kInvalidFile, "{}", info.error);
  stats.prompt_tokens = info.prompt_tokens;
  stats.reused_tokens = info.cached_tokens;
  stats.generated_tokens = info.generated_tokens;
  stats.prefill_seconds = info.prefill_seconds;
  stats.decode_seconds = info.decode_seconds;
  return info.reason == EndReason::kStop     ? Finish::kStop
         : info.reason == EndReason::kLength ? Finish::kLength
                                             : Finish::kInterrupted;
}

}  // namespace hadal::apps
