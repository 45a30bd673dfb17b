// The checks of a tokenizer.json, in the order of the file: what is not a byte-level BPE of DeepSeek's kind
// is refused, then vocabulary, added tokens and merges are tied together.
#include "text/tokenizer_json.h"

#include <array>
#include <bit>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "text/added_tokens.h"
#include "text/byte_level.h"
#include "text/tokenizer_sax.h"

namespace hadal {

namespace {

using Json = nlohmann::json;

// Token ids by spelling, as in the file. The merges of a large file ask half a million times, so this is a
// flat table (open addressing, at most half full) with part of the hash beside the entry. Spellings are
// borrowed.
class SpellingIndex {
 public:
  explicit SpellingIndex(size_t size) : slots_(std::bit_ceil(size * 2 + 16)) {}

  // False when the spelling is there already.
  bool add(std::string_view spelling, int32_t id) {
    const size_t hash = std::hash<std::string_view>()(spelling);
    const size_t at = find_slot(spelling, hash);
    if (slots_[at].entry != 0) return false;
    entries_.push_back({spelling, id});
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(entries_.size())};
    return true;
  }
  std::optional<int32_t> find(std::string_view spelling) const {
    const uint32_t entry = slots_[find_slot(spelling, std::hash<std::string_view>()(spelling))].entry;
    if (entry == 0) return std::nullopt;
    return entries_[entry - 1].id;
  }

 private:
  struct Slot {
    uint32_t hash = 0, entry = 0;  // entry: place in entries_, plus 1; 0: free
  };
  struct Entry {
    std::string_view spelling;
    int32_t id;
  };
  size_t find_slot(std::string_view spelling, size_t hash) const {
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at].entry != 0 && (slots_[at].hash != static_cast<uint32_t>(hash >> 32) ||
                                     entries_[slots_[at].entry - 1].spelling != spelling)) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return at;
  }
  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
};

class Checker {
 public:
  Checker(std::string name, RawTokenizer raw, Json rest)
      : name_(std::move(name)), raw_(std::move(raw)), rest_(std::move(rest)), spellings_(raw_.vocab.size()) {}

  TokenizerFile run() {
    if (!rest_.is_object()) invalid("the file", "an object");
    for (const char* field : {"truncation", "padding"}) {
      if (!absent(rest_, field)) unsupported(field, rest_[field]);
    }
    check_normalizer();
    for (const char* field : {"post_processor", "decoder"}) {
      if (!absent(rest_, field) && type_of(rest_[field], field) != "ByteLevel")
        unsupported(field, rest_[field]);
    }
    read_pre_tokenizer();
    read_model();
    read_vocab();
    read_added();
    list_vocab();
    read_merges();
    return std::move(out_);
  }

