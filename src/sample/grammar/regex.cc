#include "sample/grammar/regex.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sample/grammar/grammar.h"
#include "sample/grammar/regex_syntax.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

using Kind = RegexNode::Kind;
constexpr auto kNone = ExprPool::kNone, kEmpty = ExprPool::kEmpty, kAll = ExprPool::kAll;
constexpr size_t kMostSteps = 400'000;  // elements compiled, again for every copy
constexpr uint32_t kMostCopies = 1000;  // of a repetition that has to be written out

// What may follow up to the end of the text. It may depend on what is before: nothing, a character that is
// not of a word, or one that is.
struct After {
  static constexpr size_t kStart = 0, kOther = 1, kWord = 2;
  std::array<ExprId, 3> at;

  explicit After(ExprId e) : at{e, e, e} {}
  After(ExprId start, ExprId other, ExprId word) : at{start, other, word} {}
  ExprId operator[](size_t i) const { return at[i]; }
  bool same() const { return at[0] == at[1] && at[1] == at[2]; }
  template <class F>
  After map(F&& f) const {
    return {f(at[0]), f(at[1]), f(at[2])};
  }
};

// Elements are compiled from the last to the first: each gets what follows it and gives what may follow the
// elements before. So an assertion is a condition on all of the rest of the text.
class Compiler {
 public:
  Compiler(ExprPool& pool, const Regex& regex) : pool_(pool), regex_(regex), word_(word_chars()) {}

  After compile(uint32_t id, After k);

  ExprId whole() { return compile(regex_.root, After(kEmpty))[After::kStart]; }
  ExprId search() {
    const After match = compile(regex_.root, After(kAll));
    if (match.same()) return pool_.concat(kAll, match[0]);
    return pool_.either(
        {match[After::kStart], pool_.concat(kAll, set_before(CharSet::any(), match)[After::kStart])});
  }

 private:
  const RegexNode& node(uint32_t id) const { return regex_.nodes[id]; }
  bool is_char(uint32_t id) const {
    if (node(id).kind != Kind::kSet) return false;
    const std::vector<CharRange>& ranges = regex_.sets[node(id).set].ranges();
    return ranges.size() == 1 && ranges[0].first == ranges[0].last;
  }
  uint32_t char_of(uint32_t id) const { return regex_.sets[node(id).set].ranges()[0].first; }
  void count_step() {
    if (++steps_ > kMostSteps)
      fail(ErrorCode::kInvalidInput,
           "the regular expression is too large when its repetitions are written out");
  }

  ExprId plain(uint32_t id);
  ExprId plain_or(const RegexNode& node);
  // The text of a node that is nothing but characters.
  std::optional<std::string> text_of(uint32_t id) const;
  // An expression and what follows.
  After before(ExprId e, const After& k);
  After set_before(const CharSet& chars, const After& k);
  After concat(const RegexNode& node, After k);
  After repeat(const RegexNode& node, const After& k);
  After either(const After& a, const After& b) {
    return {pool_.either({a[0], b[0]}), pool_.either({a[1], b[1]}), pool_.either({a[2], b[2]})};
  }

  ExprPool& pool_;
  const Regex& regex_;
  const CharSet word_;
  size_t steps_ = 0;
};

std::optional<std::string> Compiler::text_of(uint32_t id) const {
  std::string text;
  if (is_char(id)) {
    append_utf8(text, char_of(id));
    return text;
  }
  if (node(id).kind != Kind::kConcat || node(id).parts.empty()) return std::nullopt;
  for (const uint32_t part : node(id).parts) {
    if (!is_char(part)) return std::nullopt;
    append_utf8(text, char_of(part));
  }
  return text;
}

