// Expressions as automata over bytes. A terminal reads a stretch of the output: either its bytes are the text
// of an expression (raw), or they are a JSON string, quotes and escapes and all, whose value is the text.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sample/grammar/expr.h"

namespace hadal::grammar {

using StateId = uint32_t;

// States are made when they are first asked for. Every state but kDead can still end well. Borrows the pool.
// Not thread-safe; throws what the pool throws.
class Terminals {
 public:
  static constexpr StateId kDead = 0;

  explicit Terminals(ExprPool& pool);

  // Begins a raw text, or a JSON string (at its opening quote; up to `space` characters of JSON white space
  // may come before it). kDead if nothing is in the expression.
  static constexpr uint8_t kAnySpace = 255;  // any number
  StateId raw(ExprId e);
  StateId json_string(ExprId e, uint8_t space);

  StateId step(StateId state, uint8_t byte) {
    const StateId to = rows_[state].dense >= 0 ? (*dense_[static_cast<size_t>(rows_[state].dense)])[byte]
                                               : sparse(state, byte);
    return to != kLater ? to : lead(state, byte);
  }
  StateId step(StateId state, std::string_view bytes);
  // In a JSON string between characters, the rest of it being a text of the expression.
  StateId inside(ExprId e) { return after_char(e, true); }
  // After the special token of this id.
  StateId step_special(StateId state, int32_t id);
  // Ids of special tokens that may come now.
  std::vector<int32_t> specials(StateId state);

  // The transitions of a state; without this they are not known to step(). Call it once for every state
  // reached.
  void fill(StateId state) {
    if (!rows_[state].filled) compute(state);
  }
  // A JSON string that has had its closing quote: nothing can follow in it.
  bool is_done(StateId state) const { return keys_[state].phase == Phase::kDone; }
  bool accepts(StateId state) const { return keys_[state].phase == Phase::kDone || accepts_raw(state); }
  // Of an accepting state whose expression is a literal set: which literal it was; else -1.
  int64_t tag(StateId state) const { return pool_.tag(keys_[state].expr); }
  // Bytes that lead on. The state is filled.
  const std::bitset<256>& first_bytes(StateId state) const { return rows_[state].bytes; }

  // Where a state is between characters, inside a raw text or a JSON string: its expression; else kNone.
  ExprId between(StateId state) const;
  bool in_json_string(StateId state) const { return keys_[state].phase == Phase::kInside; }

  size_t size() const { return keys_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  enum class Phase : uint8_t {
    kDead,
    kRaw,     // between characters
    kOpen,    // a quote is to come; n: `space` of json_string
    kInside,  // between characters of a JSON string
    kMore,    // inside a character: n more bytes; it is one of [low, high]; then kRaw or kInside (json)
    kEscape,  // behind a backslash
    kHex,     // behind \u and 4 - n digits; the code unit is one of [low, high]
    kLowBackslash,
    kLowU,
    kLowHex,  // the second half of a surrogate pair: low and high as in kHex
    kDone,
  };
  struct Key {
    ExprId expr = ExprPool::kNone;
    Phase phase = Phase::kDead;
    uint8_t n = 0;
    bool json = false;
    uint32_t low = 0, high = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Edge {
    uint8_t first = 0, last = 0;
    StateId to = kDead;
  };
  struct Row {
    bool filled = false;
    int32_t dense = -1;
    uint32_t edges = 0, count = 0;
    std::bitset<256> bytes{};
  };

  // A transition into the middle of a character: there are fifty from every state between characters, and few
  // are ever taken.
  static constexpr StateId kLater = UINT32_MAX;
  StateId lead(StateId state, uint8_t byte);

  StateId intern(const Key& key);
  StateId after_char(ExprId e, bool json);
  bool alive(ExprId e, uint32_t low, uint32_t high);
  void compute(StateId state);
  void characters(const Key& key, std::array<StateId, 256>& row);
  void hex_digits(const Key& key, std::array<StateId, 256>& row);
  StateId unit_done(const Key& key, uint32_t unit);
  StateId sparse(StateId state, uint8_t byte) const {
    const Row& row = rows_[state];
    for (uint32_t i = row.edges; i < row.edges + row.count; ++i)
      if (byte <= edges_[i].last) return byte >= edges_[i].first ? edges_[i].to : kDead;
    return kDead;
  }
  bool accepts_raw(StateId state) const {
    return keys_[state].phase == Phase::kRaw && pool_.nullable(keys_[state].expr);
  }

  ExprPool& pool_;
  std::vector<Key> keys_;
  std::vector<Row> rows_;
  std::vector<Edge> edges_;
  std::vector<std::unique_ptr<std::array<StateId, 256>>> dense_;
  std::unordered_map<Key, StateId, KeyHash> index_;
  int64_t bytes_ = 0;
};

}  // namespace hadal::grammar
