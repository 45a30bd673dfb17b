// hadal batch: a file of prompts to a file of answers, many at a time.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/batch_input.h"
#include "apps/batch_output.h"
#include "apps/commands.h"
#include "apps/engine_options.h"
#include "apps/generation.h"
#include "apps/ids_file.h"
#include "apps/terminal.h"
#include "assistant/answer_stream.h"
#include "base/error.h"
#include "engine/engine.h"

namespace hadal::apps {
namespace {

struct BatchOptions : ModelOptions {
  GenerationOptions generation;
  std::string in, out;
  EngineOptions engine;
  SchedulerConfig scheduler;
};

// Puts the tokens of one answer together.
class LineSink : public EventSink {
 public:
  // Appends the output line to `done` at the end. Both outlive it.
  LineSink(const TextModel& model, const BatchLine& line, BatchRequest request, std::string& done)
      : line_(line),
        request_(std::move(request)),
        stream_(model.tokenizer(), request_.parser, answer_),
        done_(done) {}

  bool on_token(const TokenEvent& event) override {
    stream_.push(event.id);
    return !stream_.finished();  // a stop string
  }

  void on_finish(const FinishInfo& info) override {
    finished = true;
    if (info.reason == EndReason::kCancelled) return;  // the next run answers it
    generated = info.generated_tokens;
    failed = info.reason == EndReason::kError;
    if (failed) {
      done_ += error_line(line_, {"", info.error});
      return;
    }
    stream_.finish(info.reason == EndReason::kStop ? FinishCause::kEos : FinishCause::kLength);
    done_ += answer_line(line_, request_, answer_.message, info);
  }

  bool finished = false, failed = false;
  int64_t generated = 0;

 private:
  const BatchLine& line_;
  const BatchRequest request_;
  CollectingSink answer_;
  AnswerStream stream_;
  std::string& done_;
};

class BatchRun {
 public:
  explicit BatchRun(const BatchOptions& options)
      : options_(options),
        text_(read_file(options.in)),
        lines_(batch_lines(text_, options.in)),
        open_(open_model(options)),
        model_(open_.model, options.model, options.generation.prompt_generation),
        reader_(model_, options.generation),
        engine_(make_engine(model_, *open_.ops, options.engine, engine_config(options))),
        output_(options.out) {
    for (const BatchLine& line : lines_)
      if (!output_.has(line)) todo_.push_back(&line);
  }

  void run() {
    const InterruptGuard interrupt;
    const double started = now_seconds();
    const int64_t total = static_cast<int64_t>(todo_.size());
    {
      ProgressBar progress("answering", total);
      while (!interrupt.interrupted()) {
        submit_some();
        if (!engine_->step() && next_ == todo_.size() && sinks_.empty()) break;
        collect();
        progress.update(answered_);
      }
    }
    write_done();
    output_.sync();
    report(total, now_seconds() - started);
    if (interrupt.interrupted())
      fail(ErrorCode::kCancelled, "interrupted: the same command answers the other {} lines",
           total - answered_);
  }

 private:
  static EngineConfig engine_config(const BatchOptions& options) {
    EngineConfig config;
    config.scheduler = options.scheduler;
    return config;
  }

  // As many as keep the engine busy, and no more: the rest stays text.
  void submit_some() {
    const size_t window = static_cast<size_t>(2 * options_.scheduler.max_batch);
    while (sinks_.size() < window && next_ < todo_.size()) {
      const BatchLine& line = *todo_[next_++];
      auto request = reader_.read(line);
      if (!request) {
        refuse(line, request.error());
        continue;
      }
      Request work = std::move(request->request);
      const auto sink = std::make_shared<LineSink>(model_, line, std::move(*request), done_);
      if (const auto id = engine_->submit(std::move(work), sink); !id)
        refuse(line, id.error());
      else
        sinks_.push_back(sink);
    }
  }

  void refuse(const BatchLine& line, const Problem& what) {
    done_ += error_line(line, what);
    ++failed_;
    ++answered_;
  }

  void collect() {
    std::erase_if(sinks_, [&](const auto& sink) {
      if (!sink->finished) return false;
      failed_ += sink->failed;
      generated_ += sink->generated;
      ++answered_;
      return true;
    });
    write_done();
  }

  void write_done() {
    if (done_.empty()) return;
    output_.write(done_);
    done_.clear();
  }

  void report(int64_t total, double seconds) const {
    fmt::print(stderr, "{} of {} lines answered", answered_, total);
    if (lines_.size() > todo_.size())
      fmt::print(stderr, ", {} by earlier runs", lines_.size() - todo_.size());
    if (failed_ > 0) fmt::print(stderr, ", {} with an error", failed_);
    fmt::print(stderr, "; {} tokens in {:.1f} s, {:.1f} tokens/s\n", generated_, seconds,
               seconds > 0 ? static_cast<double>(generated_) / seconds : 0.0);
  }

  const BatchOptions& options_;
  const std::string text_;
  const std::vector<BatchLine> lines_;
  OpenModel open_;
  TextModel model_;
  BatchReader reader_;
  std::string done_;  // lines not yet written
  std::vector<std::shared_ptr<LineSink>> sinks_;
  std::unique_ptr<Engine> engine_;
  BatchOutput output_;
  std::vector<const BatchLine*> todo_;
  size_t next_ = 0;
  int64_t answered_ = 0, failed_ = 0, generated_ = 0;
};

void run(const BatchOptions& options) {
  std::error_code ignored;
  if (std::filesystem::equivalent(options.in, options.out, ignored))
    fail(ErrorCode::kInvalidInput, "--in and --out are the same file: {}", options.in);
  BatchRun(options).run();
}

}  // namespace

void add_batch(CLI::App& app) {
  auto options = std::make_shared<BatchOptions>();
  options->scheduler.max_batch = 16;
  CLI::App& command = *app.add_subcommand("batch", "a file of prompts to a file of answers");
  add_model_options(command, *options);
  command.add_option("--in", options->in, "requests, a JSON object a line")->required()->check(not_empty());
  command
      .add_option("--out", options->out,
                  "answers, a JSON object a line; grows, so that a run can be continued")
      ->required()
      ->check(not_empty());
  add_generation_options(command, options->generation);
  command.add_option("--batch", options->scheduler.max_batch, "answers that are worked on at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      .add_option("--chunk", options->scheduler.chunk_tokens, "tokens of prompts that are read in one step")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_engine_options(command, options->engine);
  command.footer(
      "A request: {\"id\": ..., \"messages\": [...] or \"prompt\": \"text to continue\", and if wanted "
      "max_tokens,\n"
      "temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, repetition_penalty, seed, "
      "stop,\n"
      "tools, thinking, reasoning_effort, priority}; or in the form of OpenAI's batches\n"
      "{\"custom_id\": ..., \"body\": {\"messages\": ...}}. The options above are for lines that do not "
      "say.\n"
      "An answer: {\"id\", \"message\" or \"text\", \"finish_reason\", \"usage\"}, or {\"id\", \"line\", "
      "\"error\"} for a line\n"
      "that makes no sense. Answers come in the order in which they are finished. What they say does not "
      "depend\n"
      "on the other lines. After a crash or Ctrl-C the same command goes on where it stopped: lines whose id "
      "is\n"
      "in the output already are left out, a torn last line of the output is cut off.");
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