ExprId Compiler::plain_or(const RegexNode& node) {
  std::vector<ExprId> alternatives;
  std::vector<std::string> texts;
  for (const uint32_t part : node.parts) {
    std::optional<std::string> text = is_char(part) ? std::nullopt : text_of(part);
    if (text)
      texts.push_back(std::move(*text));
    else
      alternatives.push_back(plain(part));
  }
  if (!texts.empty()) alternatives.push_back(pool_.literals(texts));
  return pool_.either(std::move(alternatives));
}

ExprId Compiler::plain(uint32_t id) {
  count_step();
  const RegexNode& node = this->node(id);
  switch (node.kind) {
    case Kind::kSet:
      return pool_.set(regex_.sets[node.set]);
    case Kind::kConcat:
      return concat(node, After(kEmpty))[0];
    case Kind::kOr:
      return plain_or(node);
    default:
      return pool_.repeat(plain(node.parts[0]), node.min,
                          node.max == kNoMaximum ? ExprPool::kUnbounded : node.max);
  }
}

After Compiler::set_before(const CharSet& chars, const After& k) {
  if (k[After::kOther] == k[After::kWord]) return After(pool_.concat(pool_.set(chars), k[After::kWord]));
  return After(
      pool_.either({pool_.concat(pool_.set(chars.intersect(word_)), k[After::kWord]),
                    pool_.concat(pool_.set(chars.intersect(word_.complement())), k[After::kOther])}));
}

After Compiler::before(ExprId e, const After& k) {
  const bool may_be_empty = pool_.nullable(e);
  if (k.same()) {
    if (k[0] == kAll && may_be_empty) return After(kAll);
    return After(pool_.concat(e, k[0]));
  }
  const auto ending_in = [&](const CharSet& last) {
    return pool_.both({e, pool_.concat(kAll, pool_.set(last))});
  };
  ExprId read = kNone;  // at least a character of e
  if (k[After::kOther] == k[After::kWord])
    read = pool_.concat(may_be_empty ? ending_in(CharSet::any()) : e, k[After::kWord]);
  else
    read = pool_.either({pool_.concat(ending_in(word_), k[After::kWord]),
                         pool_.concat(ending_in(word_.complement()), k[After::kOther])});
  if (!may_be_empty) return After(read);
  return k.map([&](ExprId nothing_read) { return pool_.either({nothing_read, read}); });
}

After Compiler::concat(const RegexNode& node, After k) {
  for (size_t i = node.parts.size(); i > 0;) {
    size_t run = i;
    while (run > 0 && is_char(node.parts[run - 1])) --run;
    if (i - run < 2 || !k.same()) {
      k = compile(node.parts[--i], k);
      continue;
    }
    std::string text;
    for (size_t at = run; at < i; ++at) append_utf8(text, char_of(node.parts[at]));
    k = After(pool_.concat(pool_.text(text), k[0]));
    i = run;
  }
  return k;
}

After Compiler::repeat(const RegexNode& node, const After& k) {
  const uint32_t body = node.parts[0];
  if (node.plain) {
    const bool open = node.max == kNoMaximum || (k.same() && k[0] == kAll);  // more are in kAll as well
    const ExprId one = plain(body);
    if (k.same() && k[0] == kAll && (node.min == 0 || pool_.nullable(one))) return k;
    if (open && k[0] == kAll && k.same()) return before(pool_.repeat(one, node.min, node.min), k);
    return before(pool_.repeat(one, node.min, open ? ExprPool::kUnbounded : node.max), k);
  }
  const uint32_t copies = node.max == kNoMaximum ? node.min : node.max;
  if (copies > kMostCopies)
    fail(ErrorCode::kInvalidInput,
         "more than {} repetitions of something with anchors or look-around are not supported", kMostCopies);
  After rest = k;
  if (node.max == kNoMaximum) {
    const ExprId other = pool_.open_loop(k[After::kOther]), word = pool_.open_loop(k[After::kWord]);
    const After again = compile(body, {kNone, other, word});
    pool_.close_loop(other, again[After::kOther]);
    pool_.close_loop(word, again[After::kWord]);
    rest = {pool_.either({k[After::kStart], again[After::kStart]}), other, word};
  } else {
    for (uint32_t i = node.min; i < node.max; ++i) rest = either(k, compile(body, rest));
  }
  for (uint32_t i = 0; i < node.min; ++i) rest = compile(body, rest);
  return rest;
}

