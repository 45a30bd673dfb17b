#include "model/rewind.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace hadal {
namespace {

constexpr int64_t kChunk = kBlockTokens;

// The draft block reads the stream of position j together with the token at j + 1, so n tokens from `pos` on
// need the streams from pos - 1 on; the first of them is in the state.
void replay_draft(const Model& model, const Ctx& ctx, SequenceState& state, View streams,
                  std::span<const int32_t> ids, int64_t pos, std::span<const std::byte> before) {
  const int64_t skipped = pos == 0 ? 1 : 0, n = static_cast<int64_t>(ids.size()) - skipped;
  if (n == 0) return;
  View input = streams.slice(0, 0, n);
  if (skipped == 0) {
    input = ctx.ops.arena().alloc({n, streams.dim[1], streams.dim[2]}, streams.dtype);
    std::memcpy(input.data, before.data(), before.size());
    std::memcpy(input.data + before.size(), streams.data, before.size() * static_cast<size_t>(n - 1));
  }
  const Segment segment{&state, 0, n, LogitsWanted::kNone};
  model.draft(ctx, Batch{ids.subspan(static_cast<size_t>(skipped)), {&segment, 1}}, input, {});
}

}  // namespace

int64_t rewind(const Model& model, const Ctx& ctx, SequenceState& state, int64_t length) {
  const auto drafted = [&] { return std::max<int64_t>(state.length() - 1, 0) == state.mtp_length(); };
  const bool wants_draft = model.has_mtp() && state.mtp_length() >= length - 1;
  const std::vector<int32_t> tokens(state.tokens().begin(), state.tokens().begin() + length);
  const int64_t from = state.rewind(length);
  const bool draft = wants_draft && drafted();

  std::vector<std::byte> before(static_cast<size_t>(state.layout().stream_row_bytes));
  for (int64_t at = from; at < length; at += kChunk) {
    const int64_t n = std::min(kChunk, length - at);
    const auto ids = std::span(tokens).subspan(static_cast<size_t>(at), static_cast<size_t>(n));
    const Segment segment{&state, 0, n, LogitsWanted::kNone};
    const Arena::Frame frame(ctx.ops.arena());
    View streams;
    if (draft) {
      streams = ctx.ops.arena().alloc({n, model.config().hc_mult, model.config().hidden_size},
                                      model.activation_dtype());
      if (at > 0) std::memcpy(before.data(), state.stream(at - 1), before.size());
    }
    model.forward(ctx, Batch{ids, {&segment, 1}}, {{}, streams});
    if (draft) replay_draft(model, ctx, state, streams, ids, at, before);
    state.keep_boundary();
  }
  return length - from;
}

}  // namespace hadal
