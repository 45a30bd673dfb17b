// The model against outputs of DeepSeek's published inference code (tests/golden/README.md): logits and
// drafts of whole models, every layer alone from the exact input stream, greedy text, and both modes of
// numerics.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/checkpoint.h"
#include "cpu/cpu_ops.h"
#include "model/model.h"
#include "ops/scalar.h"

namespace hadal {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HADAL_SOURCE_DIR) / "tests/golden";
const std::filesystem::path kShared = std::filesystem::path(HADAL_SOURCE_DIR) / "../shared/golden";

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  return nlohmann::json::parse(in);
}

// A tensor of a golden file as floats or integers.
class Golden {
 public:
  explicit Golden(const std::filesystem::path& path) : file_(Checkpoint::open(path)) {}

  bool has(const std::string& name) const { return file_->find(name) != nullptr; }
  View view(const std::string& name) const { return file_->find(name)->view(); }
  std::vector<int32_t> ids(const std::string& name) const {
    const View v = view(name);
    return {v.as<const int64_t>(), v.as<const int64_t>() + v.elements()};
  }

 private:
  std::shared_ptr<Checkpoint> file_;
};

struct Run {
  std::vector<float> logits, mtp_logits;  // after every token
};

Run run(const Model& model, Ops& ops, const std::vector<int32_t>& ids) {
  const int64_t n = static_cast<int64_t>(ids.size()), vocab = model.config().vocab_size;
  Run out{std::vector<float>(n * vocab), std::vector<float>((n - 1) * vocab)};
  const Arena::Frame frame(ops.arena());
  SequenceState state(model.state_layout(), ops);
  const View streams =
      ops.arena().alloc({n, model.config().hc_mult, model.config().hidden_size}, model.activation_dtype());
  const Segment all{&state, 0, n, LogitsWanted::kAll}, drafts{&state, 0, n - 1, LogitsWanted::kAll};
  model.forward(Ctx{ops}, Batch{ids, {&all, 1}}, {View(out.logits.data(), DType::kF32, {n, vocab}), streams});
  if (model.has_mtp() && n > 1)
    model.draft(Ctx{ops}, Batch{std::span(ids).subspan(1), {&drafts, 1}}, streams.slice(0, 0, n - 1),
                {View(out.mtp_logits.data(), DType::kF32, {n - 1, vocab}), {}});
  return out;
}

struct Difference {
  double worst = 0, kl = 0;
};

// Rows `positions` of got against want [positions, vocab].
Difference compare(const std::vector<float>& got, const std::vector<int32_t>& positions, const View& want) {
  Difference d;
  const int64_t vocab = want.dim[1];
  const auto log_softmax = [&](const float* row) {
    const double top = *std::max_element(row, row + vocab);
    double sum = 0;
    for (int64_t i = 0; i < vocab; ++i) sum += std::exp(row[i] - top);
    std::vector<double> out(vocab);
    for (int64_t i = 0; i < vocab; ++i) out[i] = row[i] - top - std::log(sum);
    return out;
  };
  for (size_t p = 0; p < positions.size(); ++p) {
    const float* a = got.data() + positions[p] * vocab;
    const float* b = want.row<const float>(static_cast<int64_t>(p));
    const std::vector<double> la = log_softmax(a), lb = log_softmax(b);
    for (int64_t i = 0; i < vocab; ++i) {
      d.worst = std::max<double>(d.worst, std::fabs(a[i] - b[i]));
      d.kl += std::exp(lb[i]) * (lb[i] - la[i]) / static_cast<double>(positions.size());
    }
  }
  return d;
}

void check_folder(const std::filesystem::path& folder) {
  const nlohmann::json info = read_json(folder / "golden.json");
  const Golden golden(folder / "golden.safetensors");
  CpuOps ops{CpuOptions{}};
  for (const Numerics numerics : {Numerics::kFp32, Numerics::kRelease}) {
    const auto model = Model::open(folder, numerics);
    for (const auto& [sequence, meta] : info["sequences"].items()) {
      const std::string prefix = sequence + "." + std::string(numerics_name(numerics));
      if (!golden.has(prefix + ".logits")) continue;
      SCOPED_TRACE(folder.string() + " " + prefix);
      const std::vector<int32_t> ids = golden.ids(sequence + ".ids");
      const Run got = run(*model, ops, ids);
      for (const bool mtp : {false, true}) {
        if (mtp && !model->has_mtp()) continue;
        const Difference d = compare(mtp ? got.mtp_logits : got.logits,
                                     golden.ids(sequence + (mtp ? ".mtp_positions" : ".positions")),
                                     golden.view(prefix + (mtp ? ".mtp_logits" : ".logits")));
        if (numerics == Numerics::kFp32)
          EXPECT_LE(d.worst, info["limits"]["fp32_abs"].get<double>()) << (mtp ? "mtp" : "main");
        else
          EXPECT_LE(d.kl, info["limits"]["release_kl"].get<double>()) << (mtp ? "mtp" : "main");
      }
      if (numerics == Numerics::kFp32 && meta.value("greedy_min_margin", 0.0) > 1e-3) {
        std::vector<int32_t> text(ids.begin(), ids.begin() + 33);
        const size_t vocab = static_cast<size_t>(model->config().vocab_size);
        const std::vector<int32_t> want = golden.ids(sequence + ".greedy");
        while (text.size() < 33 + want.size()) {
          const std::vector<float> logits = run(*model, ops, text).logits;
          const auto row = logits.end() - static_cast<int64_t>(vocab);
          text.push_back(static_cast<int32_t>(std::max_element(row, logits.end()) - row));
        }
        EXPECT_TRUE(std::equal(want.begin(), want.end(), text.begin() + 33));
      }
    }
  }
}

