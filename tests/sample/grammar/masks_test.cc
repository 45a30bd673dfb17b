#include "sample/grammar/masks.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "sample/grammar/grammar.h"
#include "sample/grammar/regex.h"
#include "sample/grammar/small_vocabulary.h"

namespace hadal::grammar {
namespace {

using Build = std::function<NodeId(Automaton&)>;

ExprId regex(Automaton& automaton, const char* pattern) {
  return *whole_regex(automaton.pool(), pattern);
}

// Grammars of one terminal, of several in a row, of choices, and of calls.
std::vector<std::pair<std::string, Build>> testing_grammars() {
  std::vector<std::pair<std::string, Build>> all;
  for (const char* pattern : {"[\\s\\S]*",
                              "[^b]*b",
                              "a{1,5}",
                              "[a-c]{2,}",
                              "(ab|ba)*",
                              "[^a\"]{0,3}",
                              ".{3}",
                              ".{0,6}x?",
                              "é*a?",
                              "[\\u0080-\\uFFFF]*",
                              "(a|b|ab|ba)+c?",
                              "\\d+(\\.\\d+)?",
                              "(?!.*bb).*",
                              "(?=.*a).{2,5}",
                              "[\\u{1F000}-\\u{1FFFF}]a*",
                              "([^b]|bb)*",
                              "(.a)*",
                              "(..)*",
                              ".{2}|[^a]*",
                              "[^\\u2028]*",
                              "a*(😀|é)?[ab]{3}",
                              "\"[^\"]*\"",
                              "(?:.{4})?",
                              "[a-c]{1,30}",
                              "[^b]{18,40}x?",
                              "([ab]{0,20}c){1,18}b",
                              "(a{17}|[bc]{20,30}é?){2}",
                              "(aa|b){0,24}c{0,3}",
                              "(?=[\\s\\S]{0,40}$)[a-c]*bb",
                              "(?=[\\s\\S]{0,25}$)(ab?c*)+"}) {
    all.emplace_back(std::string("raw ") + pattern, [pattern](Automaton& automaton) {
      return automaton.terminal_node(automaton.terminals().raw(regex(automaton, pattern)), automaton.end());
    });
    all.emplace_back(std::string("json ") + pattern, [pattern](Automaton& automaton) {
      return automaton.terminal_node(
          automaton.terminals().json_string(regex(automaton, pattern), Terminals::kAnySpace),
          automaton.end());
    });
    all.emplace_back(std::string("followed raw ") + pattern, [pattern](Automaton& automaton) {
      const NodeId then = automaton.terminal_node(
          automaton.terminals().raw(regex(automaton, "[ab],?|\\)\\)| a|\\n|é")), automaton.end());
      return automaton.terminal_node(automaton.terminals().raw(regex(automaton, pattern)), then);
    });
    all.emplace_back(std::string("followed json ") + pattern, [pattern](Automaton& automaton) {
      const NodeId close = automaton.terminal_node(
          automaton.terminals().raw(regex(automaton, "[}\\]]{1,2}|:")), automaton.end());
      const NodeId more =
          automaton.terminal_node(automaton.terminals().json_string(regex(automaton, "a?"), 0), close);
      const NodeId comma = automaton.terminal_node(automaton.terminals().raw(regex(automaton, ", ?")), more);
      return automaton.terminal_node(automaton.terminals().json_string(regex(automaton, pattern), 2),
                                     automaton.choice_node({comma, close}));
    });
    all.emplace_back(std::string("called ") + pattern, [pattern](Automaton& automaton) {
      const NodeId inner =
          automaton.terminal_node(automaton.terminals().raw(regex(automaton, pattern)), automaton.end());
      const NodeId close =
          automaton.terminal_node(automaton.terminals().raw(regex(automaton, "\\)")), automaton.end());
      const NodeId again = automaton.terminal_node(automaton.terminals().raw(regex(automaton, "\\(*")),
                                                   automaton.call_node(inner, close));
      return automaton.call_node(again, automaton.choice_node({again, automaton.end(),
                                                               automaton.call_node(inner, automaton.end())}));
    });
    all.emplace_back(std::string("special ") + pattern, [pattern](Automaton& automaton) {
      ExprPool& pool = automaton.pool();
      const ExprId e =
          pool.concat({regex(automaton, pattern),
                       pool.set(CharSet::one(kFirstSpecial + hadal::testing::kTool)), pool.text("ab")});
      return automaton.terminal_node(automaton.terminals().raw(e), automaton.end());
    });
  }
  all.emplace_back("choice", [](Automaton& automaton) {
    return automaton.terminal_node(
        automaton.terminals().raw(automaton.pool().literals({"abab", "ab", "bbbé", "😀", ""})),
        automaton.end());
  });
  return all;
}

bool bit(const TokenBits& bits, int32_t id) {
  return bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1;
}

// A walk through a grammar: at every step each token is tried.
void check_walk(const std::shared_ptr<Grammar>& grammar, std::mt19937& random, int steps,
                const std::string& name) {
  const Vocabulary& vocabulary = grammar->vocabulary();
  Matcher matcher(grammar);
  TokenBits bits(vocabulary.words());
  for (int step = 0; step < steps; ++step) {
    matcher.allow(bits);
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < static_cast<int32_t>(bits.size() * 32); ++id) {
      if (id >= vocabulary.size()) {
        RC_ASSERT(!bit(bits, id));
        continue;
      }
      const int64_t before = matcher.length();
      const bool accepted = matcher.accept(id);
      if (accepted != bit(bits, id))
        RC_FAIL(name + ": token " + std::to_string(id) + " step " + std::to_string(step) +
                (accepted ? " may come and is not allowed" : " is allowed and may not come"));
      RC_ASSERT(matcher.length() == before + accepted);
      if (accepted) matcher.rewind(before), allowed.push_back(id);
    }
    RC_ASSERT(!allowed.empty());
    RC_ASSERT(matcher.accept(allowed[random() % allowed.size()]));
    if (matcher.ended()) break;
  }
}

TEST(Masks, AllowWhatWouldBeAccepted) {
  const auto vocabulary = testing::small_vocabulary();
  const auto grammars = testing_grammars();
  std::vector<std::shared_ptr<Grammar>> made;
  for (const auto& [name, build] : grammars) {
    const auto grammar = Grammar::make(vocabulary, testing::small_end_ids(), build);
    ASSERT_TRUE(grammar.has_value()) << name;
    made.push_back(*grammar);
  }
  EXPECT_TRUE(rc::check("a bit for each token that may come", [&] {
    std::mt19937 random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    for (int i = 0; i < 4; ++i) {
      const size_t which = random() % made.size();
      check_walk(made[which], random, 8, grammars[which].first);
    }
  }));
}

TEST(Masks, AllowWhatWouldBeAcceptedOfTheRealVocabulary) {
  const auto path =
      std::filesystem::path(HADAL_SOURCE_DIR) / "../shared/data/tokenizer/deepseek-v4-tokenizer.json.gz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto vocabulary = std::make_shared<const Vocabulary>(Tokenizer::load(path), 129280);
  const auto grammars = testing_grammars();
  EXPECT_TRUE(rc::check("as with the small vocabulary", [&] {
    std::mt19937 random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    if (random() % 10 != 0) return;  // a step takes a while
    const auto& [name, build] = grammars[random() % grammars.size()];
    if (name.starts_with("special")) return;  // its token is none here
    check_walk(*Grammar::make(vocabulary, testing::small_end_ids(), build), random, 3, name);
  }));
}

}  // namespace
}  // namespace hadal::grammar
