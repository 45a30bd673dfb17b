// What takes a search through expressions: loops, whether there is any text at all, and which texts there
// are.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "sample/grammar/expr.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

constexpr size_t kEmptinessStates = 4000;
constexpr int kMostGuarded = 2000;     // elements in a row that may be empty, in a loop
constexpr uint32_t kFewRepeats = 16;   // not relaxed
constexpr int kMostRelaxed = 24;       // levels
constexpr size_t kMostRelaxedRow = 8;  // elements
constexpr size_t kMostRelaxedParts = 64;
constexpr uint64_t kLong = uint64_t{1} << 31;  // or not known
constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

}  // namespace

ExprId ExprPool::open_loop(ExprId then) {
  return intern({.kind = Kind::kLoop,
                 .nullable = nodes_[then].nullable,
                 .may_be_empty = true,
                 .a = then,
                 .c = loops_++});
}

void ExprPool::close_loop(ExprId loop, ExprId body) {
  HADAL_CHECK(nodes_[loop].kind == Kind::kLoop && nodes_[loop].b == kNone);
  std::unordered_map<ExprId, ExprId> known{{loop, kNone}};
  const ExprId guarded = guard(body, 0, known);
  HADAL_CHECK(!nodes_[guarded].nullable || nodes_[loop].nullable);
  nodes_[loop].b = guarded;
}

// Without what goes round a loop and reads nothing: it adds no text, and pieces() would never end. `known`
// has what became of expressions, the loop itself of nothing.
ExprId ExprPool::guard(ExprId e, int depth, std::unordered_map<ExprId, ExprId>& known) {
  if (const auto it = known.find(e); it != known.end()) return it->second;
  if (depth > kMostGuarded)
    fail(ErrorCode::kInvalidInput, "a repetition has more than {} elements in a row that may be empty",
         kMostGuarded);
  const Node node = nodes_[e];
  ExprId guarded = e;
  switch (node.kind) {
    case Kind::kOr:
    case Kind::kAnd: {
      std::vector<ExprId> parts(children(node).begin(), children(node).end());
      for (ExprId& part : parts) part = guard(part, depth + 1, known);
      guarded = many(node.kind, std::move(parts));
      break;
    }
    case Kind::kConcat:
      if (nodes_[node.a].nullable) {
        const ExprId rest = guard(node.b, depth + 1, known);
        if (rest != node.b) {
          const ExprId read = both({node.a, concat(kAnyChar, kAll)});
          guarded = either({concat(read, node.b), rest});
        }
      }
      break;
    case Kind::kLoop: {
      const ExprId then = guard(node.a, depth + 1, known);
      if (then != node.a) guarded = either({then, node.b});
      break;
    }
    default:
      break;
  }
  known.emplace(e, guarded);
  return guarded;
}

// The length of its shortest text, and what the shortest text may have of whatever it comes to be: upper
// bounds. Of expressions that are not plain nothing is known.
ExprPool::Lengths ExprPool::lengths(ExprId e, int depth) {
  if (nodes_[e].may_be_empty || depth > kMostRelaxed) return {kLong, kLong};
  if (const auto known = lengths_.find(e); known != lengths_.end()) return known->second;
  const Lengths found = find_lengths(nodes_[e], e, depth);
  lengths_.emplace(e, found);
  return found;
}

