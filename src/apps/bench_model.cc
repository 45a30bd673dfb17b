#include "apps/bench_model.h"

#include <algorithm>
#include <memory>

#include "apps/random_state.h"
#include "apps/random_tokens.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "cpu/dispatch.h"
#include "sample/sampler.h"

namespace hadal::apps {
namespace {

// Of one run of decoding, by how long they take: the context should stay what it is.
constexpr int64_t kFewestSteps = 16, kMostSteps = 64;
constexpr double kShortestRun = 0.25;  // seconds
constexpr double kRooflineSeconds = 0.15;
// Of a long context, so many tokens at each end are computed, those between are random rows.
constexpr int64_t kComputedTokens = 1024;
static_assert(kComputedTokens % kBlockTokens == 0);

Roofline better(const Roofline& a, const Roofline& b) {
  return {std::max(a.read_bytes, b.read_bytes), std::max(a.flops, b.flops),
          std::max(a.integer_flops, b.integer_flops)};
}

class ModelBench {
 public:
  ModelBench(const ModelBenchOptions& options, const Model& model, CpuOps& ops)
      : options_(options),
        model_(model),
        timed_(ops),
        meter_(kernel_table(ops.isa()), ops.pool()),
        vocab_(model.config().vocab_size) {}

  // How fast the weights themselves are read, when nothing is done with them.
  double measure_weights() {
    std::vector<std::span<const std::byte>> places;
    for (const auto& [name, tensor] : model_.weights().source->tensors()) places.push_back(tensor.bytes);
    return meter_.measure_read(places, 4 * kRooflineSeconds);
  }

  std::vector<ModelRun> run() {
    for (const int64_t tokens : options_.prefill) prefill(tokens);
    for (const int64_t batch : options_.batches) decode_batch(batch);
    SequenceState state(model_.state_layout(), timed_);
    std::vector<int64_t> contexts = options_.contexts;
    std::sort(contexts.begin(), contexts.end());
    for (const int64_t context : contexts) {
      const bool known = std::ranges::count(options_.batches, 1) > 0;
      if (context == 0 && known) continue;  // the batch of one
      fill(state, context);
      decode({&state, 1}, context);
    }
    return std::move(runs_);
  }

 private:
  void prefill(int64_t tokens) {
    SequenceState state(model_.state_layout(), timed_);
    measure(
        {.tokens = tokens}, [&] { state.reset(); },
        [&] {
          append(state, 0, tokens, {});
          return tokens;
        });
  }

  void decode_batch(int64_t batch) {
    std::vector<SequenceState> states;
    for (int64_t i = 0; i < batch; ++i) {
      states.emplace_back(model_.state_layout(), timed_);
      append(states.back(), i, 1, {});
    }
    decode(states, 0);
  }

  // One token after another for all states at once, each sampled from what the last gave.
  void decode(std::span<const SequenceState> states, int64_t context) {
    const auto batch = static_cast<int64_t>(states.size());
    std::vector<Sampler> samplers;
    for (int64_t i = 0; i < batch; ++i)
      samplers.emplace_back(SamplingParams{.seed = options_.seed}, static_cast<int32_t>(vocab_),
                            static_cast<uint64_t>(i));
    std::vector<int32_t> ids;
    std::vector<SequenceState> forks;
    const auto prepare = [&] {
      forks.clear();
      ids.clear();
      for (int64_t i = 0; i < batch; ++i) {
        forks.push_back(states[static_cast<size_t>(i)].fork());
        ids.push_back(random_token(options_.seed + static_cast<uint64_t>(i), context, vocab_));
      }
    };
    measure({.decode = true, .context = context, .batch = batch}, prepare, [&] {
      const double start = now_seconds();
      int64_t steps = 0;
      for (; steps < kFewestSteps || (steps < kMostSteps && now_seconds() - start < kShortestRun); ++steps) {
        step(forks, ids);
        for (size_t i = 0; i < forks.size(); ++i)
          ids[i] = samplers[i].sample(
              {logits_.data() + i * static_cast<size_t>(vocab_), static_cast<size_t>(vocab_)},
              forks[i].length());
      }
      return steps * batch;
    });
  }

  void step(std::span<SequenceState> states, std::span<const int32_t> ids) {
    std::vector<Segment> segments;
    for (SequenceState& state : states)
      segments.push_back({&state, static_cast<int64_t>(segments.size()), 1, LogitsWanted::kLast});
    const auto rows = static_cast<int64_t>(states.size());
    logits_.resize(static_cast<size_t>(rows * vocab_));
    model_.forward(Ctx{timed_}, Batch{ids, segments},
                   {View(logits_.data(), DType::kF32, {rows, vocab_}), {}});
  }

