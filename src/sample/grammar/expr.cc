#include "sample/grammar/expr.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace hadal::grammar {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  return hash * 0xFF51AFD7ED558CCDu;
}

constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

}  // namespace

ExprPool::ExprPool() {
  nodes_.push_back({});
  nodes_.push_back({.kind = Kind::kEmpty, .nullable = true});
  sets_.push_back(CharSet::any());
  nodes_.push_back({.kind = Kind::kSet});
  nodes_.push_back({.kind = Kind::kRepeat, .nullable = true, .a = kAnyChar, .c = 0, .d = kUnbounded});
  pieces_.resize(nodes_.size());
  emptiness_.resize(nodes_.size());
}

void ExprPool::grow(int64_t bytes) {
  bytes_ += bytes;
  if (bytes_ > kMaxBytes)
    fail(ErrorCode::kInvalidInput, "the grammar is too complex: its patterns take more than {} MiB",
         kMaxBytes >> 20);
}

ExprId ExprPool::intern(const Node& node, std::span<const ExprId> children) {
  uint64_t hash = static_cast<uint64_t>(node.kind);
  if (node.kind == Kind::kOr || node.kind == Kind::kAnd) {
    for (const ExprId child : children) hash = mix(hash, child);
  } else {
    for (const uint32_t part : {node.a, node.b, node.c, node.d}) hash = mix(hash, part);
  }
  const auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Node& other = nodes_[it->second];
    if (other.kind != node.kind) continue;
    if (node.kind == Kind::kOr || node.kind == Kind::kAnd) {
      if (std::ranges::equal(this->children(other), children)) return it->second;
    } else if (other.a == node.a && other.b == node.b && other.c == node.c && other.d == node.d) {
      return it->second;
    }
  }
  grow(static_cast<int64_t>(sizeof(Node) + 64 + children.size() * sizeof(ExprId)));
  const auto id = static_cast<ExprId>(nodes_.size());
  nodes_.push_back(node);
  if (!children.empty()) {
    nodes_.back().a = static_cast<uint32_t>(lists_.size());
    nodes_.back().b = static_cast<uint32_t>(children.size());
    lists_.insert(lists_.end(), children.begin(), children.end());
  }
  pieces_.emplace_back();
  emptiness_.push_back(0);
  index_.emplace(hash, id);
  return id;
}

ExprId ExprPool::set(const CharSet& chars) {
  if (chars == sets_[0]) return kAnyChar;
  const std::vector<CharRange>& ranges = chars.ranges();
  if (ranges.empty() || (ranges[0].first >= kFirstSurrogate && ranges.back().last <= kLastSurrogate))
    return kNone;  // half of a surrogate pair is in no text
  uint64_t hash = 0;
  for (const CharRange& range : ranges) hash = mix(hash, uint64_t{range.first} << 32 | range.last);
  const auto [begin, end] = set_index_.equal_range(hash);
  for (auto it = begin; it != end; ++it)
    if (sets_[it->second] == chars) return intern({.kind = Kind::kSet, .a = it->second});
  grow(static_cast<int64_t>(sizeof(CharSet) + 48 + ranges.size() * sizeof(CharRange)));
  const auto index = static_cast<uint32_t>(sets_.size());
  sets_.push_back(chars);
  set_index_.emplace(hash, index);
  return intern({.kind = Kind::kSet, .a = index});
}

ExprId ExprPool::text(std::string_view utf8) {
  if (size_t at = 0; !utf8.empty()) {
    const uint32_t first = next_char(utf8, at);
    if (at == utf8.size()) return set(CharSet::one(first));
  }
  return literals({std::string(utf8)});
}

