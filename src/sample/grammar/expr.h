// Regular expressions over characters, closed under and, or and not, with derivatives: the language of what
// may follow a character is again an expression. (Brzozowski 1964; with ranges of characters at once as in
// Owens, Reppy, Turon, "Regular-expression derivatives re-examined", 2009.) Equal expressions have equal ids,
// so an automaton over ids is built state by state, as far as a text really goes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sample/grammar/char_classes.h"
#include "sample/grammar/charset.h"

namespace hadal::grammar {

using ExprId = uint32_t;

// Strings to choose from, each with a number of its own. UTF-8, ascending, no two equal.
struct LiteralSet {
  std::vector<std::string> texts;
  std::vector<uint32_t> tags;  // one for each
};

// Owns its expressions; ids are valid as long as it lives. Not thread-safe. Throws Error{kInvalidInput} when
// they take more than a limit of memory (kMaxBytes).
class ExprPool {
 public:
  static constexpr ExprId kNone = 0;     // no text at all
  static constexpr ExprId kEmpty = 1;    // the empty text
  static constexpr ExprId kAnyChar = 2;  // any one character
  static constexpr ExprId kAll = 3;      // every text
  static constexpr uint32_t kUnbounded = UINT32_MAX;
  static constexpr int64_t kMaxBytes = int64_t{256} << 20;

  ExprPool();

  ExprId set(const CharSet& chars);
  ExprId text(std::string_view utf8);  // exactly this text
  ExprId concat(ExprId a, ExprId b);
  ExprId concat(std::initializer_list<ExprId> parts);
  ExprId either(std::vector<ExprId> alternatives);
  ExprId both(std::vector<ExprId> conditions);
  ExprId negate(ExprId a);  // every text of characters (not of specials) that a does not have
  ExprId repeat(ExprId a, uint32_t min, uint32_t max = kUnbounded);
  ExprId optional(ExprId a) { return either({kEmpty, a}); }
  // One of these. texts need not be sorted or unique; the tag of a text is its place in the vector, the first
  // one's if it comes twice.
  ExprId literals(const std::vector<std::string>& texts);
  // Decimal numbers without sign and exponent that are multiples of step / 10^decimals, leading zeros and
  // all; a point has digits behind it. step in [1, 2^31), decimals at most 100.
  ExprId multiples(uint32_t step, uint32_t decimals);

  // What may come over and over: texts of `body`, which go on with the loop itself, or those of `then`. The
  // body is said afterwards, once; it is made with the loop inside, which is under no negation there.
  ExprId open_loop(ExprId then);
  void close_loop(ExprId loop, ExprId body);

  bool nullable(ExprId e) const { return nodes_[e].nullable; }
  // The languages after one character, for all characters at once: pieces ascending, the first begins at 0,
  // each up to the next one's begin. The reference is valid until the next call.
  struct Piece {
    uint32_t begin = 0;
    ExprId to = kNone;
  };
  const std::vector<Piece>& pieces(ExprId e);
  ExprId derive(ExprId e, uint32_t c);
  ExprId derive(ExprId e, std::string_view utf8);
  // Whether a text is in it. The text is valid UTF-8.
  bool matches(ExprId e, std::string_view utf8);
  // Where it is any so many characters, neither more nor less than told: the most; otherwise none.
  std::optional<uint32_t> any_run(ExprId e) const;
  // An expression that stands for this one as long as at most `chars` characters are read: what follows any
  // of them is something or nothing, and may end, in both alike. It does not tell how much is left of long
  // repetitions, so it stands for many. Itself, and kUnbounded, where that cannot be.
  struct Relaxed {
    ExprId e = kNone;
    uint32_t chars = kUnbounded;
  };
  Relaxed relaxed(ExprId e) { return relax(e, 0); }
  // Whether it has no text. Throws Error{kInvalidInput} where finding out takes too long.
  bool empty(ExprId e);
  // For a literal set that has read a whole literal: its tag; -1 for anything else.
  int64_t tag(ExprId e) const;
  // Its texts, if they are at most `most` and can be told (literal sets, characters, and what is built of
  // them without and and not). False otherwise.
  bool enumerate(ExprId e, size_t most, std::vector<std::string>& texts);

