// EBNF grammars as nodes of an automaton. What is not recursive is one terminal; the rest calls.
#pragma once

#include <string_view>

#include "base/result.h"
#include "sample/grammar/automaton.h"

namespace hadal::grammar {

// A node that reads a text of the grammar (ebnf_syntax.h) and returns. Problem: "line N, column M" and what
// is wrong there. Besides wrong syntax these are refused: rules that begin with themselves, rules without any
// finite text, and repetitions of something recursive that may be empty. Throws what the automaton throws.
Result<NodeId> ebnf_node(Automaton& automaton, std::string_view rules);

}  // namespace hadal::grammar