ExprId ExprPool::literals(const std::vector<std::string>& texts) {
  if (texts.empty()) return kNone;
  if (texts.size() == 1 && texts[0].empty()) return kEmpty;
  std::vector<uint32_t> order(texts.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&texts](uint32_t x, uint32_t y) { return texts[x] < texts[y]; });
  auto set = std::make_shared<LiteralSet>();
  int64_t size = 0;
  uint64_t hash = 0;
  for (const uint32_t i : order) {
    if (!set->texts.empty() && set->texts.back() == texts[i]) continue;
    set->texts.push_back(texts[i]);
    set->tags.push_back(i);
    size += static_cast<int64_t>(texts[i].size() + sizeof(std::string) + 4);
    hash = mix(mix(hash, std::hash<std::string_view>()(texts[i])), i);
  }
  const auto whole = [&](uint32_t index) {
    return intern({.kind = Kind::kLiterals,
                   .nullable = set->texts[0].empty(),
                   .a = index,
                   .c = static_cast<uint32_t>(set->texts.size())});
  };
  const auto [begin, end] = literal_index_.equal_range(hash);
  for (auto it = begin; it != end; ++it)
    if (literals_[it->second]->texts == set->texts && literals_[it->second]->tags == set->tags)
      return whole(it->second);
  grow(size + 48);
  const auto index = static_cast<uint32_t>(literals_.size());
  literals_.push_back(set);
  literal_index_.emplace(hash, index);
  return whole(index);
}

ExprId ExprPool::multiples(uint32_t step, uint32_t decimals) {
  HADAL_CHECK(step >= 1 && step < (1u << 31) && decimals <= 100);
  return multiple(step, 0, decimals, kNoDigit);
}

ExprId ExprPool::multiple(uint32_t step, uint32_t seen, uint32_t decimals, uint32_t place) {
  // What has been read is a multiple if it is one with zeros up to the last decimal.
  uint64_t padded = seen;
  for (uint32_t i = place > kPoint ? place - kPoint : 0; i < decimals; ++i) padded = padded * 10 % step;
  const bool whole = place == kWhole || place > kPoint;
  return intern({.kind = Kind::kMultiple,
                 .nullable = whole && padded == 0,
                 .may_be_empty = true,
                 .a = step,
                 .b = seen,
                 .c = decimals,
                 .d = place});
}

ExprId ExprPool::concat(ExprId a, ExprId b) {
  if (a == kNone || b == kNone) return kNone;
  if (a == kEmpty) return b;
  if (b == kEmpty) return a;
  if (a == kAll && (b == kAll || (nodes_[b].kind == Kind::kConcat && nodes_[b].a == kAll))) return b;
  // Nested to the right, and without recursion: a text of a megabyte is a long chain.
  std::vector<ExprId> left;
  while (nodes_[a].kind == Kind::kConcat) {
    left.push_back(nodes_[a].a);
    a = nodes_[a].b;
  }
  left.push_back(a);
  for (; !left.empty(); left.pop_back()) {
    const Node &x = nodes_[left.back()], &y = nodes_[b];
    b = intern({.kind = Kind::kConcat,
                .nullable = x.nullable && y.nullable,
                .may_be_empty = x.may_be_empty || y.may_be_empty,
                .a = left.back(),
                .b = b});
  }
  return b;
}

ExprId ExprPool::concat(std::initializer_list<ExprId> parts) {
  ExprId whole = kEmpty;
  for (auto it = std::rbegin(parts); it != std::rend(parts); ++it) whole = concat(*it, whole);
  return whole;
}

