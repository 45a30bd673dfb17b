// Values of synthetic checkpoints. Each tensor is a function of the seed, its name and its place, so it does
// not depend on what else is written. Linear weights have a variance of 1 / inputs, which keeps activations
// near 1 through any number of layers.
#include "model/synth.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "base/atomic_file.h"
#include "base/error.h"
#include "checkpoint/writer.h"
#include "model/inventory.h"
#include "tensor/format.h"

namespace hadal {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;

// SplitMix64: the numbers of a stream by their place.
uint64_t random_at(uint64_t stream, uint64_t place) {
  uint64_t z = stream + (place + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

uint64_t stream_of(uint64_t seed, const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return random_at(hash, seed);
}

// Sixteen values of a normal distribution that are equally likely, and 256 of them: quantiles by bisection of
// the distribution function.
double normal_quantile(double p) {
  double low = -8, high = 8;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

// How the elements of a tensor are spread.
struct Values {
  double mean = 0, deviation = 1;
};

Values values_of(const InventoryEntry& entry) {
  const auto ends = [&](const char* suffix) { return entry.name.ends_with(suffix); };
  if (entry.embedding) return {0, 1};
  if (ends("norm.weight") || ends("enorm.weight") || ends("hnorm.weight")) return {1, 0.1};
  if (ends("_scale")) return {0.5, 0.05};  // of the hyper-connections
  if (ends("_base") || ends(".ape")) return {0, 0.5};
  if (ends("attn_sink")) return {0, 1};
  if (ends("gate.bias")) return {0, 0.01};
  int64_t inputs = entry.shape.back();
  if (entry.dtype == DType::kI8) inputs *= 2;
  return {0, 1 / std::sqrt(static_cast<double>(inputs))};
}

// A deviation as a power of two for the scale and a rest that the codes carry, in [low, 2 low).
struct Scaled {
  int exponent;
  double rest;
};
Scaled scaled(double deviation, double low) {
  const int exponent = static_cast<int>(std::floor(std::log2(deviation / low)));
  return {exponent, std::ldexp(deviation, -exponent)};
}
constexpr double kFp8Deviation = 32, kFp4Deviation = 1;

class TensorSource {
 public:
  // weight: of a scale tensor the entry of its weight.
  TensorSource(const InventoryEntry& entry, const InventoryEntry* weight, const Config& config, uint64_t seed)
      : dtype_(entry.dtype),
        stream_(stream_of(seed, entry.name)),
        columns_(entry.shape.empty() ? 1 : entry.shape.back()),
        experts_(config.n_routed_experts) {
    const Values values = values_of(weight != nullptr ? *weight : entry);
    if (weight != nullptr) {
      const bool fp4 = weight->dtype == DType::kI8;
      base_code_ = 127 + scaled(values.deviation, fp4 ? kFp4Deviation : kFp8Deviation).exponent;
      return;
    }
    for (int i = 0; i < 256; ++i) {
      const double normal = normal_quantile((i + 0.5) / 256);
      const auto at = static_cast<size_t>(i);
      floats_[at] = static_cast<float>(values.mean + values.deviation * normal);
      halves_[at] = to_bf16(floats_[at]).bits;
      if (dtype_ == DType::kF8E4M3)
        codes_[at] = encode_e4m3(static_cast<float>(normal * scaled(values.deviation, kFp8Deviation).rest));
      if (dtype_ == DType::kI8) {
        const double rest = scaled(values.deviation, kFp4Deviation).rest;
        const auto nibble = [&](int n) {
          return encode_e2m1(static_cast<float>(normal_quantile((n + 0.5) / 16) * rest));
        };
        codes_[at] = static_cast<uint8_t>(nibble(i & 15) | nibble(i >> 4) << 4);
      }
    }
  }

  // Elements [first, first + n) to out.
  void fill(int64_t first, int64_t n, std::byte* out) const {
    switch (dtype_) {
      case DType::kF32:
        return look_up(floats_, first, n, out);
      case DType::kBF16:
        return look_up(halves_, first, n, out);
      case DType::kF8E4M3:
      case DType::kI8:
        return look_up(codes_, first, n, out);
      case DType::kF8E8M0:
        for (int64_t i = 0; i < n; ++i)  // a few of the blocks are twice as large
          out[i] = std::byte(static_cast<uint8_t>(
              base_code_ + (random_at(stream_, static_cast<uint64_t>(first + i)) % 8 == 0 ? 1 : 0)));
        return;
      case DType::kI64:
        return fill_experts(first, n, out);
      default:
        HADAL_CHECK(false, "no such tensor in a checkpoint");
    }
  }

 private:
  // Each byte of the stream chooses one of the 256 values of the table.
  template <class T>
  void look_up(const std::array<T, 256>& table, int64_t first, int64_t n, std::byte* out) const {
    HADAL_CHECK(first % 8 == 0);
    for (int64_t i = 0; i < n; i += 8) {
      uint64_t word = random_at(stream_, static_cast<uint64_t>((first + i) / 8));
      T eight[8];
      for (T& value : eight) {
        value = table[word & 0xff];
        word >>= 8;
      }
      std::memcpy(out + i * static_cast<int64_t>(sizeof(T)), eight,
                  static_cast<size_t>(std::min<int64_t>(8, n - i)) * sizeof(T));
    }
  }

  // Rows of different experts.
  void fill_experts(int64_t first, int64_t n, std::byte* out) const {
    HADAL_CHECK(first % columns_ == 0 && n % columns_ == 0 && columns_ <= experts_);
    std::vector<int64_t> ids(static_cast<size_t>(columns_));
    for (int64_t row = first / columns_; row < (first + n) / columns_; ++row) {
      uint64_t draw = random_at(stream_, static_cast<uint64_t>(row));
      for (size_t i = 0; i < ids.size(); ++i) {
        do {
          draw = random_at(stream_, draw);
          ids[i] = static_cast<int64_t>(draw % static_cast<uint64_t>(experts_));
        } while (std::find(ids.begin(), ids.begin() + static_cast<int64_t>(i), ids[i]) !=
                 ids.begin() + static_cast<int64_t>(i));
      }
      std::memcpy(out, ids.data(), ids.size() * sizeof(int64_t));
      out += columns_ * 8;
    }
  }

  DType dtype_;
  uint64_t stream_;
  int64_t columns_, experts_;
  int base_code_ = 127;  // of scales
  std::array<float, 256> floats_{};
  std::array<uint16_t, 256> halves_{};
  std::array<uint8_t, 256> codes_{};
};

void write_text(const std::filesystem::path& file, const std::string& text) {
  AtomicFile out(file);
  out.append(std::as_bytes(std::span(text)));
  out.commit();
}

// Consecutive tensors that share a file.
std::vector<std::vector<const InventoryEntry*>> shards_of(const std::vector<InventoryEntry>& tensors,
                                                          int64_t shard_bytes) {
  std::vector<std::vector<const InventoryEntry*>> shards;
  int64_t room = 0;
  for (const InventoryEntry& entry : tensors) {
    if (shards.empty() || entry.bytes > room) {
      shards.emplace_back();
      room = shard_bytes;
    }
    shards.back().push_back(&entry);
    room -= entry.bytes;
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

}  // namespace

void write_synth(const std::filesystem::path& folder, const std::string& config_json,
                 const SynthOptions& options) {
  const Config config = Config::parse(config_json, "config.json");
  const std::vector<InventoryEntry> tensors = inventory(config);
  std::map<std::string, const InventoryEntry*> by_name;
  int64_t total = 0, done = 0;
  for (const InventoryEntry& entry : tensors) {
    by_name[entry.name] = &entry;
    total += entry.bytes;
  }
  const auto weight_of = [&](const InventoryEntry& entry) -> const InventoryEntry* {
    if (entry.dtype != DType::kF8E8M0) return nullptr;
    return by_name.at(entry.name.substr(0, entry.name.rfind('.')) + ".weight");
  };

  nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", {}}};
  const auto shards = shards_of(tensors, options.shard_bytes);
  std::vector<std::byte> piece;
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string name = shard_name(s, shards.size());
    std::vector<TensorSpec> specs;
    for (const InventoryEntry* entry : shards[s]) {
      specs.push_back({entry->name, entry->dtype, entry->shape});
      index["weight_map"][entry->name] = name;
    }
    SafetensorsWriter writer(folder / name, specs);
    for (size_t t = 0; t < shards[s].size(); ++t) {
      const InventoryEntry& entry = *shards[s][t];
      const TensorSource source(entry, weight_of(entry), config, options.seed);
      const int64_t size = dtype_bytes(entry.dtype), elements = entry.bytes / size;
      // Whole rows of the expert table, whole eights of everything else.
      const int64_t row = entry.dtype == DType::kI64 ? entry.shape.back() : 8;
      const int64_t step = std::max<int64_t>(1, kPieceBytes / size / row) * row;
      for (int64_t at = 0; at < elements; at += step) {
        const int64_t n = std::min(step, elements - at);
        piece.resize(static_cast<size_t>(n * size));
        source.fill(at, n, piece.data());
        writer.append(t, piece);
        done += n * size;
        if (options.progress) options.progress(done, total);
      }
    }
    writer.finish();
  }
  if (shards.size() > 1) write_text(folder / "model.safetensors.index.json", index.dump(1) + "\n");
  write_text(folder / "config.json", config_json);
}

}  // namespace hadal
