#include "model/inspect.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

namespace hadal {
namespace {

// For the program, activations and the rest of the system.
constexpr int64_t kReservedBytes = int64_t{1} << 30;

std::string format_name(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "F32";
    case WeightFormat::kBF16:
      return "BF16";
    case WeightFormat::kFP8:
      return "FP8";
    case WeightFormat::kFP4:
      return "FP4";
  }
  return "?";
}

MemoryFit fit_in(const Config& config, const Inspection& facts, int64_t expert_bytes, int64_t memory) {
  MemoryFit fit;
  fit.memory = memory;
  fit.reserved = std::min(kReservedBytes, memory / 4);
  fit.always_read = facts.size.bytes - expert_bytes;
  const int64_t room = memory - fit.reserved;
  fit.whole = facts.size.bytes <= room;
  fit.without_experts = fit.always_read <= room;
  const int64_t left = room - (fit.whole ? facts.size.bytes : fit.always_read);
  fit.longest_context = left > 0 ? longest_sequence(config, left) : 0;
  return fit;
}

}  // namespace

Inspection inspect(const Config& config, const Weights& weights, int64_t memory) {
  Inspection out;
  const Checkpoint& checkpoint = *weights.source;
  out.shape = shape_name(config);
  out.dense = format_name(weights.layers.front().attn.wq_a.format);
  out.experts = format_name(weights.layers.front().ffn.experts.front().w1.format);
  out.mtp = weights.mtp.has_value();
  out.shards = static_cast<int64_t>(checkpoint.shards());
  out.stored_tensors = static_cast<int64_t>(checkpoint.stored_tensors());
  out.stored_bytes = checkpoint.stored_bytes();

  const std::vector<InventoryEntry> used = inventory(config, weights);
  out.size = model_size(config, used);
  std::set<std::string_view> used_names;
  int64_t expert_bytes = 0;
  for (const InventoryEntry& entry : used) {
    used_names.insert(entry.name);
    if (entry.routed_expert) expert_bytes += entry.bytes;
  }

  // A fused tensor is one tensor, however many slices of it are looked up.
  std::map<DType, DTypeCount> counts;
  std::set<std::pair<std::string_view, std::string_view>> fused;
  for (const auto& [name, info] : checkpoint.tensors()) {
    DTypeCount& count = counts[info.dtype];
    count.dtype = info.dtype;
    count.bytes += static_cast<int64_t>(info.bytes.size());
    const bool first = !info.slice || fused.emplace(info.file, info.name).second;
    count.tensors += first;
    out.unused_tensors += first && !used_names.contains(name);
  }
  for (const auto& [dtype, count] : counts) out.by_dtype.push_back(count);
  for (const int64_t tokens : {int64_t{4096}, int64_t{131072}, int64_t{1048576}})
    out.contexts.push_back({tokens, sequence_bytes(config, tokens)});
  out.fit = fit_in(config, out, expert_bytes, memory);
  return out;
}

int64_t machine_memory() {
  std::ifstream info("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  while (info >> key) {
    if (key == "MemTotal:" && info >> kilobytes) return kilobytes * 1024;
    info.ignore(1 << 20, '\n');
  }
  return 0;
}

}  // namespace hadal