ExprId ExprPool::many(Kind kind, std::vector<ExprId> parts) {
  const bool is_or = kind == Kind::kOr;
  const ExprId neutral = is_or ? kNone : kAll, dominant = is_or ? kAll : kNone;
  std::vector<ExprId> flat;
  CharSet chars;
  bool has_set = false;
  const auto add = [&](ExprId part) {
    const Node& node = nodes_[part];
    if (node.kind == Kind::kSet) {
      chars = !has_set ? sets_[node.a]
              : is_or  ? [&] {
                  chars.add(sets_[node.a]);
                  return chars;
                }()
                      : chars.intersect(sets_[node.a]);
      has_set = true;
    } else if (part != neutral) {
      flat.push_back(part);
    }
  };
  for (const ExprId part : parts) {
    if (nodes_[part].kind == kind)
      for (const ExprId child :
           std::vector<ExprId>(children(nodes_[part]).begin(), children(nodes_[part]).end()))
        add(child);
    else
      add(part);
  }
  if (has_set) flat.push_back(set(chars));
  std::ranges::sort(flat);
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (std::ranges::binary_search(flat, dominant)) return dominant;
  if (is_or && flat.size() > 1) std::erase(flat, kNone);
  if (flat.empty()) return neutral;
  if (!is_or && std::ranges::binary_search(flat, kEmpty))
    return std::ranges::all_of(flat, [this](ExprId part) { return nodes_[part].nullable; }) ? kEmpty : kNone;
  bool nullable = !is_or, complex = !is_or;
  for (const ExprId part : flat) {
    const Node& node = nodes_[part];
    nullable = is_or ? nullable || node.nullable : nullable && node.nullable;
    complex = complex || node.may_be_empty;
    // x and not x
    if (node.kind == Kind::kNot && std::ranges::binary_search(flat, node.a)) return dominant;
  }
  if (is_or && flat[0] == kEmpty)  // says nothing that another nullable part does not say
    for (size_t i = 1; i < flat.size(); ++i)
      if (nodes_[flat[i]].nullable) {
        flat.erase(flat.begin());
        break;
      }
  if (flat.size() == 1) return flat[0];
  return intern({.kind = kind, .nullable = nullable, .may_be_empty = complex}, flat);
}

ExprId ExprPool::either(std::vector<ExprId> alternatives) {
  return many(Kind::kOr, std::move(alternatives));
}

ExprId ExprPool::both(std::vector<ExprId> conditions) {
  return many(Kind::kAnd, std::move(conditions));
}

ExprId ExprPool::negate(ExprId a) {
  if (a == kNone) return kAll;
  if (a == kAll) return kNone;
  if (nodes_[a].kind == Kind::kNot) return nodes_[a].a;
  return intern({.kind = Kind::kNot, .nullable = !nodes_[a].nullable, .may_be_empty = true, .a = a});
}

ExprId ExprPool::repeat(ExprId a, uint32_t min, uint32_t max) {
  if (min > max) return kNone;
  if (max == 0 || a == kEmpty) return kEmpty;
  if (a == kNone) return min == 0 ? kEmpty : kNone;
  const Node node = nodes_[a];
  if (max == 1 && (min == 1 || node.nullable)) return a;
  if (node.nullable) min = 0;
  if (node.kind == Kind::kRepeat && node.c == 0 && node.d == kUnbounded) return a;
  if (a == kAnyChar && min == 0 && max == kUnbounded) return kAll;
  return intern({.kind = Kind::kRepeat,
                 .nullable = min == 0,
                 .may_be_empty = node.may_be_empty,
                 .a = a,
                 .c = min,
                 .d = max});
}

void ExprPool::put(std::vector<Piece>& pieces, uint32_t begin, ExprId to) {
  if (!pieces.empty() && pieces.back().begin == begin) pieces.pop_back();
  if (pieces.empty() || pieces.back().to != to) pieces.push_back({begin, to});
}

std::vector<ExprPool::Piece> ExprPool::set_pieces(const CharSet& chars) const {
  std::vector<Piece> pieces{{0, kNone}};
  for (const CharRange& range : chars.ranges()) {
    put(pieces, range.first, kEmpty);
    put(pieces, range.last + 1, kNone);
  }
  return pieces;
}

std::vector<ExprPool::Piece> ExprPool::literal_pieces(const Node& node) {
  const std::shared_ptr<const LiteralSet> set = literals_[node.a];
  std::vector<Piece> pieces{{0, kNone}};
  uint32_t i = node.b;
  if (set->texts[i].size() == node.d) ++i;  // a whole literal, which others go on from
  while (i < node.c) {
    size_t at = node.d;
    const uint32_t c = next_char(set->texts[i], at);
    const auto length = static_cast<uint32_t>(at);
    const std::string_view start = std::string_view(set->texts[i]).substr(0, at);
    const auto end = std::partition_point(set->texts.begin() + i, set->texts.begin() + node.c,
                                          [&](const std::string& text) { return text.starts_with(start); });
    const auto next = static_cast<uint32_t>(end - set->texts.begin());
    const ExprId to = intern({.kind = Kind::kLiterals,
                              .nullable = set->texts[i].size() == length,
                              .a = node.a,
                              .b = i,
                              .c = next,
                              .d = length});
    put(pieces, c, to);
    put(pieces, c + 1, kNone);
    i = next;
  }
  return pieces;
}

