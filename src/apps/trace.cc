// hadal trace: the residual stream before every layer, to find the first one that differs from another
// implementation.
#include <algorithm>
#include <memory>
#include <optional>

#include "apps/commands.h"
#include "apps/ids_file.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"
#include "tensor/format.h"

namespace hadal::apps {
namespace {

struct TraceOptions : ModelOptions {
  std::string ids, out, streams;
};

// Streams of another run, `stream.k` BF16 or F32 [tokens, M, D] for the input of layer k.
class GivenStreams {
 public:
  GivenStreams(const std::string& path, const Config& config, int64_t tokens)
      : file_(Checkpoint::open(path)) {
    for (int k = 0; k < config.num_hidden_layers; ++k) {
      const TensorInfo* tensor = file_->find(fmt::format("stream.{}", k));
      const std::vector<int64_t> want = {tokens, config.hc_mult, config.hidden_size};
      if (tensor == nullptr) fail(ErrorCode::kInvalidFile, "{}: has no tensor stream.{}", path, k);
      if (tensor->shape != want || (tensor->dtype != DType::kBF16 && tensor->dtype != DType::kF32))
        fail(ErrorCode::kInvalidFile, "{}: expected BF16 or F32 [{}, {}, {}]", tensor->place(), want[0],
             want[1], want[2]);
      streams_.push_back(tensor->view());
    }
  }

  // Overwrites the input of layer k for tokens from ... on.
  void replace(int k, int64_t from, View stream) const {
    const View& given = streams_[static_cast<size_t>(k)];
    const int64_t row = given.elements() / given.dim[0], n = stream.elements();
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = from * row + i;
      const float value =
          given.dtype == DType::kF32 ? given.as<const float>()[at] : to_float(given.as<const bf16>()[at]);
      if (stream.dtype == DType::kF32)
        stream.as<float>()[i] = value;
      else
        stream.as<bf16>()[i] = to_bf16(value);
    }
  }

 private:
  std::shared_ptr<Checkpoint> file_;
  std::vector<View> streams_;
};

void run(const TraceOptions& options) {
  constexpr int64_t kChunk = 256;
  const OpenModel open = open_model(options);
  const Model& model = *open.model;
  const Config& config = model.config();
  const std::vector<int32_t> ids = read_ids(options.ids, config.vocab_size);
  const int64_t total = static_cast<int64_t>(ids.size());
  std::optional<GivenStreams> given;
  if (!options.streams.empty()) given.emplace(options.streams, config, total);

  std::vector<TensorSpec> specs;
  for (int k = 0; k <= config.num_hidden_layers; ++k)
    specs.push_back(
        {fmt::format("stream.{}", k), model.activation_dtype(), {total, config.hc_mult, config.hidden_size}});
  const InterruptGuard interrupt;  // before there is an unfinished file to remove
  SafetensorsWriter writer(options.out, specs);

  SequenceState state(model.state_layout(), *open.ops);
  int64_t at = 0;
  const StreamHook hook = [&](int layer, View stream) {
    writer.append(static_cast<size_t>(layer),
                  {stream.data, static_cast<size_t>(stream.elements() * dtype_bytes(stream.dtype))});
    if (given && layer < config.num_hidden_layers) given->replace(layer, at, stream);
  };
  for (; at < total; at += kChunk) {
    interrupt.check();
    const Segment segment{&state, 0, std::min(kChunk, total - at), LogitsWanted::kNone};
    const Batch batch{std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(segment.count)),
                      {&segment, 1}};
    model.forward(Ctx{*open.ops, &hook}, batch, {});
  }
  writer.finish();
}

}  // namespace

void add_trace(CLI::App& app) {
  auto options = std::make_shared<TraceOptions>();
  CLI::App& command =
      *app.add_subcommand("trace", "the residual stream before every layer, written as safetensors");
  add_model_options(command, *options);
  command.add_option("--ids", options->ids, "JSON array of token ids")->required()->check(not_empty());
  command
      .add_option("--out", options->out, "file to write: `stream.0` ... `stream.L` [tokens, copies, hidden]")
      ->required()
      ->check(not_empty());
  command.add_option(
      "--streams", options->streams,
      "safetensors with `stream.k`: layer k starts from it instead of its predecessor's output");
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
