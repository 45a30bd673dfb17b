#include "model/model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "model/block.h"
#include "model/step.h"
#include "ops/angles.h"

namespace hadal {
namespace {

std::vector<float> frequencies(const Config& config, bool compressed) {
  RopeSettings settings;
  settings.dim = static_cast<int>(config.qk_rope_head_dim);
  settings.theta = compressed ? config.compress_rope_theta : config.rope_theta;
  if (compressed && config.rope_scaling) {
    settings.factor = config.rope_scaling->factor;
    settings.original_positions = static_cast<double>(config.rope_scaling->original_max_position_embeddings);
    settings.beta_fast = config.rope_scaling->beta_fast;
    settings.beta_slow = config.rope_scaling->beta_slow;
  }
  return rope_frequencies(settings);
}

View angles_at(Ops& ops, std::span<const int64_t> positions, std::span<const float> freqs) {
  const View out = ops.arena().alloc(
      {static_cast<int64_t>(positions.size()), static_cast<int64_t>(freqs.size()), 2}, DType::kF32);
  if (positions.empty()) return out;
  ops.rope_angles(out, View(const_cast<int64_t*>(positions.data()), DType::kI64, {out.dim[0]}),
                  View(const_cast<float*>(freqs.data()), DType::kF32, {out.dim[1]}));
  return out;
}

EntryPlan plan_entries(Ops& ops, int ratio, std::span<const StepSegment> segments,
                       std::span<const float> freqs) {
  EntryPlan plan;
  plan.ratio = ratio;
  std::vector<int64_t> positions;
  for (const StepSegment& s : segments) {
    EntryPlan::Part part;
    part.first = s.pos / ratio;
    part.count = (s.pos + s.count) / ratio - part.first;
    part.offset = plan.total;
    plan.total += part.count;
    plan.parts.push_back(part);
    for (int64_t j = 0; j < part.count; ++j) positions.push_back((part.first + j) * ratio);
  }
  plan.angles = angles_at(ops, positions, freqs);
  return plan;
}

// The rows of the batch whose logits are wanted.
std::vector<int32_t> wanted_rows(const Batch& batch) {
  std::vector<int32_t> rows;
  for (const Segment& s : batch.segments) {
    const int64_t from = s.logits == LogitsWanted::kAll ? s.begin : s.begin + s.count - 1;
    if (s.logits != LogitsWanted::kNone)
      for (int64_t i = from; i < s.begin + s.count; ++i) rows.push_back(static_cast<int32_t>(i));
  }
  return rows;
}

void check_batch(const Batch& batch, const Config& config) {
  int64_t at = 0;
  for (const Segment& s : batch.segments) {
    HADAL_CHECK(s.state != nullptr && s.begin == at && s.count > 0, "segments must follow one another");
    at += s.count;
  }
  HADAL_CHECK(at == static_cast<int64_t>(batch.ids.size()) && at > 0, "{} ids, {} in segments",
              batch.ids.size(), at);
  for (const int32_t id : batch.ids)
    HADAL_CHECK(id >= 0 && id < config.vocab_size, "token id {} of {}", id, config.vocab_size);
}

// Collapse, norm and LM head of all rows (section 8.1).
void head(const Step& step, const HcHeadWeights& hc, View norm, const Weight& lm_head, View streams,
          View logits) {
  HADAL_CHECK(logits.dim[0] == streams.dim[0] && logits.dim[1] == lm_head.out, "logits [{}, {}]",
              logits.dim[0], logits.dim[1]);
  step.ops.matmul(logits, step.rms_norm(collapse(step, hc, streams), norm), lm_head);
}

// The same of the rows that the batch wants.
void wanted_head(const Step& step, const Batch& batch, const HcHeadWeights& hc, View norm,
                 const Weight& lm_head, View streams, View logits) {
  std::vector<int32_t> rows = wanted_rows(batch);
  if (rows.empty()) return;
  View wanted = streams;
  if (static_cast<int64_t>(rows.size()) != streams.dim[0]) {
    wanted = step.alloc({static_cast<int64_t>(rows.size()), streams.dim[1], streams.dim[2]});
    step.ops.gather_rows(wanted, streams, View(rows.data(), DType::kI32, {wanted.dim[0]}));
  }
  head(step, hc, norm, lm_head, wanted, logits);
}

// The last streams of every segment go into its state: the draft block goes on from them.
void keep_streams(const Step& step, View streams) {
  for (const StepSegment& s : step.segments) {
    const StateLayout& layout = s.state->layout();
    for (int64_t i = std::max<int64_t>(0, s.count - layout.stream_capacity); i < s.count; ++i)
      std::memcpy(s.state->stream(s.pos + i), streams.data + (s.begin + i) * layout.stream_row_bytes,
                  static_cast<size_t>(layout.stream_row_bytes));
  }
}

void copy_streams(View out, View streams) {
  if (out.empty()) return;
  HADAL_CHECK(out.dtype == streams.dtype && out.elements() == streams.elements() && out.dense());
  std::memcpy(out.data, streams.data, static_cast<size_t>(streams.elements() * dtype_bytes(streams.dtype)));
}

}  // namespace

int64_t Batch::logits_rows() const {
  int64_t rows = 0;
  for (const Segment& s : segments)
    rows += s.logits == LogitsWanted::kAll ? s.count : s.logits == LogitsWanted::kLast ? 1 : 0;
  return rows;
}

std::shared_ptr<const Model> Model::open(const std::filesystem::path& folder, Numerics numerics,
                                         int rollback) {
  Config config = Config::load(folder);
  Weights weights = Weights::load(Checkpoint::open(folder), config);
  return std::make_shared<const Model>(std::move(config), std::move(weights), numerics, rollback);
}

Model::Model(Config config, Weights weights, Numerics numerics, int rollback)
    : config_(std::move(config)),
      weights_(std::move(weights)),
      numerics_(numerics),
      layout_(config_, numerics, rollback),
      plain_frequencies_(frequencies(config_, false)),
      compressed_frequencies_(frequencies(config_, true)) {}

Step Model::make_step(const Ctx& ctx, const Batch& batch, bool mtp) const {
  check_batch(batch, config_);
  Step step{ctx.ops, config_, numerics_, activation_dtype()};
  step.ids =
      View(const_cast<int32_t*>(batch.ids.data()), DType::kI32, {static_cast<int64_t>(batch.ids.size())});
  std::vector<int64_t> positions;
  for (const Segment& s : batch.segments) {
    const int64_t pos = mtp ? s.state->mtp_length() : s.state->length();
    step.segments.push_back({s.state, pos, s.begin, s.count});
    for (int64_t i = 0; i < s.count; ++i) positions.push_back(pos + i);
  }
  step.plain_angles = angles_at(ctx.ops, positions, plain_frequencies_);
  if (mtp) return step;
  step.compressed_angles = angles_at(ctx.ops, positions, compressed_frequencies_);
  for (int i = 0; i < config_.num_hidden_layers; ++i) {
    const int ratio = config_.ratio(i);
    const bool known = std::any_of(step.entries.begin(), step.entries.end(),
                                   [&](const EntryPlan& p) { return p.ratio == ratio; });
    if (ratio > 0 && !known)
      step.entries.push_back(plan_entries(ctx.ops, ratio, step.segments, compressed_frequencies_));
  }
  return step;
}

void Model::forward(const Ctx& ctx, const Batch& batch, const Outputs& out) const {
  const Arena::Frame frame(ctx.ops.arena());
  const Step step = make_step(ctx, batch, false);
  try {
    for (const Segment& s : batch.segments) s.state->reserve(s.count);
  } catch (...) {
    for (const Segment& s : batch.segments) s.state->truncate(s.state->length());  // nothing is written yet
    throw;
  }
  const Shape shape{step.tokens(), config_.hc_mult, config_.hidden_size};
  View streams = step.alloc(shape), spare = step.alloc(shape);
  ctx.ops.embed(streams, weights_.embed, step.ids);
  try {
    for (int i = 0; i < config_.num_hidden_layers; ++i) {
      if (ctx.stream_hook != nullptr) (*ctx.stream_hook)(i, streams);
      run_block(step, i, weights_.layers[static_cast<size_t>(i)], weights_, streams, spare);
    }
    if (ctx.stream_hook != nullptr) (*ctx.stream_hook)(config_.num_hidden_layers, streams);
    copy_streams(out.streams, streams);
    wanted_head(step, batch, weights_.hc_head, weights_.norm, weights_.head, streams, out.logits);
  } catch (...) {
    for (const Segment& s : batch.segments) s.state->abandon(s.count);
    throw;
  }
  if (has_mtp()) keep_streams(step, streams);
  for (const Segment& s : batch.segments)
    s.state->advance(batch.ids.subspan(static_cast<size_t>(s.begin), static_cast<size_t>(s.count)));
}

void Model::logits(const Ctx& ctx, View streams, View out) const {
  const Arena::Frame frame(ctx.ops.arena());
  const Step step{ctx.ops, config_, numerics_, activation_dtype()};
  head(step, weights_.hc_head, weights_.norm, weights_.head, streams, out);
}

void Model::draft(const Ctx& ctx, const Batch& batch, View hidden, const Outputs& out) const {
  HADAL_CHECK(has_mtp(), "this checkpoint has no MTP block");
  const Arena::Frame frame(ctx.ops.arena());
  const MtpWeights& mtp = *weights_.mtp;
  const Step step = make_step(ctx, batch, true);
  const Shape shape{step.tokens(), config_.hc_mult, config_.hidden_size};
  View streams = step.alloc(shape), spare = step.alloc(shape);

  // Z_j = e_proj(norm(embed)) + h_proj(norm(X_j)).
  const View embedded = step.alloc({step.tokens(), 1, config_.hidden_size});
  ctx.ops.embed(embedded, weights_.embed, step.ids);
  const View e = step.rms_norm(embedded, mtp.enorm), h = step.rms_norm(hidden, mtp.hnorm);
  ctx.ops.add_broadcast(streams, step.linear(step.linear_input(h, mtp.h_proj), mtp.h_proj).reshape(shape),
                        step.linear(step.linear_input(e, mtp.e_proj), mtp.e_proj));
  try {
    run_block(step, config_.num_hidden_layers, mtp.layer, weights_, streams, spare);
    copy_streams(out.streams, streams);
    wanted_head(step, batch, mtp.hc_head, mtp.norm, weights_.head, streams, out.logits);
  } catch (...) {
    for (const Segment& s : batch.segments) s.state->abandon(s.count);
    throw;
  }
  for (const Segment& s : batch.segments) s.state->advance_mtp(s.count);
}

}  // namespace hadal