 private:
  [[noreturn]] void invalid(std::string_view field, std::string_view expected) const {
    fail(ErrorCode::kInvalidFile, "{}: {}: expected {}", name_, field, expected);
  }
  [[noreturn]] void unsupported(std::string_view field, const Json& value) const {
    const std::string shown = value.is_object() && value.contains("type") && value["type"].is_string()
                                  ? "type " + quote(value["type"].get_ref<const std::string&>())
                                  : value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80);
    fail(ErrorCode::kUnsupported, "{}: {} is {}, which this program does not do", name_, field, shown);
  }
  static bool absent(const Json& object, const char* key) {
    return !object.contains(key) || object[key].is_null();
  }

  const std::string& type_of(const Json& object, std::string_view field) const {
    if (!object.is_object() || !object.contains("type") || !object["type"].is_string()) {
      invalid(field, "an object with a \"type\"");
    }
    return object["type"].get_ref<const std::string&>();
  }
  bool flag(const Json& object, const char* key, bool otherwise, const std::string& field) const {
    if (absent(object, key)) return otherwise;
    if (!object[key].is_boolean()) invalid(field + "." + key, "true or false");
    return object[key].get<bool>();
  }

  // A sequence of no normalizers changes nothing, and files of the DeepSeek family have one.
  void check_normalizer() const {
    if (absent(rest_, "normalizer")) return;
    const Json& normalizer = rest_["normalizer"];
    const bool empty = type_of(normalizer, "normalizer") == "Sequence" &&
                       normalizer.contains("normalizers") && normalizer["normalizers"].is_array() &&
                       normalizer["normalizers"].empty();
    if (!empty) unsupported("normalizer", normalizer);
  }

  void read_pre_tokenizer() {
    if (absent(rest_, "pre_tokenizer")) invalid("pre_tokenizer", "a Sequence of Split and one ByteLevel");
    const Json& pre = rest_["pre_tokenizer"];
    if (type_of(pre, "pre_tokenizer") == "ByteLevel") return check_byte_level(pre, "pre_tokenizer");
    if (type_of(pre, "pre_tokenizer") != "Sequence") unsupported("pre_tokenizer", pre);
    if (!pre.contains("pretokenizers") || !pre["pretokenizers"].is_array() || pre["pretokenizers"].empty()) {
      invalid("pre_tokenizer.pretokenizers", "a list of Split and one ByteLevel");
    }
    const Json& list = pre["pretokenizers"];
    if (list.size() > kMaxPasses)
      invalid("pre_tokenizer.pretokenizers", fmt::format("at most {} entries", kMaxPasses));
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string field = fmt::format("pre_tokenizer.pretokenizers[{}]", i);
      const std::string& type = type_of(list[i], field);
      if (type == "Split") {
        if (i + 1 == list.size()) invalid(field, "ByteLevel as the last entry");
        read_split(list[i], field);
      } else if (type == "ByteLevel") {
        if (i + 1 != list.size()) unsupported(field + " (before the last)", list[i]);
        check_byte_level(list[i], field);
      } else {
        unsupported(field, list[i]);
      }
    }
  }
  // add_prefix_space and use_regex are true where the file does not say.
  void check_byte_level(const Json& entry, const std::string& field) const {
    for (const char* key : {"add_prefix_space", "use_regex"}) {
      if (flag(entry, key, true, field)) unsupported(field + "." + key, true);
    }
  }
  void read_split(const Json& entry, const std::string& field) {
    if (flag(entry, "invert", false, field)) unsupported(field + ".invert", true);
    if (!entry.contains("behavior") || entry["behavior"] != "Isolated") {
      unsupported(field + ".behavior", entry.value("behavior", Json()));
    }
    const Json pattern = entry.value("pattern", Json());
    if (!pattern.is_object() || pattern.size() != 1 || !pattern.begin().value().is_string() ||
        (pattern.begin().key() != "Regex" && pattern.begin().key() != "String")) {
      invalid(field + ".pattern", "{\"Regex\": text} or {\"String\": text}");
    }
    out_.passes.push_back({pattern.begin().value().get<std::string>(), pattern.begin().key() == "String",
                           name_ + ": " + field + ".pattern"});
  }

  void read_model() {
    if (absent(rest_, "model")) invalid("model", "an object");
    const Json& model = rest_["model"];
    if (type_of(model, "model") != "BPE") unsupported("model", model);
    for (const char* key : {"dropout", "unk_token"}) {
      if (!absent(model, key)) unsupported(std::string("model.") + key, model[key]);
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!absent(model, key) && model[key] != "") unsupported(std::string("model.") + key, model[key]);
    }
    for (const char* key : {"fuse_unk", "byte_fallback"}) {
      if (flag(model, key, false, "model")) unsupported(std::string("model.") + key, true);
    }
    out_.ignore_merges = flag(model, "ignore_merges", false, "model");
    // Anything but an object or a list was left in the tree.
    if (!raw_.has_vocab || model.contains("vocab")) invalid("model.vocab", "an object of token: id");
    if (!raw_.has_merges || model.contains("merges")) invalid("model.merges", "a list of pairs of tokens");
  }

  void read_vocab() {
    for (const auto& [token, id] : raw_.vocab) {
      if (token.empty())
        fail(ErrorCode::kInvalidFile, "{}: model.vocab has an empty token (id {})", name_, id);
      if (!spellings_.add(token, id)) {
        fail(ErrorCode::kInvalidFile, "{}: model.vocab lists {} twice", name_, quote(token));
      }
      std::string_view& owner = owner_of(id);
      if (!owner.empty()) {
        fail(ErrorCode::kInvalidFile, "{}: model.vocab gives id {} to {} and to {}", name_, id, quote(owner),
             quote(token));
      }
      owner = token;
    }
    for (int byte = 0; byte < 256; ++byte) {
      const std::string symbol = byte_level_symbol(static_cast<uint8_t>(byte));
      const auto id = spellings_.find(symbol);
      if (!id) {
        fail(ErrorCode::kInvalidFile, "{}: model.vocab has no token {} for byte 0x{:02X}", name_,
             quote(symbol), byte);
      }
      byte_ids_[static_cast<size_t>(byte)] = *id;
    }
  }

  void read_added() {
    if (absent(rest_, "added_tokens")) return;
    const Json& list = rest_["added_tokens"];
    if (!list.is_array()) invalid("added_tokens", "a list");
    std::unordered_map<std::string_view, size_t> literals;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string field = fmt::format("added_tokens[{}]", i);
      const Json& entry = list[i];
      if (!entry.is_object()) invalid(field, "an object");
      for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        if (flag(entry, key, false, field)) unsupported(field + "." + key, true);
      }
      if (!entry.contains("content") || !entry["content"].is_string())
        invalid(field + ".content", "a string");
      const auto& content = entry["content"].get_ref<const std::string&>();
      if (content.empty() || content.size() > LiteralMatcher::kMaxLength) {
        invalid(field + ".content", fmt::format("1..{} bytes", LiteralMatcher::kMaxLength));
      }
      const auto id = entry.contains("id") && entry["id"].is_number_unsigned() ? entry["id"].get<uint64_t>()
                                                                               : uint64_t{UINT64_MAX};
      if (id >= TokenizerFile::kMaxVocabSize) {
        invalid(field + ".id", fmt::format("an id in 0..{}", TokenizerFile::kMaxVocabSize - 1));
      }
      if (!literals.emplace(content, i).second) {
        fail(ErrorCode::kInvalidFile, "{}: {}.content {} is listed twice", name_, field, quote(content));
      }
      tie_to_vocab(static_cast<int32_t>(id), content, field);
      out_.added.push_back({static_cast<int32_t>(id), content, flag(entry, "special", false, field),
                            flag(entry, "normalized", true, field)});
    }
  }
  // An added token may repeat an entry of the vocabulary; then both must agree.
  void tie_to_vocab(int32_t id, std::string_view content, const std::string& field) {
    const auto spelled = spellings_.find(content);
    if (spelled && *spelled != id) {
      fail(ErrorCode::kInvalidFile, "{}: {} gives {} the id {}; model.vocab gives it {}", name_, field,
           quote(content), id, *spelled);
    }
    std::string_view& owner = owner_of(id);
    if (!owner.empty() && owner != content) {
      fail(ErrorCode::kInvalidFile, "{}: {} gives the id {} to {}; it belongs to {}", name_, field, id,
           quote(content), quote(owner));
    }
    owner = content;
    added_ids_.insert(id);
  }
  // The spelling that has the id so far; empty when none has.
  std::string_view& owner_of(int32_t id) {
    if (static_cast<size_t>(id) >= owners_.size()) owners_.resize(static_cast<size_t>(id) + 1);
    return owners_[static_cast<size_t>(id)];
  }

  void list_vocab() {
    out_.vocab.reserve(raw_.vocab.size());
    for (const auto& [token, id] : raw_.vocab) {
      if (added_ids_.contains(id)) continue;
      if (auto bytes = byte_level_decode(token)) {
        out_.vocab.push_back({id, std::move(*bytes), true});
      } else {
        out_.vocab.push_back({id, token, false});
      }
    }
  }

  void read_merges() {
    std::vector<Merge> merges;
    merges.reserve(raw_.merges.size());
    std::string joined;
    for (size_t i = 0; i < raw_.merges.size(); ++i) {
      const auto& [left, right] = raw_.merges[i];
      joined.assign(left).append(right);
      const auto id = [&](std::string_view token) {
        const auto found = spellings_.find(token);
        if (!found) {
          fail(ErrorCode::kInvalidFile,
               "{}: model.merges[{}] needs the token {}, which is not in model.vocab", name_, i,
               quote(token));
        }
        return *found;
      };
      merges.push_back({id(left), id(right), id(joined)});
    }
    out_.bpe = Bpe(byte_ids_, std::move(merges));
    if (const auto at = out_.bpe.repeated()) {
      fail(ErrorCode::kInvalidFile, "{}: model.merges[{}] repeats the pair {} {}", name_, *at,
           quote(raw_.merges[*at].first), quote(raw_.merges[*at].second));
    }
  }

  static constexpr size_t kMaxPasses = 64;

  std::string name_;
  RawTokenizer raw_;
  Json rest_;
  SpellingIndex spellings_;
  std::vector<std::string_view> owners_;  // by id
  std::unordered_set<int32_t> added_ids_;
  std::array<int32_t, 256> byte_ids_{};
  TokenizerFile out_;
};

}  // namespace

TokenizerFile parse_tokenizer_json(std::string_view json, std::string_view name) {
  Json rest;
  RawTokenizer raw = parse_raw_tokenizer(json, std::string(name), rest);
  return Checker(std::string(name), std::move(raw), std::move(rest)).run();
}

}  // namespace hadal
