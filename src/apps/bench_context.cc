#include "apps/bench_context.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "apps/random_tokens.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "cpu/dispatch.h"
#include "model/inventory.h"
#include "sample/sampler.h"

namespace hadal::apps {
namespace {

constexpr int64_t kShortestPoint = 4096;  // of context, that gets a line of its own
constexpr int kDecodePoints = 8;

int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

class ContextBench {
 public:
  ContextBench(const ContextBenchOptions& options, const Model& model, Ops& ops)
      : options_(options),
        model_(model),
        timed_(ops),
        state_(model.state_layout(), timed_),
        vocab_(model.config().vocab_size),
        logits_(static_cast<size_t>(vocab_)) {}

  void fill() {
    std::set<int64_t> marks = {options_.tokens};
    for (int64_t at = options_.tokens / 2; at >= kShortestPoint; at /= 2) marks.insert(at);
    ProgressBar progress("prefill", options_.tokens);
    begin_point();
    std::vector<int32_t> ids;
    for (int64_t at = 0; at < options_.tokens;) {
      interrupt_.check();
      const int64_t n = std::min(options_.chunk, *marks.upper_bound(at) - at);
      ids.clear();
      for (int64_t i = 0; i < n; ++i) ids.push_back(random_token(options_.seed, at + i, vocab_));
      forward(ids);
      at += n;
      if (marks.contains(at)) end_point(false);
      progress.update(at);
    }
  }

  void decode() {
    SamplingParams params;
    params.seed = options_.seed;
    Sampler sampler(params, static_cast<int32_t>(vocab_));
    ProgressBar progress("decode", options_.decode);
    begin_point();
    for (int64_t i = 0; i < options_.decode; ++i) {
      interrupt_.check();
      const int32_t id = sampler.sample(logits_, state_.length());
      forward({&id, 1});
      const int64_t pieces = std::min<int64_t>(kDecodePoints, options_.decode);
      if ((i + 1) * pieces / options_.decode > i * pieces / options_.decode) end_point(true);
      progress.update(i + 1);
    }
  }

  TimedOps& timed() { return timed_; }
  std::vector<ContextPoint> points() const { return points_; }

 private:
  void forward(std::span<const int32_t> ids) {
    // Logits after every pass: the cost of a step includes them.
    const Segment segment{&state_, 0, static_cast<int64_t>(ids.size()), LogitsWanted::kLast};
    model_.forward(Ctx{timed_}, Batch{ids, {&segment, 1}},
                   Outputs{View(logits_.data(), DType::kF32, {1, vocab_}), {}});
  }
  void begin_point() {
    started_ = now_seconds();
    from_ = state_.length();
  }
  void end_point(bool decode) {
    ContextPoint point;
    point.length = state_.length();
    point.tokens = point.length - from_;
    point.decode = decode;
    point.seconds = now_seconds() - started_;
    point.state_bytes = state_.bytes();
    if (model_.numerics() == Numerics::kRelease)
      point.predicted_bytes = sequence_bytes(model_.config(), point.length).total();
    points_.push_back(point);
    begin_point();
  }

  const ContextBenchOptions& options_;
  const Model& model_;
  TimedOps timed_;
  SequenceState state_;
  int64_t vocab_;
  std::vector<float> logits_;
  std::vector<ContextPoint> points_;
  double started_ = 0;
  int64_t from_ = 0;
  InterruptGuard interrupt_;
};

}  // namespace

ContextBenchResult run_context_bench(const ContextBenchOptions& options) {
  if (options.isa == "reference")
    fail(ErrorCode::kInvalidInput, "--isa reference: there is nothing to measure in the scalar oracle");
  CpuOps ops({options.threads, options.isa});
  const auto model = Model::open(options.model, *numerics_from_name(options.numerics));
  const int64_t longest = model->config().max_position_embeddings;
  if (options.tokens + options.decode > longest)
    fail(ErrorCode::kInvalidInput, "{} tokens and {} to decode: the model has positions for {}",
         options.tokens, options.decode, longest);

  ContextBenchResult result;
  {
    ContextBench bench(options, *model, ops);
    bench.fill();
    result.prefill = bench.timed().timings();
    bench.timed().clear();
    bench.decode();
    result.decode = bench.timed().timings();
    result.points = bench.points();
    result.peak_rss_bytes = peak_rss_bytes();
  }
  result.isa = ops.isa();
  result.threads = ops.threads();
  result.decode_steps = options.decode;
  result.arena_bytes = ops.arena().reserved_bytes();
  result.scratch_bytes = ops.scratch_bytes();
  // Last, and with the state gone: it needs memory of its own.
  result.machine = RooflineMeter(kernel_table(ops.isa()), ops.pool()).measure();
  return result;
}

}  // namespace hadal::apps
