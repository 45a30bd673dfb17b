#include "sample/grammar/automaton.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "sample/grammar/regex.h"

namespace hadal::grammar {
namespace {

// Brackets around an item, or around several of these with commas between: kind 1, args[0] what is to come.
//   0 a list; 1 behind an opening bracket; 2 behind an element
class Lists : public NodeSource {
 public:
  Lists(Automaton& automaton, ExprId item) : automaton_(automaton), item_(item) {}
  void expand(const NodeKey& key, Expansion& into) override {
    const auto raw = [&](std::string_view text) {
      return automaton_.terminals().raw(automaton_.pool().text(text));
    };
    const auto at = [&](uint32_t what) { return automaton_.node({key.source, 1, {what}}); };
    if (key.args[0] == 0) {
      into.terminal(raw("["), at(1));
    } else if (key.args[0] == 1) {
      into.terminal(automaton_.terminals().raw(item_), at(2));
      into.call(at(0), at(2));
    } else {
      into.terminal(raw(","), at(1));
      into.terminal(raw("]"), automaton_.end());
    }
  }

 private:
  Automaton& automaton_;
  ExprId item_;
};

// A word decides what comes after it: "int=" digits, "name=" letters, "none".
class ByWord : public NodeSource {
 public:
  explicit ByWord(Automaton& automaton) : automaton_(automaton) {}
  void expand(const NodeKey& key, Expansion& into) override {
    into.terminal_by_literal(
        automaton_.terminals().raw(automaton_.pool().literals({"int=", "name=", "none"})),
        automaton_.node({key.source, 2, {}}));
  }
  NodeId after_literal(const NodeKey&, uint32_t tag) override {
    if (tag == 2) return automaton_.end();
    const ExprId e = *whole_regex(automaton_.pool(), tag == 0 ? "[0-9]+" : "[a-z]+");
    return automaton_.terminal_node(automaton_.terminals().raw(e), automaton_.end());
  }

 private:
  Automaton& automaton_;
};

bool fits(Automaton& automaton, NodeId node, std::string_view text) {
  return automaton.advance(automaton.start(node), text).can_end;
}

TEST(Automaton, CallsAndReturns) {
  Automaton automaton;
  const uint32_t source =
      automaton.add_source(std::make_unique<Lists>(automaton, *whole_regex(automaton.pool(), "[a-z]*")));
  const NodeId list = automaton.node({source, 1, {0}});
  for (const char* text : {"[a]", "[]", "[abc,de]", "[[a],b,[[],c]]", "[,]"})
    EXPECT_TRUE(fits(automaton, list, text)) << text;
  for (const char* text : {"", "[", "[a", "[a]]", "a]", "[[a]"})
    EXPECT_FALSE(fits(automaton, list, text)) << text;
  const std::string deep = std::string(20'000, '[') + std::string(20'000, ']');
  EXPECT_TRUE(fits(automaton, list, deep));
  // Nothing is kept of what has been read but what is still open.
  const GrammarState now = automaton.advance(automaton.start(list), "[[a],[b,c],");
  EXPECT_EQ(now, automaton.advance(automaton.start(list), "[x,"));
}

TEST(Automaton, ALiteralDecides) {
  Automaton automaton;
  const uint32_t source = automaton.add_source(std::make_unique<ByWord>(automaton));
  const NodeId node = automaton.node({source, 1, {}});
  EXPECT_TRUE(fits(automaton, node, "int=12"));
  EXPECT_TRUE(fits(automaton, node, "name=ab"));
  EXPECT_TRUE(fits(automaton, node, "none"));
  EXPECT_FALSE(fits(automaton, node, "int=ab"));
  EXPECT_FALSE(fits(automaton, node, "name=12"));
  EXPECT_FALSE(fits(automaton, node, "nonea"));
}

TEST(Automaton, ChoicesAndEmptyTerminals) {
  Automaton automaton;
  const auto terminal = [&](const char* pattern, NodeId next) {
    return automaton.terminal_node(automaton.terminals().raw(*whole_regex(automaton.pool(), pattern)), next);
  };
  const NodeId c = terminal("c", automaton.end());
  const NodeId node =
      automaton.choice_node({terminal("a*", terminal("b?", c)), terminal("x", automaton.end())});
  for (const char* text : {"c", "ac", "aabc", "bc", "x"}) EXPECT_TRUE(fits(automaton, node, text)) << text;
  for (const char* text : {"", "a", "bbc", "xc", "b"}) EXPECT_FALSE(fits(automaton, node, text)) << text;
  EXPECT_TRUE(automaton.start(terminal("a*", automaton.end())).can_end);
  EXPECT_FALSE(automaton.start(node).can_end);
  EXPECT_TRUE(automaton.start(automaton.end()).can_end);
}

// Begins with itself.
class Left : public NodeSource {
 public:
  explicit Left(Automaton& automaton) : automaton_(automaton) {}
  void expand(const NodeKey& key, Expansion& into) override {
    into.call(automaton_.node(key), automaton_.end());
  }

 private:
  Automaton& automaton_;
};

TEST(Automaton, LeftRecursionIsRefused) {
  Automaton automaton;
  const uint32_t source = automaton.add_source(std::make_unique<Left>(automaton));
  const NodeId node = automaton.node({source, 1, {}});
  EXPECT_THROW(automaton.start(node), Error);
  EXPECT_THROW(automaton.start(node), Error);  // and again
  EXPECT_TRUE(automaton.start(automaton.end()).can_end);
}

TEST(Automaton, SpecialTokens) {
  Automaton automaton;
  ExprPool& pool = automaton.pool();
  const ExprId special = pool.set(CharSet::one(kFirstSpecial + 9));
  const NodeId then = automaton.terminal_node(automaton.terminals().raw(pool.text("b")), automaton.end());
  const NodeId node = automaton.terminal_node(
      automaton.terminals().raw(pool.concat(pool.repeat(pool.text("a"), 0), special)), then);
  const GrammarState state = automaton.advance(automaton.start(node), "aa");
  EXPECT_TRUE(automaton.advance_special(state, 8).dead());
  const GrammarState after = automaton.advance_special(state, 9);
  EXPECT_FALSE(after.dead());
  EXPECT_TRUE(automaton.advance(after, "b").can_end);
}

TEST(Automaton, TooManyWaysAreRefused) {
  Automaton automaton;
  const auto letter = [&](NodeId next) {
    return automaton.terminal_node(automaton.terminals().raw(*whole_regex(automaton.pool(), "a*")), next);
  };
  // Each of them is somewhere inside.
  NodeId node = automaton.end();
  for (int i = 0; i < 100; ++i) node = automaton.call_node(letter(automaton.end()), node);
  std::vector<NodeId> nodes;
  for (int i = 0; i < 100; ++i) nodes.push_back(automaton.call_node(letter(automaton.end()), letter(node)));
  const NodeId all = automaton.choice_node(nodes);
  try {
    EXPECT_TRUE(automaton.advance(automaton.start(all), "aaaa").can_end);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  }
}

}  // namespace
}  // namespace hadal::grammar