std::vector<ExprPool::Piece> ExprPool::multiple_pieces(const Node& node) {
  std::vector<Piece> pieces{{0, kNone}};
  if (node.d == kWhole) put(pieces, '.', multiple(node.a, node.b, node.c, kPoint));
  put(pieces, '.' + 1, kNone);
  for (uint32_t digit = 0; digit < 10; ++digit) {
    const bool is_decimal = node.d >= kPoint;
    ExprId to = kNone;
    if (is_decimal && node.d - kPoint >= node.c) {  // no more decimals count: only zeros
      if (digit == 0) to = multiple(node.a, node.b, node.c, std::max(node.d, kPoint + 1u));
    } else {
      const auto seen = static_cast<uint32_t>((uint64_t{node.b} * 10 + digit) % node.a);
      to = multiple(node.a, seen, node.c, is_decimal ? node.d + 1 : kWhole);
    }
    put(pieces, '0' + digit, to);
  }
  put(pieces, '9' + 1, kNone);
  return pieces;
}

template <class Map>
std::vector<ExprPool::Piece> ExprPool::map(ExprId e, Map&& f) {
  std::vector<Piece> mapped;
  const std::vector<Piece> from = pieces(e);  // a copy: f makes expressions
  for (const Piece& piece : from) put(mapped, piece.begin, f(piece));
  return mapped;
}

// The union (or the intersection, if `all`) of several functions of a character.
std::vector<ExprPool::Piece> ExprPool::sweep(std::span<const std::vector<Piece>> parts, bool all) {
  struct Change {
    uint32_t begin;
    uint32_t part;
    ExprId to;
  };
  std::vector<Change> changes;
  for (uint32_t i = 0; i < parts.size(); ++i)
    for (const Piece& piece : parts[i]) changes.push_back({piece.begin, i, piece.to});
  std::ranges::sort(changes, [](const Change& a, const Change& b) { return a.begin < b.begin; });
  std::vector<ExprId> now(parts.size(), kNone);
  std::vector<uint32_t> alive, place(parts.size(), 0);  // the parts that lead on; place[alive[i]] == i
  std::vector<Piece> merged;
  for (size_t i = 0; i < changes.size();) {
    const uint32_t begin = changes[i].begin;
    for (; i < changes.size() && changes[i].begin == begin; ++i) {
      const auto [at, part, to] = changes[i];
      if (now[part] == kNone && to != kNone) {
        place[part] = static_cast<uint32_t>(alive.size());
        alive.push_back(part);
      } else if (now[part] != kNone && to == kNone) {
        place[alive.back()] = place[part];
        alive[place[part]] = alive.back();
        alive.pop_back();
      }
      now[part] = to;
    }
    if (all && alive.size() < parts.size()) {
      put(merged, begin, kNone);
      continue;
    }
    std::vector<ExprId> tos;
    for (const uint32_t part : alive) tos.push_back(now[part]);
    put(merged, begin, all ? both(std::move(tos)) : either(std::move(tos)));
  }
  return merged;
}