// Each layer from the exact stream before it: the share of bf16 values of the stream after it that are the
// same.
void check_layers(const std::filesystem::path& folder) {
  const Golden golden(folder / "streams.safetensors");
  const double limit = read_json(folder / "golden.json")["limits"]["layer_equal"].get<double>();
  const auto model = Model::open(folder, Numerics::kRelease);
  CpuOps ops{CpuOptions{}};
  SequenceState state(model->state_layout(), ops);
  int checked = 0;
  const StreamHook hook = [&](int layer, View stream) {
    const View want = golden.view("stream." + std::to_string(layer));
    ASSERT_EQ(want.elements(), stream.elements());
    int64_t equal = 0;
    for (int64_t i = 0; i < want.elements(); ++i)
      equal += want.as<const uint16_t>()[i] == stream.as<const uint16_t>()[i];
    if (layer > 0) {  // stream.0 is what the golden layers were given, not always an embedding
      EXPECT_GE(static_cast<double>(equal), limit * static_cast<double>(want.elements()))
          << "before layer " << layer;
    }
    std::memcpy(stream.data, want.data, static_cast<size_t>(want.elements()) * 2);
    ++checked;
  };
  const std::vector<int32_t> ids = golden.ids("ids");
  const Segment segment{&state, 0, static_cast<int64_t>(ids.size()), LogitsWanted::kNone};
  model->forward(Ctx{ops, &hook}, Batch{ids, {&segment, 1}}, {});
  EXPECT_EQ(checked, model->config().num_hidden_layers + 1);
}

TEST(GoldenModel, ReleasedFormat) {
  check_folder(kGolden / "tiny-fp8fp4");
}
TEST(GoldenModel, ReleasedFormatLayerByLayer) {
  check_layers(kGolden / "tiny-fp8fp4");
}
TEST(GoldenModel, BaseFormatLayerByLayer) {
  check_layers(kGolden / "base-layers");
}

// Larger folders, where they are at hand.
class SharedGolden : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Folders, SharedGolden,
                         testing::Values("tiny-f32", "tiny-base", "pro-like", "flash-like"));
TEST_P(SharedGolden, Logits) {
  if (!std::filesystem::exists(kShared / GetParam())) GTEST_SKIP() << "no reference folder " << GetParam();
  check_folder(kShared / GetParam());
}

// Prefill against decode around the threshold where the indexer begins to choose (2,052 tokens with top-k
// 512).
TEST(GoldenModel, TopKThresholdOfFlash) {
  const std::filesystem::path folder = kShared / "flash-like";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no reference folder flash-like";
  const std::vector<int32_t> ids = Golden(folder / "golden.safetensors").ids("A.ids");
  const auto model = Model::open(folder, Numerics::kRelease);
  const int64_t vocab = model->config().vocab_size;
  CpuOps ops{CpuOptions{}};
  const auto append = [&](SequenceState& state, int64_t from, int64_t n) {
    std::vector<float> logits(static_cast<size_t>(n * vocab));
    const Segment segment{&state, 0, n, LogitsWanted::kAll};
    model->forward(Ctx{ops}, Batch{std::span(ids).subspan(from, n), {&segment, 1}},
                   {View(logits.data(), DType::kF32, {n, vocab}), {}});
    return logits;
  };
  SequenceState whole(model->state_layout(), ops), stepped(model->state_layout(), ops);
  const std::vector<float> want = append(whole, 0, 2060);
  append(stepped, 0, 2045);
  for (int64_t t = 2045; t < 2060; ++t) {
    const std::vector<float> got = append(stepped, t, 1);
    EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin() + t * vocab)) << t;
  }
}

}  // namespace
}  // namespace hadal