ExprPool::Lengths ExprPool::find_lengths(const Node& node, ExprId e, int depth) {
  const auto sum = [](uint64_t a, uint64_t b) { return std::min(a + b, kLong); };
  switch (node.kind) {
    case Kind::kNone:
    case Kind::kEmpty:
      return {0, 0};
    case Kind::kSet:
      return {1, 1};
    case Kind::kConcat: {
      std::vector<Lengths> parts;
      ExprId rest = e;
      for (; nodes_[rest].kind == Kind::kConcat; rest = nodes_[rest].b) {
        parts.push_back(lengths(nodes_[rest].a, depth + 1));
        if (parts.size() > kMostRelaxedParts) return {kLong, kLong};
      }
      Lengths whole = lengths(rest, depth + 1);
      for (; !parts.empty(); parts.pop_back())
        whole = {sum(parts.back().shortest, whole.shortest),
                 std::max(sum(parts.back().to_go, whole.shortest), whole.to_go)};
      return whole;
    }
    case Kind::kOr: {
      if (node.b > kMostRelaxedParts) return {kLong, kLong};
      Lengths whole{kLong, 0};
      for (const ExprId child : children(node)) {
        const Lengths one = lengths(child, depth + 1);
        whole = {std::min(whole.shortest, one.shortest), std::max(whole.to_go, one.to_go)};
      }
      return whole;
    }
    case Kind::kRepeat: {
      const Lengths one = lengths(node.a, depth + 1);
      const uint64_t others = node.c > 1 ? node.c - 1 : 0;
      return {std::min(one.shortest * node.c, kLong), sum(one.to_go, std::min(one.shortest * others, kLong))};
    }
    case Kind::kLiterals: {
      if (node.c - node.b > kMostRelaxedParts) return {kLong, kLong};
      Lengths whole{kLong, 0};
      for (uint32_t i = node.b; i < node.c; ++i) {
        const uint64_t bytes = literals_[node.a]->texts[i].size() - node.d;
        whole = {std::min(whole.shortest, bytes), std::max(whole.to_go, bytes)};
      }
      return whole;
    }
    default:
      return {kLong, kLong};
  }
}

// At most so many characters, and something plain: the limit is not met as long as the shortest way to the
// end is within it.
ExprPool::Relaxed ExprPool::relax_limited(const Node& node, ExprId e, int depth) {
  if (node.b != 2) return {e, kUnbounded};
  for (const size_t i : {0, 1}) {
    const ExprId limit = children(node)[i], rest = children(node)[1 - i];
    const Node& count = nodes_[limit];
    if (count.kind != Kind::kRepeat || count.a != kAnyChar || count.c != 0) continue;
    const uint64_t to_go = lengths(rest, 0).to_go;
    if (count.d < to_go + kFewRepeats) continue;
    const auto chars = static_cast<uint32_t>(count.d - to_go);
    const Relaxed relaxed = relax(rest, depth + 1);
    return {relaxed.e, std::min(relaxed.chars, chars)};
  }
  return {e, kUnbounded};
}

// Each repetition reads a character at least, so within `chars` characters no maximum beyond is met, and no
// minimum beyond. What is under a negation or in a conjunction stays as it is: whether anything is left of
// these depends on what is far away.
ExprPool::Relaxed ExprPool::relax(ExprId e, int depth) {
  const Node node = nodes_[e];
  if (depth > kMostRelaxed) return {e, kUnbounded};
  if (node.kind == Kind::kAnd) return relax_limited(node, e, depth);
  if (node.kind != Kind::kRepeat && node.kind != Kind::kConcat && node.kind != Kind::kOr)
    return {e, kUnbounded};
  if (const auto known = relaxed_.find(e); known != relaxed_.end()) return known->second;
  Relaxed whole{e, kUnbounded};
  const auto part = [&](ExprId id) {
    const Relaxed one = relax(id, depth + 1);
    whole.chars = std::min(whole.chars, one.chars);
    return one.e;
  };
  if (node.kind == Kind::kRepeat) {
    const ExprId body = part(node.a);
    uint32_t min = node.c, max = node.d;
    if (max != kUnbounded && max > kFewRepeats) {
      whole.chars = std::min(whole.chars, max);
      max = kUnbounded;
    }
    if (min > kFewRepeats) {
      whole.chars = std::min(whole.chars, kFewRepeats - 1);
      min = kFewRepeats;
    }
    whole.e = repeat(body, min, max);
  } else if (node.kind == Kind::kConcat) {
    std::vector<ExprId> parts;
    ExprId rest = e;
    for (; nodes_[rest].kind == Kind::kConcat && parts.size() < kMostRelaxedRow; rest = nodes_[rest].b)
      parts.push_back(nodes_[rest].a);
    if (nodes_[rest].kind != Kind::kConcat) rest = part(rest);
    for (; !parts.empty(); parts.pop_back()) rest = concat(part(parts.back()), rest);
    whole.e = rest;
  } else if (node.b <= kMostRelaxedParts) {
    std::vector<ExprId> parts(children(node).begin(), children(node).end());
    for (ExprId& one : parts) one = part(one);
    whole.e = either(std::move(parts));
  }
  relaxed_.emplace(e, whole);
  return whole;
}

