// What takes a search through expressions: loops, whether there is any text at all, and which texts there
// are.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "sample/grammar/expr.h"

namespace hadal::grammar {
namespace {

constexpr size_t kEmptinessStates = 4000;
constexpr int kMostGuarded = 2000;    // elements in a row that may be empty, in a loop
constexpr uint32_t kFewRepeats = 16;  // not relaxed
constexpr int kMostRelaxed = 8;       // levels, and elements in a row
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

// Each repetition reads a character at least, so within `chars` characters no maximum beyond is met, and no
// minimum beyond.
ExprPool::Relaxed ExprPool::relax(ExprId e, int depth) {
  const Node node = nodes_[e];
  if (depth > kMostRelaxed ||
      (node.kind != Kind::kRepeat && node.kind != Kind::kConcat && node.kind != Kind::kOr))
    return {e, kUnbounded};
  if (const auto known = relaxed_.find(e); depth == 0 && known != relaxed_.end()) return known->second;
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
    for (; nodes_[rest].kind == Kind::kConcat && parts.size() < kMostRelaxed; rest = nodes_[rest].b)
      parts.push_back(nodes_[rest].a);
    if (nodes_[rest].kind != Kind::kConcat) rest = part(rest);
    for (; !parts.empty(); parts.pop_back()) rest = concat(part(parts.back()), rest);
    whole.e = rest;
  } else if (node.b <= 64) {
    std::vector<ExprId> parts(children(node).begin(), children(node).end());
    for (ExprId& one : parts) one = part(one);
    whole.e = either(std::move(parts));
  }
  if (depth == 0) relaxed_.emplace(e, whole);
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
      append_char(c, prefix);
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

void append_char(uint32_t c, std::string& out) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

uint32_t next_char(std::string_view utf8, size_t& at) {
  const auto lead = static_cast<unsigned char>(utf8[at++]);
  int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t c = more == 0 ? lead : lead & (0x3Fu >> more);
  for (; more > 0 && at < utf8.size(); --more) c = c << 6 | (static_cast<unsigned char>(utf8[at++]) & 0x3Fu);
  return c;
}

}  // namespace hadal::grammar
