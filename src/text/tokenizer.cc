#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "base/error.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace hadal {

namespace {

constexpr uint8_t kAdded = 1, kSpecial = 2;
constexpr size_t kMaxText = size_t{1} << 31;

// What short pieces became, for the length of one call: text repeats its words. Direct mapped.
class PieceCache {
 public:
  explicit PieceCache(size_t text_bytes)
      : slots_(std::bit_ceil(std::clamp<size_t>(text_bytes / 16, 16, 8192))),
        shift_(64 - std::countr_zero(slots_.size())) {}

  struct Slot {
    uint64_t low = 0, high = 0;
    uint8_t bytes = 0, count = 0;  // bytes 0: free
    std::array<int32_t, 5> ids{};
  };
  static constexpr size_t kMaxBytes = 16;

  // The place of a piece of at most kMaxBytes; holds() tells whether it is there already.
  Slot& slot(std::string_view piece) {
    low_ = high_ = 0;
    std::memcpy(&low_, piece.data(), std::min<size_t>(piece.size(), 8));
    if (piece.size() > 8) std::memcpy(&high_, piece.data() + 8, piece.size() - 8);
    bytes_ = static_cast<uint8_t>(piece.size());
    const uint64_t hash = (low_ ^ std::rotl(high_, 29) ^ bytes_) * 0x9E3779B97F4A7C15u;
    return slots_[static_cast<size_t>((hash ^ (hash >> 29)) * 0xD6E8FEB86659FD93u >> shift_)];
  }
  bool holds(const Slot& slot) const {
    return slot.bytes == bytes_ && slot.low == low_ && slot.high == high_;
  }
  void store(Slot& slot, const int32_t* ids, size_t n) const {
    if (n > slot.ids.size()) return;
    slot.low = low_;
    slot.high = high_;
    slot.bytes = bytes_;
    slot.count = static_cast<uint8_t>(n);
    std::copy_n(ids, n, slot.ids.begin());
  }

 private:
  std::vector<Slot> slots_;
  int shift_;
  uint64_t low_ = 0, high_ = 0;  // the piece last looked up
  uint8_t bytes_ = 0;
};

}  // namespace

struct Tokenizer::Data {
  Pretokenizer pretokenizer;
  Bpe bpe;
  std::string bytes;              // of all tokens, by id
  std::vector<uint32_t> offsets;  // [vocab_size + 1] into bytes; a hole has no bytes
  std::vector<uint8_t> flags;     // [vocab_size]
  LiteralMatcher exact, normalized;
  std::unordered_map<std::string_view, int32_t> whole;  // with ignore_merges: every token that a piece can be

  int32_t size() const { return static_cast<int32_t>(flags.size()); }
  bool has(int32_t id) const { return id >= 0 && id < size() && offsets[id] != offsets[id + 1]; }
  uint8_t flags_of(int32_t id) const { return id >= 0 && id < size() ? flags[id] : 0; }
  std::string_view token(int32_t id) const {
    if (!has(id))
      fail(ErrorCode::kInvalidInput, "token id {} is not in the vocabulary (0..{})", id, size() - 1);
    return std::string_view(bytes).substr(offsets[id], offsets[id + 1] - offsets[id]);
  }
};

// The state of one encode call.
class Tokenizer::Encoder {
 public:
  Encoder(const Data& data, size_t text_bytes) : data_(data), cache_(text_bytes) {
    if (text_bytes >= kMaxText) {
      fail(ErrorCode::kInvalidInput, "a text of {} bytes; at most {} can be encoded at once", text_bytes,
           kMaxText - 1);
    }
    ids_.reserve(text_bytes / 4 + 8);
  }

  void text(std::string_view text) {
    while (!text.empty()) {
      const size_t valid = utf8_valid_prefix(text);
      pieces(text.substr(0, valid));
      text.remove_prefix(valid);
      size_t broken = 0;
      while (broken < text.size()) {
        const Utf8Unit unit = utf8_unit(text.substr(broken));
        if (unit.valid) break;
        broken += unit.length;
      }
      if (broken > 0) piece(text.substr(0, broken));
      text.remove_prefix(broken);
    }
  }

  // Calls rest for each stretch between matches.
  template <class Rest>
  void literals(const LiteralMatcher& matcher, std::string_view text, Rest rest) {
    size_t done = 0;
    while (const auto match = matcher.find(text, done)) {
      rest(text.substr(done, match->begin - done));
      ids_.push_back(match->id);
      done = match->end;
    }
    rest(text.substr(done));
  }

  std::vector<int32_t> take() { return std::move(ids_); }

 private:
  void pieces(std::string_view text) {
    size_t begin = 0;
    for (const uint32_t end : data_.pretokenizer.split(text, split_scratch_)) {
      piece(text.substr(begin, end - begin));
      begin = end;
    }
  }