bool ExprPool::empty(ExprId e) {
  if (e == kNone) return true;
  if (nodes_[e].nullable || !nodes_[e].may_be_empty) return false;
  if (emptiness_[e] != 0) return emptiness_[e] == 2;
  struct Found {
    ExprId e;
    size_t from;  // in found
  };
  std::vector<Found> found{{e, 0}};
  std::unordered_set<ExprId> seen{e};
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<Piece> list = pieces(found[i].e);
    for (size_t k = 0; k < list.size(); ++k) {
      const ExprId to = list[k].to;
      if (to == kNone || emptiness_[to] == 2 || !seen.insert(to).second) continue;
      if (list[k].begin >= kFirstSurrogate && k + 1 < list.size() &&
          list[k + 1].begin <= kLastSurrogate + 1) {
        seen.erase(to);  // no text leads there
        continue;
      }
      const Node& node = nodes_[to];
      if (node.nullable || !node.may_be_empty || emptiness_[to] == 1) {
        for (size_t at = i; at != 0; at = found[at].from) emptiness_[found[at].e] = 1;
        emptiness_[e] = 1;
        return false;
      }
      found.push_back({to, i});
    }
    if (found.size() > kEmptinessStates)
      fail(ErrorCode::kInvalidInput,
           "a combination of patterns is too complex to tell whether anything matches");
  }
  for (const Found& dead : found) emptiness_[dead.e] = 2;
  return true;
}

int64_t ExprPool::tag(ExprId e) const {
  const Node& node = nodes_[e];
  if (node.kind != Kind::kLiterals || !node.nullable) return -1;
  return literals_[node.a]->tags[node.b];
}

bool ExprPool::walk_texts(ExprId e, std::string& prefix, size_t most, size_t& steps,
                          std::vector<std::string>& texts) {
  if (++steps > 64 * most + 1024) return false;
  if (nodes_[e].nullable) {
    if (texts.size() == most) return false;
    texts.push_back(prefix);
  }
  const std::vector<Piece> list = pieces(e);
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].to == kNone || (nodes_[list[i].to].may_be_empty && empty(list[i].to))) continue;
    const uint32_t end = i + 1 < list.size() ? list[i + 1].begin : kFirstSpecial;
    if (end > kFirstSpecial || end - list[i].begin > most) return false;
    for (uint32_t c = list[i].begin; c < end; ++c) {
      const size_t length = prefix.size();
      append_utf8(prefix, c);
      if (prefix.size() > 4096 || !walk_texts(list[i].to, prefix, most, steps, texts)) return false;
      prefix.resize(length);
    }
  }
  return true;
}

bool ExprPool::enumerate(ExprId e, size_t most, std::vector<std::string>& texts) {
  texts.clear();
  std::string prefix;
  size_t steps = 0;
  return walk_texts(e, prefix, most, steps, texts);
}

uint32_t next_char(std::string_view utf8, size_t& at) {
  const auto lead = static_cast<unsigned char>(utf8[at++]);
  int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t c = more == 0 ? lead : lead & (0x3Fu >> more);
  for (; more > 0 && at < utf8.size(); --more) c = c << 6 | (static_cast<unsigned char>(utf8[at++]) & 0x3Fu);
  return c;
}

}  // namespace hadal::grammar