std::vector<ExprPool::Piece> ExprPool::compute_pieces(ExprId e) {
  const Node node = nodes_[e];
  switch (node.kind) {
    case Kind::kNone:
    case Kind::kEmpty:
      return {{0, kNone}};
    case Kind::kSet:
      return set_pieces(sets_[node.a]);
    case Kind::kLiterals:
      return literal_pieces(node);
    case Kind::kMultiple:
      return multiple_pieces(node);
    case Kind::kNot:
      // Specials are in no complement.
      {
        std::vector<Piece> mapped = map(node.a, [this](const Piece& piece) {
          return piece.begin >= kFirstSpecial ? kNone : negate(piece.to);
        });
        std::vector<Piece> cut;
        for (const Piece& piece : mapped)
          if (piece.begin < kFirstSpecial) put(cut, piece.begin, piece.to);
        put(cut, kFirstSpecial, kNone);
        return cut;
      }
    case Kind::kRepeat: {
      const uint32_t max = node.d == kUnbounded ? kUnbounded : node.d - 1;
      const ExprId rest = repeat(node.a, node.c > 0 ? node.c - 1 : 0, max);
      return map(node.a, [&](const Piece& piece) { return concat(piece.to, rest); });
    }
    case Kind::kConcat: {
      std::vector<Piece> first = map(node.a, [&](const Piece& piece) { return concat(piece.to, node.b); });
      if (!nullable(node.a)) return first;
      return sweep(std::array{std::move(first), pieces(node.b)}, false);
    }
    case Kind::kOr:
    case Kind::kAnd: {
      const std::vector<ExprId> list(children(node).begin(), children(node).end());
      std::vector<std::vector<Piece>> parts;
      for (const ExprId child : list) parts.push_back(pieces(child));
      return sweep(parts, node.kind == Kind::kAnd);
    }
    case Kind::kLoop:
      return sweep(std::array{pieces(node.a), pieces(node.b)}, false);
  }
  return {};
}

// Expressions whose pieces have to be known before those of e.
void ExprPool::add_unknown_parts(ExprId e, std::vector<ExprId>& into) const {
  const Node& node = nodes_[e];
  const auto add = [&](ExprId part) {
    if (!pieces_[part]) into.push_back(part);
  };
  switch (node.kind) {
    case Kind::kNot:
    case Kind::kRepeat:
      return add(node.a);
    case Kind::kConcat:
      add(node.a);
      if (nodes_[node.a].nullable) add(node.b);
      return;
    case Kind::kOr:
    case Kind::kAnd:
      for (const ExprId child : children(node)) add(child);
      return;
    case Kind::kLoop:
      add(node.a);
      return add(node.b);
    default:
      return;
  }
}

const std::vector<ExprPool::Piece>& ExprPool::pieces(ExprId e) {
  // Without recursion: a pattern may be a long chain of elements that may be empty.
  std::vector<ExprId> open;
  if (!pieces_[e]) open.push_back(e);
  while (!open.empty()) {
    const ExprId now = open.back();
    const size_t before = open.size();
    if (!pieces_[now]) add_unknown_parts(now, open);
    if (open.size() > before) continue;
    if (!pieces_[now]) {
      auto computed = std::make_unique<std::vector<Piece>>(compute_pieces(now));
      grow(static_cast<int64_t>(sizeof(*computed) + computed->size() * sizeof(Piece)));
      pieces_[now] = std::move(computed);
    }
    open.pop_back();
  }
  return *pieces_[e];
}

ExprId ExprPool::derive(ExprId e, uint32_t c) {
  const std::vector<Piece>& list = pieces(e);
  const auto after = std::ranges::upper_bound(list, c, {}, [](const Piece& piece) { return piece.begin; });
  return std::prev(after)->to;
}

ExprId ExprPool::derive(ExprId e, std::string_view utf8) {
  for (size_t at = 0; at < utf8.size() && e != kNone;) e = derive(e, next_char(utf8, at));
  return e;
}

std::optional<uint32_t> ExprPool::any_run(ExprId e) const {
  if (e == kEmpty) return 0;
  if (e == kAnyChar) return 1;
  const Node& node = nodes_[e];
  if (node.kind != Kind::kRepeat || node.a != kAnyChar) return std::nullopt;
  return node.d;
}

bool ExprPool::matches(ExprId e, std::string_view utf8) {
  return nullable(derive(e, utf8));
}

}  // namespace hadal::grammar
