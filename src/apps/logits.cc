// hadal logits: ids in, logits out as safetensors, for comparison with other implementations.
#include <algorithm>
#include <memory>

#include "apps/commands.h"
#include "apps/ids_file.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "checkpoint/writer.h"

namespace hadal::apps {
namespace {

struct LogitsOptions : ModelOptions {
  std::string ids, out;
  bool all = false, mtp = false;
  int64_t chunk = 256;
};

std::span<const std::byte> bytes_of(const View& view) {
  return {view.data, static_cast<size_t>(view.elements() * dtype_bytes(view.dtype))};
}

void run(const LogitsOptions& options) {
  const OpenModel open = open_model(options);
  const Model& model = *open.model;
  Ops& ops = *open.ops;
  const Config& config = model.config();
  const std::vector<int32_t> ids = read_ids(options.ids, config.vocab_size);
  const int64_t total = static_cast<int64_t>(ids.size());
  const bool mtp = options.mtp && model.has_mtp() && total > 1;

  std::vector<TensorSpec> specs = {{"logits", DType::kF32, {options.all ? total : 1, config.vocab_size}}};
  if (mtp) specs.push_back({"mtp_logits", DType::kF32, {total - 1, config.vocab_size}});
  const InterruptGuard interrupt;  // before there is an unfinished file to remove
  SafetensorsWriter writer(options.out, specs);

  SequenceState state(model.state_layout(), ops);
  const Ctx ctx{ops};
  for (int64_t at = 0; at < total; at += options.chunk) {
    interrupt.check();
    const Arena::Frame frame(ops.arena());
    const int64_t n = std::min(options.chunk, total - at);
    const bool wanted = options.all || at + n == total;
    Segment segment{&state, 0, n, options.all ? LogitsWanted::kAll : LogitsWanted::kLast};
    if (!wanted) segment.logits = LogitsWanted::kNone;
    const Batch batch{std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(n)), {&segment, 1}};
    Outputs out;
    if (wanted) out.logits = ops.arena().alloc({batch.logits_rows(), config.vocab_size}, DType::kF32);
    if (mtp)
      out.streams = ops.arena().alloc({n, config.hc_mult, config.hidden_size}, model.activation_dtype());
    model.forward(ctx, batch, out);
    if (wanted) writer.append(0, bytes_of(out.logits));

    // The block pairs the stream at i with the token at i + 1, so the last position has no partner.
    const int64_t drafts = std::min(n, total - 1 - at);
    if (!mtp || drafts <= 0) continue;
    const Segment draft_segment{&state, 0, drafts, LogitsWanted::kAll};
    const Batch next{std::span(ids).subspan(static_cast<size_t>(at + 1), static_cast<size_t>(drafts)),
                     {&draft_segment, 1}};
    const View draft_logits = ops.arena().alloc({drafts, config.vocab_size}, DType::kF32);
    model.draft(ctx, next, out.streams.slice(0, 0, drafts), {draft_logits, {}});
    writer.append(1, bytes_of(draft_logits));
  }
  writer.finish();
}

}  // namespace

void add_logits(CLI::App& app) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App& command = *app.add_subcommand("logits", "logits of a token sequence, written as safetensors");
  add_model_options(command, *options);
  command.add_option("--ids", options->ids, "JSON array of token ids")->required()->check(not_empty());
  command
      .add_option("--out", options->out, "file to write: `logits` F32 [tokens or 1, vocab], and `mtp_logits`")
      ->required()
      ->check(not_empty());
  command.add_flag("--all", options->all, "logits after every token, not only after the last");
  command.add_flag("--mtp", options->mtp,
                   "also the MTP block's logits [tokens - 1, vocab], where the model has one");
  command
      .add_option("--chunk", options->chunk,
                  "tokens in one forward pass; the result is the same for every value")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