  int64_t bytes() const { return bytes_; }
  // Named sets of characters, kept for all patterns of the pool.
  CharClasses& classes() { return classes_; }

 private:
  enum class Kind : uint8_t {
    kNone,
    kEmpty,
    kSet,
    kConcat,
    kOr,
    kAnd,
    kNot,
    kRepeat,
    kLiterals,
    kMultiple,
    kLoop
  };
  struct Node {
    Kind kind = Kind::kNone;
    bool nullable = false;
    bool may_be_empty = false;  // and or not somewhere inside: emptiness is not plain to see
    // Children; kSet, kLiterals: index of the set; kOr, kAnd: offset and count; kLoop: then, body.
    uint32_t a = 0, b = 0;
    // kRepeat: min, max; kLiterals: b to c are left, after d bytes; kLoop: the loop's number.
    uint32_t c = 0, d = 0;
    bool operator==(const Node&) const = default;
  };
  // Of kMultiple: step, the remainder of the digits so far (b), decimals (c), where it is (d).
  enum Digits : uint32_t { kNoDigit, kWhole, kPoint };  // kPoint + n: n digits behind the point

  ExprId intern(const Node& node, std::span<const ExprId> children = {});
  ExprId many(Kind kind, std::vector<ExprId> parts);
  void grow(int64_t bytes);
  std::span<const ExprId> children(const Node& node) const { return {&lists_[node.a], node.b}; }
  std::vector<Piece> compute_pieces(ExprId e);
  Relaxed relax(ExprId e, int depth);
  Relaxed relax_limited(const Node& node, ExprId e, int depth);
  struct Lengths {
    uint64_t shortest = 0, to_go = 0;
  };
  Lengths lengths(ExprId e, int depth);
  Lengths find_lengths(const Node& node, ExprId e, int depth);
  ExprId guard(ExprId e, int depth, std::unordered_map<ExprId, ExprId>& known);
  void add_unknown_parts(ExprId e, std::vector<ExprId>& into) const;
  std::vector<Piece> set_pieces(const CharSet& chars) const;
  std::vector<Piece> literal_pieces(const Node& node);
  ExprId multiple(uint32_t step, uint32_t seen, uint32_t decimals, uint32_t place);
  std::vector<Piece> multiple_pieces(const Node& node);
  template <class Map>
  std::vector<Piece> map(ExprId e, Map&& f);
  std::vector<Piece> sweep(std::span<const std::vector<Piece>> parts, bool all);
  static void put(std::vector<Piece>& pieces, uint32_t begin, ExprId to);
  bool walk_texts(ExprId e, std::string& prefix, size_t most, size_t& steps, std::vector<std::string>& texts);

  std::vector<Node> nodes_;
  std::vector<ExprId> lists_;
  std::unordered_multimap<uint64_t, ExprId> index_;
  std::unordered_multimap<uint64_t, uint32_t> set_index_, literal_index_;
  std::vector<CharSet> sets_;
  std::vector<std::shared_ptr<const LiteralSet>> literals_;
  std::vector<std::unique_ptr<std::vector<Piece>>> pieces_;  // by expression, null: not computed
  std::vector<uint8_t> emptiness_;                           // by expression: unknown, no, yes
  std::unordered_map<ExprId, Relaxed> relaxed_;
  std::unordered_map<ExprId, Lengths> lengths_;
  CharClasses classes_;
  uint32_t loops_ = 0;
  int64_t bytes_ = 0;
};

// The character at `at` of valid UTF-8, moving `at` behind it.
uint32_t next_char(std::string_view utf8, size_t& at);

}  // namespace hadal::grammar
