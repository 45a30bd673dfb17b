#include "model/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "model/inventory.h"
#include "model/model.h"
#include "support/files.h"
#include "tensor/format.h"

namespace hadal {
namespace {

using test::TempFolder;

std::string tiny() {
  return synth_config("tiny");
}

SynthOptions seeded(uint64_t seed) {
  SynthOptions options;
  options.seed = seed;
  return options;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The files hold what the config asks for, and a model opens on them.
TEST(Synth, HasTheInventoryOfItsConfig) {
  const TempFolder folder;
  write_synth(folder.path(), tiny(), seeded(1));
  const auto checkpoint = Checkpoint::open(folder.path());
  const Config config = Config::load(folder.path());
  const auto expected = inventory(config);
  EXPECT_EQ(checkpoint->stored_tensors(), expected.size());
  for (const InventoryEntry& entry : expected) {
    const TensorInfo* info = checkpoint->find(entry.name);
    ASSERT_NE(info, nullptr) << entry.name;
    EXPECT_EQ(info->dtype, entry.dtype) << entry.name;
    EXPECT_EQ(info->shape, entry.shape) << entry.name;
  }
  const Weights weights = Weights::bind(checkpoint, config);
  EXPECT_NO_THROW(validate_values(weights, config));
}

TEST(Synth, LogitsAreFiniteAndDiffer) {
  const TempFolder folder;
  write_synth(folder.path(), tiny(), seeded(1));
  for (const Numerics numerics : {Numerics::kRelease, Numerics::kFp32}) {
    const auto model = Model::open(folder.path(), numerics);
    CpuOps ops({.threads = 1, .isa = {}});
    SequenceState state(model->state_layout(), ops);
    std::vector<int32_t> ids(300);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 37 % 300);
    const auto vocab = model->config().vocab_size;
    const View logits = ops.arena().alloc({300, vocab}, DType::kF32);
    const Segment segment{&state, 0, 300, LogitsWanted::kAll};
    model->forward(Ctx{ops}, Batch{ids, {&segment, 1}}, Outputs{logits, {}});
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < logits.elements(); ++i) {
      const float value = logits.as<const float>()[i];
      ASSERT_TRUE(std::isfinite(value));
      sum += value;
      squares += value * value;
    }
    const double n = static_cast<double>(logits.elements()), mean = sum / n;
    const double deviation = std::sqrt(squares / n - mean * mean);
    EXPECT_GT(deviation, 0.2);
    EXPECT_LT(deviation, 5);
  }
}

// Weights as decoded have a deviation of 1 / sqrt(inputs) in every format.
TEST(Synth, Deviations) {
  const TempFolder folder;
  write_synth(folder.path(), synth_config("long", 2), seeded(3));
  const auto checkpoint = Checkpoint::open(folder.path());
  const auto scale_at = [&](const std::string& name, int64_t row, int64_t column) {
    const TensorInfo* scale = checkpoint->find(name + ".scale");
    const auto code = static_cast<int>(scale->bytes[static_cast<size_t>(row * scale->shape[1] + column)]);
    return std::ldexp(1.0, code - 127);
  };
  const auto deviation_of = [&](const std::string& name) {
    const TensorInfo* info = checkpoint->find(name + ".weight");
    const auto* bytes = reinterpret_cast<const uint8_t*>(info->bytes.data());
    const int64_t rows = info->shape[0], columns = info->shape[1];
    double squares = 0, count = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        const uint8_t byte = bytes[r * columns + c];
        if (info->dtype == DType::kF8E4M3) {
          const double value = decode_e4m3(byte) * scale_at(name, r / 128, c / 128);
          squares += value * value;
          ++count;
        } else if (info->dtype == DType::kI8) {
          for (const int nibble : {byte & 15, byte >> 4}) {
            const double value = decode_e2m1(static_cast<uint8_t>(nibble)) * scale_at(name, r, c / 16);
            squares += value * value;
            ++count;
          }
        } else {
          bf16 half;
          std::memcpy(&half, bytes + (r * columns + c) * 2, 2);
          squares += to_float(half) * to_float(half);
          ++count;
        }
      }
    return std::sqrt(squares / count);
  };
  EXPECT_NEAR(deviation_of("layers.0.attn.wq_a") * 16, 1, 0.5);  // FP8, 256 inputs
  EXPECT_NEAR(deviation_of("layers.0.ffn.experts.1.w1") * 16, 1, 0.3);
  EXPECT_NEAR(deviation_of("layers.0.ffn.experts.1.w2") * std::sqrt(128.0), 1, 0.3);
  EXPECT_NEAR(deviation_of("head") * 16, 1, 0.1);
}

TEST(Synth, TheSeedIsTheBytes) {
  const TempFolder one, two, other;
  write_synth(one.path(), tiny(), seeded(5));
  write_synth(two.path(), tiny(), seeded(5));
  write_synth(other.path(), tiny(), seeded(6));
  const std::string bytes = content(one / "model.safetensors");
  EXPECT_EQ(bytes, content(two / "model.safetensors"));
  EXPECT_NE(bytes, content(other / "model.safetensors"));
}

// A tensor's bytes do not depend on the layers and files beside it.
TEST(Synth, TensorsAreIndependent) {
  const TempFolder all, first, shards;
  write_synth(all.path(), tiny(), seeded(5));
  write_synth(first.path(), synth_config("tiny", 1), seeded(5));
  SynthOptions options = seeded(5);
  options.shard_bytes = 100'000;
  write_synth(shards.path(), tiny(), options);
  const auto whole = Checkpoint::open(all.path());
  for (const auto& folder : {first.path(), shards.path()}) {
    const auto part = Checkpoint::open(folder);
    for (const auto& [name, info] : part->tensors()) {
      const TensorInfo* same = whole->find(name);
      ASSERT_NE(same, nullptr) << name;
      EXPECT_TRUE(std::equal(info.bytes.begin(), info.bytes.end(), same->bytes.begin(), same->bytes.end()))
          << name;
    }
  }
  EXPECT_GT(Checkpoint::open(shards.path())->shards(), 5u);
  EXPECT_EQ(Checkpoint::open(shards.path())->tensors().size(), whole->tensors().size());
}

TEST(Synth, ExpertsOfARowDiffer) {
  const TempFolder folder;
  write_synth(folder.path(), synth_config("tiny", 0, 9), seeded(2));
  const auto checkpoint = Checkpoint::open(folder.path());
  const TensorInfo* table = checkpoint->find("layers.0.ffn.gate.tid2eid");
  ASSERT_NE(table, nullptr);
  std::set<int64_t> all;
  for (int64_t row = 0; row < table->shape[0]; ++row) {
    std::set<int64_t> ids;
    for (int64_t i = 0; i < table->shape[1]; ++i) {
      int64_t id = -1;
      std::memcpy(&id, table->bytes.data() + (row * table->shape[1] + i) * 8, 8);
      EXPECT_TRUE(id >= 0 && id < 9);
      ids.insert(id);
    }
    EXPECT_EQ(static_cast<int64_t>(ids.size()), table->shape[1]);
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), 9u);
}

TEST(Synth, StopsWhenProgressThrows) {
  const TempFolder folder;
  SynthOptions options;
  int64_t last = 0;
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_LE(done, total);
    last = done;
    if (done > total / 2) fail(ErrorCode::kCancelled, "enough");
  };
  EXPECT_THROW(write_synth(folder.path(), tiny(), options), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder / "config.json"));
}

}  // namespace
}  // namespace hadal