  void piece(std::string_view piece) {
    if (piece.size() > PieceCache::kMaxBytes) return encode(piece);
    PieceCache::Slot& slot = cache_.slot(piece);
    if (cache_.holds(slot)) {
      ids_.insert(ids_.end(), slot.ids.begin(), slot.ids.begin() + slot.count);
      return;
    }
    const size_t before = ids_.size();
    encode(piece);
    cache_.store(slot, ids_.data() + before, ids_.size() - before);
  }

  void encode(std::string_view piece) {
    if (!data_.whole.empty()) {
      if (const auto it = data_.whole.find(piece); it != data_.whole.end()) return ids_.push_back(it->second);
    }
    data_.bpe.encode(piece, bpe_scratch_, ids_);
  }

  const Data& data_;
  PieceCache cache_;
  Pretokenizer::Scratch split_scratch_;
  BpeScratch bpe_scratch_;
  std::vector<int32_t> ids_;
};

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  const auto [name, content] = read_tokenizer_file(path);
  return parse(content, name);
}

Tokenizer Tokenizer::parse(std::string_view json, std::string_view name) {
  return Tokenizer(parse_tokenizer_json(json, name));
}

Tokenizer::Tokenizer(TokenizerFile file) {
  int32_t size = 0;
  for (const auto& entry : file.vocab) size = std::max(size, entry.id + 1);
  for (const auto& token : file.added) size = std::max(size, token.id + 1);

  auto data =
      std::make_shared<Data>(Data{Pretokenizer(file.passes), std::move(file.bpe), {}, {}, {}, {}, {}, {}});
  data->flags.assign(size, 0);
  // Lengths first, then where each token starts, then the bytes.
  data->offsets.assign(size_t(size) + 1, 0);
  for (const auto& entry : file.vocab)
    data->offsets[entry.id + 1] = static_cast<uint32_t>(entry.bytes.size());
  std::vector<LiteralMatcher::Literal> exact, normalized;
  for (const auto& token : file.added) {
    data->offsets[token.id + 1] = static_cast<uint32_t>(token.literal.size());
    data->flags[token.id] = static_cast<uint8_t>(kAdded | (token.special ? kSpecial : 0));
    (token.normalized ? normalized : exact).push_back({token.literal, token.id});
  }
  for (int32_t id = 0; id < size; ++id) data->offsets[id + 1] += data->offsets[id];
  data->bytes.resize(data->offsets[size]);
  for (const auto& entry : file.vocab)
    entry.bytes.copy(data->bytes.data() + data->offsets[entry.id], entry.bytes.size());
  for (const auto& token : file.added)
    token.literal.copy(data->bytes.data() + data->offsets[token.id], token.literal.size());
  data->exact = LiteralMatcher(std::move(exact));
  data->normalized = LiteralMatcher(std::move(normalized));
  if (file.ignore_merges) {
    for (const auto& entry : file.vocab) {
      if (entry.byte_level) data->whole.emplace(data->token(entry.id), entry.id);
    }
  }
  data_ = std::move(data);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  Encoder encoder(*data_, text.size());
  encoder.text(text);
  return encoder.take();
}

// What follows can lengthen the last piece, and a run of white space at the end: a line break that comes
// later takes the spaces before it.
size_t Tokenizer::settled(std::string_view text) const {
  text = text.substr(0, utf8_valid_prefix(text));
  const auto is_space = [&](size_t at) {  // or may be one
    return static_cast<uint8_t>(text[at]) <= ' ' || static_cast<uint8_t>(text[at]) >= 0x7F;
  };
  size_t run = text.size();
  while (run > 0 && is_space(run - 1)) --run;
  Pretokenizer::Scratch scratch;
  const std::vector<uint32_t>& ends = data_->pretokenizer.split(text, scratch);
  size_t settled = 0;
  for (size_t i = 0; i + 1 < ends.size() && ends[i] <= run; ++i) settled = ends[i];
  return settled;
}

std::vector<int32_t> Tokenizer::encode_with_added(std::string_view text) const {
  Encoder encoder(*data_, text.size());
  encoder.literals(data_->exact, text, [&](std::string_view stretch) {
    encoder.literals(data_->normalized, stretch, [&](std::string_view plain) { encoder.text(plain); });
  });
  return encoder.take();
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string raw;
  for (const int32_t id : ids) {
    const std::string_view token = data_->token(id);
    if (!skip_special || !is_special(id)) raw += token;
  }
  if (utf8_valid_prefix(raw) == raw.size()) return raw;
  std::string out;
  utf8_append_lossy(out, raw, false);
  return out;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  return data_->token(id);
}
bool Tokenizer::has_token(int32_t id) const {
  return data_->has(id);
}
bool Tokenizer::is_added(int32_t id) const {
  return (data_->flags_of(id) & kAdded) != 0;
}
bool Tokenizer::is_special(int32_t id) const {
  return (data_->flags_of(id) & kSpecial) != 0;
}
int32_t Tokenizer::vocab_size() const {
  return data_->size();
}

std::optional<int32_t> Tokenizer::added_id(std::string_view literal) const {
  const auto id = data_->exact.id(literal);
  return id ? id : data_->normalized.id(literal);
}

}  // namespace hadal