After Compiler::compile(uint32_t id, After k) {
  count_step();
  const RegexNode& node = this->node(id);
  const auto when = [&k](bool start, bool other, bool word) {
    return After(start ? k[0] : kNone, other ? k[1] : kNone, word ? k[2] : kNone);
  };
  switch (node.kind) {
    case Kind::kSet:
      return set_before(regex_.sets[node.set], k);
    case Kind::kConcat:
      return concat(node, k);
    case Kind::kOr: {
      if (node.plain) return before(plain_or(node), k);
      std::vector<ExprId> alternatives[3];
      for (const uint32_t part : node.parts) {
        const After one = compile(part, k);
        for (size_t i = 0; i < 3; ++i) alternatives[i].push_back(one[i]);
      }
      return {pool_.either(std::move(alternatives[0])), pool_.either(std::move(alternatives[1])),
              pool_.either(std::move(alternatives[2]))};
    }
    case Kind::kRepeat:
      return repeat(node, k);
    case Kind::kStart:
      return when(true, false, false);
    case Kind::kEnd:
      return k.map([this](ExprId e) { return pool_.nullable(e) ? kEmpty : kNone; });
    case Kind::kBorder:
    case Kind::kInside: {
      const ExprId word_next = pool_.concat(pool_.set(word_), kAll);
      const ExprId other_next = pool_.negate(word_next);  // or the end
      const bool border = node.kind == Kind::kBorder;
      const auto only = [&](ExprId e, ExprId next) { return pool_.both({e, next}); };
      return {only(k[0], border ? word_next : other_next), only(k[1], border ? word_next : other_next),
              only(k[2], border ? other_next : word_next)};
    }
    case Kind::kAhead:
    case Kind::kNoAhead: {
      const After ahead = compile(node.parts[0], After(kAll));
      const auto both = [&](size_t i) {
        return pool_.both({k[i], node.kind == Kind::kAhead ? ahead[i] : pool_.negate(ahead[i])});
      };
      return {both(0), both(1), both(2)};
    }
  }
  return After(kNone);
}

template <class Make>
Result<ExprId> compiled(ExprPool& pool, std::string_view pattern, Make&& make) {
  const Result<Regex> regex = parse_regex(pattern, pool.classes());
  if (!regex) return tl::make_unexpected(regex.error());
  try {
    Compiler compiler(pool, *regex);
    return make(compiler);
  } catch (const Error& error) {
    return problem("", error.what());
  }
}

}  // namespace

Result<ExprId> search_regex(ExprPool& pool, std::string_view pattern) {
  return compiled(pool, pattern, [](Compiler& compiler) { return compiler.search(); });
}

Result<ExprId> whole_regex(ExprPool& pool, std::string_view pattern) {
  return compiled(pool, pattern, [](Compiler& compiler) { return compiler.whole(); });
}

Result<std::shared_ptr<Grammar>> regex_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                               std::vector<int32_t> end_ids, std::string_view pattern) {
  std::optional<Problem> bad;
  auto grammar = Grammar::make(std::move(vocabulary), std::move(end_ids), [&](Automaton& automaton) {
    const Result<ExprId> texts = whole_regex(automaton.pool(), pattern);
    if (!texts) {
      bad = texts.error();
      fail(ErrorCode::kInvalidInput, "{}", bad->to_string());
    }
    return automaton.terminal_node(automaton.terminals().raw(*texts), automaton.end());
  });
  if (bad) return tl::make_unexpected(*bad);
  return grammar;
}

}  // namespace hadal::grammar
