// A tokenizer of DeepSeek's shape small enough to work out by hand: BOS and EOS, 256 bytes, a dozen merges,
// the pre-tokenizer of V4, one hole, six added tokens.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/byte_level.h"

namespace hadal::testing {

inline std::string spelled(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += byte_level_symbol(static_cast<uint8_t>(c));
  return out;
}

inline constexpr int kFirstByteId = 2;     // the token of byte b is kFirstByteId + b
inline constexpr int kFirstMergeId = 258;  // the result of merge i is kFirstMergeId + i
inline constexpr int kHole = 290;
inline constexpr int kUser = 291, kThink = 292, kThinkEnd = 293, kThinkLong = 294, kTool = 295, kPad = 296;

inline const std::vector<std::pair<std::string, std::string>>& small_merges() {
  static const std::vector<std::pair<std::string, std::string>> merges = {
      {"h", "e"},   {"l", "l"},   {"he", "ll"}, {"hell", "o"},    {" ", "w"},
      {"o", "r"},   {" w", "or"}, {"l", "d"},   {" wor", "ld"},   {"a", "a"},
      {"aa", "aa"}, {" ", " "},   {"\n", "\n"}, {"1", "2"},       {"12", "3"},
      {"!", "!"},   {"b", "c"},   {"a", "bc"},  {"\xE4", "\xB8"}, {"\xE4\xB8", "\xAD"}};
  return merges;
}

inline int merge_id(std::string_view bytes) {
  for (size_t i = 0; i < small_merges().size(); ++i) {
    if (small_merges()[i].first + small_merges()[i].second == bytes)
      return kFirstMergeId + static_cast<int>(i);
  }
  return -1;
}

inline nlohmann::json v4_pre_tokenizer() {
  const std::vector<std::string> patterns = {
      R"(\p{N}{1,3})", "[一-龥\u3040-ゟ゠-ヿ]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
      "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& pattern : patterns) {
    list.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  list.push_back(
      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", list}};
}

inline nlohmann::json small_tokenizer_json() {
  nlohmann::json vocab = nlohmann::json::object(), merges = nlohmann::json::array(),
                 added = nlohmann::json::array();
  vocab["<bos>"] = 0;
  vocab["<eos>"] = 1;
  for (int b = 0; b < 256; ++b) vocab[byte_level_symbol(static_cast<uint8_t>(b))] = kFirstByteId + b;
  int next = kFirstMergeId;
  for (const auto& [left, right] : small_merges()) {
    vocab[spelled(left + right)] = next++;
    merges.push_back({spelled(left), spelled(right)});
  }
  const auto add = [&](int id, const char* content, bool special, bool normalized) {
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", normalized},
                     {"special", special}});
  };
  add(0, "<bos>", true, false);
  add(1, "<eos>", true, false);
  add(kUser, "<｜User｜>", false, true);
  add(kThink, "<think>", false, true);
  add(kThinkEnd, "</think>", false, true);
  add(kThinkLong, "<think>>", false, true);
  add(kTool, "｜DSML｜", false, true);
  add(kPad, "<pad>", true, false);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", v4_pre_tokenizer()},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

}  // namespace hadal::testing