  // Random tokens of stream `stream`, chunk by chunk, with logits of the last as after a prompt.
  void append(SequenceState& state, int64_t stream, int64_t tokens,
              const std::function<void(int64_t)>& done) {
    logits_.resize(static_cast<size_t>(vocab_));
    std::vector<int32_t> ids;
    for (int64_t at = 0; at < tokens;) {
      interrupt_.check();
      const int64_t n = std::min(options_.chunk, tokens - at);
      ids.clear();
      for (int64_t i = 0; i < n; ++i)
        ids.push_back(
            random_token(options_.seed + static_cast<uint64_t>(stream), state.length() + i, vocab_));
      at += n;
      const bool last = at == tokens;
      const Segment segment{&state, 0, n, last ? LogitsWanted::kLast : LogitsWanted::kNone};
      model_.forward(Ctx{timed_}, Batch{ids, {&segment, 1}},
                     {last ? View(logits_.data(), DType::kF32, {1, vocab_}) : View{}, {}});
      if (done) done(at);
    }
  }

  void fill(SequenceState& state, int64_t context) {
    ProgressBar progress(fmt::format("context of {}", context), context);
    const auto compute = [&](int64_t until) {
      const int64_t from = state.length();
      append(state, 0, until - from, [&](int64_t at) { progress.update(from + at); });
    };
    const auto whole_blocks = [](int64_t tokens) { return tokens / kBlockTokens * kBlockTokens; };
    const int64_t first = whole_blocks(state.length() + kComputedTokens + kBlockTokens - 1),
                  last = whole_blocks(context - kComputedTokens);
    if (first < last) {
      compute(first);
      append_random_rows(state, timed_, last - first, options_.seed);
    }
    if (state.length() < context) compute(context);
  }

  // once() works and returns how many tokens it made; the time of prepare() does not count.
  template <class Prepare, class Once>
  void measure(ModelRun run, Prepare prepare, Once once) {
    prepare();
    once();  // pages there, scratch allocated
    run.machine = meter_.measure(kRooflineSeconds);
    timed_.clear();
    int64_t tokens = 0;
    for (int i = 0; i < options_.runs; ++i) {
      interrupt_.check();
      prepare();
      const double start = now_seconds();
      run.tokens = once();
      tokens += run.tokens;
      run.tokens_per_s.push_back(static_cast<double>(run.tokens) / (now_seconds() - start));
    }
    run.ops = timed_.timings();
    run.machine = better(run.machine, meter_.measure(kRooflineSeconds));
    for (const OpTiming& op : run.ops) {
      run.work.bytes += op.work.bytes;
      run.work.flops += op.work.flops;
    }
    run.work.bytes /= std::max<int64_t>(tokens, 1);
    run.work.flops /= std::max<int64_t>(tokens, 1);
    std::sort(run.tokens_per_s.begin(), run.tokens_per_s.end());
    runs_.push_back(std::move(run));
  }

  const ModelBenchOptions& options_;
  const Model& model_;
  TimedOps timed_;
  RooflineMeter meter_;
  int64_t vocab_;
  std::vector<float> logits_;
  std::vector<ModelRun> runs_;
  InterruptGuard interrupt_;
};

}  // namespace

double ModelRun::share() const {
  const double ceiling = decode ? machine.read_bytes : machine.flops;
  const double asked = static_cast<double>(decode ? work.bytes : work.flops);
  return ceiling > 0 ? median() * asked / ceiling : 0;
}

ModelBenchResult run_model_bench(const ModelBenchOptions& asked) {
  if (asked.isa == "reference")
    fail(ErrorCode::kInvalidInput, "--isa reference: there is nothing to measure in the scalar oracle");
  CpuOps ops({asked.threads, asked.isa});
  const auto model = Model::open(asked.model, *numerics_from_name(asked.numerics));
  ModelBenchResult result;
  ModelBenchOptions options = asked;
  const int64_t positions = model->config().max_position_embeddings;
  const auto too_long = [&](int64_t tokens) {
    if (tokens + kMostSteps < positions) return false;
    result.too_long.push_back(tokens);
    return true;
  };
  std::erase_if(options.prefill, too_long);
  std::erase_if(options.contexts, too_long);
  result.isa = ops.isa();
  result.threads = ops.threads();
  ModelBench bench(options, *model, ops);
  result.runs = bench.run();
  result.weights_read_bytes = bench.measure_weights();
  for (const ModelRun& run : result.runs) result.machine = better(result.machine, run.machine);
  return result;
}

}  // namespace hadal::apps
