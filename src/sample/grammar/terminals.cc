#include "sample/grammar/terminals.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace hadal::grammar {
namespace {

constexpr uint32_t kFirstSurrogate = 0xD800, kFirstLow = 0xDC00, kLastSurrogate = 0xDFFF;
constexpr uint32_t kMostEdges = 6;  // more are looked up in a table
constexpr std::string_view kSpace = " \t\n\r";

constexpr uint32_t kFirstLead = 0xC2, kLastLead = 0xF4;

// The characters of more than one byte that begin with this one.
struct Lead {
  uint8_t more;  // bytes
  uint32_t low, high;
};

Lead characters_of(uint8_t byte) {
  if (byte < 0xE0) return {1, (byte & 0x1Fu) << 6, (byte & 0x1Fu) << 6 | 0x3F};
  if (byte < 0xF0) {
    const uint32_t start = (byte & 0xFu) << 12;
    return {2, std::max(start, 0x800u), byte == 0xED ? kFirstSurrogate - 1 : start | 0xFFF};
  }
  const uint32_t start = (byte & 7u) << 18;
  return {3, std::max(start, 0x10000u), std::min(start | 0x3FFFF, kLastChar)};
}

int hex_value(int byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

}  // namespace

size_t Terminals::KeyHash::operator()(const Key& key) const {
  uint64_t hash = key.expr;
  const auto mix = [&hash](uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
  };
  mix(static_cast<uint64_t>(key.phase) << 16 | static_cast<uint64_t>(key.n) << 8 | key.json);
  mix(static_cast<uint64_t>(key.low) << 32 | key.high);
  return hash;
}

Terminals::Terminals(ExprPool& pool) : pool_(pool) {
  keys_.push_back({});
  rows_.push_back({.filled = true});
}

StateId Terminals::intern(const Key& key) {
  if (const auto known = index_.find(key); known != index_.end()) return known->second;
  bytes_ += static_cast<int64_t>(sizeof(Key) * 2 + sizeof(Row) + 48);
  if (bytes_ > ExprPool::kMaxBytes)
    fail(ErrorCode::kInvalidInput, "the grammar is too complex: its states take more than {} MiB",
         ExprPool::kMaxBytes >> 20);
  const auto id = static_cast<StateId>(keys_.size());
  keys_.push_back(key);
  rows_.push_back({});
  index_.emplace(key, id);
  return id;
}

StateId Terminals::after_char(ExprId e, bool json) {
  if (pool_.empty(e)) return kDead;
  return intern({.expr = e, .phase = json ? Phase::kInside : Phase::kRaw, .json = json});
}

StateId Terminals::raw(ExprId e) {
  return after_char(e, false);
}

StateId Terminals::json_string(ExprId e, uint8_t space) {
  if (pool_.empty(e)) return kDead;
  return intern({.expr = e, .phase = Phase::kOpen, .n = space, .json = true});
}

ExprId Terminals::between(StateId state) const {
  const Key& key = keys_[state];
  return key.phase == Phase::kRaw || key.phase == Phase::kInside ? key.expr : ExprPool::kNone;
}

// Whether some character of [low, high], which is no surrogate, leads on.
bool Terminals::alive(ExprId e, uint32_t low, uint32_t high) {
  const std::vector<ExprPool::Piece> pieces = pool_.pieces(e);
  for (size_t i = 0; i < pieces.size() && pieces[i].begin <= high; ++i) {
    const uint32_t first = std::max(pieces[i].begin, low);
    const uint32_t last = std::min(i + 1 < pieces.size() ? pieces[i + 1].begin - 1 : kLastChar, high);
    if (first > last || (first >= kFirstSurrogate && last <= kLastSurrogate)) continue;
    if (!pool_.empty(pieces[i].to)) return true;
  }
  return false;
}

StateId Terminals::lead(StateId state, uint8_t byte) {
  const Key key = keys_[state];
  const Lead lead = characters_of(byte);
  const StateId to = intern({.expr = key.expr,
                             .phase = Phase::kMore,
                             .n = lead.more,
                             .json = key.json,
                             .low = lead.low,
                             .high = lead.high});
  if (rows_[state].dense >= 0) (*dense_[static_cast<size_t>(rows_[state].dense)])[byte] = to;
  return to;
}

// Bytes that begin a character, or are one.
void Terminals::characters(const Key& key, std::array<StateId, 256>& row) {
  const std::vector<ExprPool::Piece> pieces = pool_.pieces(key.expr);
  for (size_t i = 0; i < pieces.size() && pieces[i].begin < 0x80; ++i) {
    const uint32_t end = std::min(i + 1 < pieces.size() ? pieces[i + 1].begin : 0x80, 0x80u);
    const StateId to = pieces[i].to == ExprPool::kNone ? kDead : after_char(pieces[i].to, key.json);
    for (uint32_t c = pieces[i].begin; c < end; ++c) row[c] = to;
  }
  if (pieces.size() > 1 || pieces[0].to != ExprPool::kNone)
    for (uint32_t byte = kFirstLead; byte <= kLastLead; ++byte) {
      const Lead lead = characters_of(static_cast<uint8_t>(byte));
      if (alive(key.expr, lead.low, lead.high)) row[byte] = kLater;
    }
  if (!key.json) return;
  std::fill(row.begin(), row.begin() + 0x20, kDead);
  row['"'] =
      pool_.nullable(key.expr) ? intern({.expr = key.expr, .phase = Phase::kDone, .json = true}) : kDead;
  row['\\'] = alive(key.expr, 0, kLastChar)
                  ? intern({.expr = key.expr, .phase = Phase::kEscape, .json = true})
                  : kDead;
}

// After a \u escape of this code unit.
StateId Terminals::unit_done(const Key& key, uint32_t unit) {
  if (key.phase == Phase::kLowHex) return after_char(pool_.derive(key.expr, unit), true);
  if (unit < kFirstSurrogate || unit > kLastSurrogate) return after_char(pool_.derive(key.expr, unit), true);
  if (unit >= kFirstLow) return kDead;
  const uint32_t low = 0x10000 + ((unit - kFirstSurrogate) << 10);
  if (!alive(key.expr, low, low | 0x3FF)) return kDead;
  return intern(
      {.expr = key.expr, .phase = Phase::kLowBackslash, .json = true, .low = low, .high = low | 0x3FF});
}

// kHex: [low, high] are code units that the digits so far leave; kLowHex: characters of which the digits so
// far say the last ten bits in part.
void Terminals::hex_digits(const Key& key, std::array<StateId, 256>& row) {
  const bool is_low = key.phase == Phase::kLowHex;
  for (int byte = '0'; byte <= 'f'; ++byte) {
    const int digit = hex_value(byte);
    if (digit < 0) continue;
    const uint32_t value = key.high << 4 | static_cast<uint32_t>(digit);  // high: the digits so far
    const uint8_t left = static_cast<uint8_t>(key.n - 1);
    if (left == 0) {
      if (!is_low)
        row[byte] = unit_done(key, value);
      else if (value >= kFirstLow && value <= kLastSurrogate)
        row[byte] = unit_done(key, key.low + (value - kFirstLow));
      continue;
    }
    const uint32_t first = value << (4 * left), last = first | ((1u << (4 * left)) - 1);
    bool goes_on = false;
    if (is_low) {
      const uint32_t from = std::max(first, kFirstLow), to = std::min(last, kLastSurrogate);
      goes_on = from <= to && alive(key.expr, key.low + (from - kFirstLow), key.low + (to - kFirstLow));
    } else {
      goes_on = alive(key.expr, first, last);
      const uint32_t from = std::max(first, kFirstSurrogate), to = std::min(last, kFirstLow - 1);
      if (!goes_on && from <= to)
        goes_on = alive(key.expr, 0x10000 + ((from - kFirstSurrogate) << 10),
                        0x10000 + ((to - kFirstSurrogate) << 10) + 0x3FF);
    }
    if (goes_on)
      row[byte] = intern(
          {.expr = key.expr, .phase = key.phase, .n = left, .json = true, .low = key.low, .high = value});
  }
}

void Terminals::compute(StateId state) {
  const Key key = keys_[state];
  std::array<StateId, 256> row{};
  switch (key.phase) {
    case Phase::kDead:
    case Phase::kDone:
      break;
    case Phase::kOpen:
      if (key.n > 0) {
        const StateId spaced = key.n == kAnySpace ? state : json_string(key.expr, key.n - 1);
        for (const char c : kSpace) row[static_cast<uint8_t>(c)] = spaced;
      }
      row['"'] = after_char(key.expr, true);
      break;
    case Phase::kRaw:
    case Phase::kInside:
      characters(key, row);
      break;
    case Phase::kMore: {
      const uint32_t shift = 6u * (key.n - 1u);
      for (uint32_t byte = 0x80; byte < 0xC0; ++byte) {
        const uint32_t start = (key.low & ~((64u << shift) - 1)) | (byte & 0x3F) << shift;
        const uint32_t low = std::max(start, key.low), high = std::min(start | ((1u << shift) - 1), key.high);
        if (low > high) continue;
        if (key.n == 1)
          row[byte] = after_char(pool_.derive(key.expr, low), key.json);
        else if (alive(key.expr, low, high))
          row[byte] = intern({.expr = key.expr,
                              .phase = Phase::kMore,
                              .n = static_cast<uint8_t>(key.n - 1),
                              .json = key.json,
                              .low = low,
                              .high = high});
      }
      break;
    }
    case Phase::kEscape: {
      constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
      for (size_t i = 0; i < names.size(); ++i)
        row[static_cast<uint8_t>(names[i])] =
            after_char(pool_.derive(key.expr, static_cast<uint8_t>(values[i])), true);
      row['u'] = intern({.expr = key.expr, .phase = Phase::kHex, .n = 4, .json = true});
      break;
    }
    case Phase::kHex:
    case Phase::kLowHex:
      hex_digits(key, row);
      break;
    case Phase::kLowBackslash:
      row['\\'] =
          intern({.expr = key.expr, .phase = Phase::kLowU, .json = true, .low = key.low, .high = key.high});
      break;
    case Phase::kLowU:
      row['u'] = intern({.expr = key.expr, .phase = Phase::kLowHex, .n = 4, .json = true, .low = key.low});
      break;
  }
  Row filled{.filled = true, .edges = static_cast<uint32_t>(edges_.size())};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (row[byte] == kDead) continue;
    filled.bytes.set(byte);
    if (filled.count > 0 && edges_.back().to == row[byte] && edges_.back().last + 1u == byte)
      edges_.back().last = static_cast<uint8_t>(byte);
    else
      edges_.push_back({static_cast<uint8_t>(byte), static_cast<uint8_t>(byte), row[byte]}), ++filled.count;
  }
  if (filled.count > kMostEdges) {
    filled.dense = static_cast<int32_t>(dense_.size());
    dense_.push_back(std::make_unique<std::array<StateId, 256>>(row));
    bytes_ += static_cast<int64_t>(sizeof(row));
  }
  bytes_ += static_cast<int64_t>(filled.count * sizeof(Edge));
  rows_[state] = filled;
}

StateId Terminals::step(StateId state, std::string_view bytes) {
  for (const char byte : bytes) {
    fill(state);
    state = step(state, static_cast<uint8_t>(byte));
  }
  return state;
}

StateId Terminals::step_special(StateId state, int32_t id) {
  if (keys_[state].phase != Phase::kRaw) return kDead;
  return after_char(pool_.derive(keys_[state].expr, kFirstSpecial + static_cast<uint32_t>(id)), false);
}

std::vector<int32_t> Terminals::specials(StateId state) {
  std::vector<int32_t> ids;
  if (keys_[state].phase != Phase::kRaw) return ids;
  const std::vector<ExprPool::Piece> pieces = pool_.pieces(keys_[state].expr);
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    if (pieces[i].to == ExprPool::kNone || pieces[i + 1].begin <= kFirstSpecial) continue;
    if (pool_.empty(pieces[i].to)) continue;
    for (uint32_t c = std::max(pieces[i].begin, kFirstSpecial); c < pieces[i + 1].begin; ++c)
      ids.push_back(static_cast<int32_t>(c - kFirstSpecial));
  }
  return ids;
}

}  // namespace hadal::grammar
