#include "checkpoint/name_map.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

namespace hadal {
namespace {

using Parts = std::vector<std::string_view>;
using Renames = std::span<const std::pair<std::string_view, std::string_view>>;

constexpr std::pair<std::string_view, std::string_view> kBlock[] = {
    {"self_attn", "attn"},
    {"mlp", "ffn"},
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
};
constexpr std::pair<std::string_view, std::string_view> kAttention[] = {
    {"q_a_proj", "wq_a"}, {"q_a_norm", "q_norm"}, {"q_a_layernorm", "q_norm"},
    {"q_b_proj", "wq_b"}, {"kv_proj", "wkv"},     {"kv_a_layernorm", "kv_norm"},
    {"o_a_proj", "wo_a"}, {"o_b_proj", "wo_b"},   {"sinks", "attn_sink"},
};
constexpr std::pair<std::string_view, std::string_view> kCompressor[] = {
    {"kv_proj", "wkv"},
    {"gate_proj", "wgate"},
    {"position_bias", "ape"},
    {"kv_norm", "norm"},
};
constexpr std::pair<std::string_view, std::string_view> kExpert[] = {
    {"gate_proj", "w1"},
    {"down_proj", "w2"},
    {"up_proj", "w3"},
};

void rename(std::string_view& part, Renames table) {
  for (const auto& [from, to] : table)
    if (part == from) {
      part = to;
      return;
    }
}

Parts split(std::string_view name) {
  Parts parts;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, dot - begin));
    begin = dot + 1;
  }
  return parts;
}

std::string join(std::span<const std::string_view> parts) {
  std::string out(parts.front());
  for (const std::string_view part : parts.subspan(1)) {
    out += '.';
    out += part;
  }
  return out;
}

// parts: ["layers", "3", "attn", "compressor", ...], the block already renamed. The indexer lies inside the
// compressor in `transformers` and beside it in the inference names.
void rename_attention(Parts& parts) {
  if (parts.size() < 4) return;
  if (parts[3] != "compressor" && parts[3] != "indexer") {
    rename(parts[3], kAttention);
    return;
  }
  if (parts.size() >= 6 && parts[3] == "compressor" && parts[4] == "indexer") parts.erase(parts.begin() + 3);
  if (parts.size() < 5) return;
  if (parts[3] == "compressor") {
    rename(parts[4], kCompressor);
    return;
  }
  if (parts[4] == "compressor") {
    if (parts.size() > 5) rename(parts[5], kCompressor);
    return;
  }
  if (parts[4] == "scorer") parts.erase(parts.begin() + 4);
  if (parts.size() > 4 && parts[4] == "q_b_proj") parts[4] = "wq_b";
  if (parts.size() < 5) return;
  const std::string_view before = parts[4];
  rename(parts[4], kCompressor);
  if (parts[4] != before) parts.insert(parts.begin() + 4, "compressor");
}

void rename_moe(Parts& parts) {
  if (parts.size() < 5) return;
  if (parts[3] == "gate" && parts[4] == "e_score_correction_bias") parts[4] = "bias";
  if (parts[3] == "shared_experts") rename(parts[4], kExpert);
  if (parts[3] == "experts" && parts.size() > 5) rename(parts[5], kExpert);
}

// "attn_hc.fn" -> "hc_attn_fn"; empty when parts are something else.
std::string hyper_connection(const Parts& parts) {
  if (parts.size() != 4) return {};
  if (parts[3] != "fn" && parts[3] != "base" && parts[3] != "scale") return {};
  const char* site = parts[2] == "attn_hc" ? "hc_attn_" : parts[2] == "ffn_hc" ? "hc_ffn_" : nullptr;
  if (site == nullptr) return {};
  return join(std::span(parts).first(2)) + "." + site + std::string(parts[3]);
}

std::string global_name(Parts& parts) {
  if (parts.size() == 2 && parts[0] == "hc_head" && parts[1].starts_with("hc_"))
    return "hc_head_" + std::string(parts[1].substr(3));
  if (parts[0] == "embed_tokens") parts[0] = "embed";
  if (parts[0] == "lm_head") parts[0] = "head";
  return join(parts);
}

std::string_view without_model(std::string_view name) {
  constexpr std::string_view kPrefix = "model.";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

}  // namespace

std::string canonical_name(std::string_view name) {
  Parts parts = split(without_model(name));
  if (parts.back() == "weight_scale_inv") parts.back() = "scale";
  if (parts.size() < 3 || (parts[0] != "layers" && parts[0] != "mtp")) return global_name(parts);
  if (std::string connected = hyper_connection(parts); !connected.empty()) return connected;
  rename(parts[2], kBlock);
  if (parts[2] == "attn") rename_attention(parts);
  if (parts[2] == "ffn") rename_moe(parts);
  return join(parts);
}

std::optional<FusedExperts> fused_experts(std::string_view name) {
  Parts parts = split(without_model(name));
  if (parts.size() < 5 || parts.size() > 6 || (parts[0] != "layers" && parts[0] != "mtp"))
    return std::nullopt;
  rename(parts[2], kBlock);
  if (parts[2] != "ffn" || parts[3] != "experts") return std::nullopt;

  FusedExperts out;
  std::string_view rest = parts[4];
  if (rest.starts_with("gate_up_proj")) {
    out.gate_up = true;
    rest.remove_prefix(std::string_view("gate_up_proj").size());
  } else if (rest.starts_with("down_proj")) {
    rest.remove_prefix(std::string_view("down_proj").size());
  } else {
    return std::nullopt;
  }
  const std::string_view leaf = parts.size() == 6 ? parts[5] : std::string_view();
  if (rest.empty() && (leaf.empty() || leaf == "weight"))
    out.scale = false;
  else if ((rest.empty() && (leaf == "scale" || leaf == "weight_scale_inv")) ||
           (leaf.empty() && (rest == "_scale" || rest == "_scale_inv")))
    out.scale = true;
  else
    return std::nullopt;
  out.prefix = join(std::span(parts).first(4)) + ".";
  return out;
}

}  // namespace hadal
