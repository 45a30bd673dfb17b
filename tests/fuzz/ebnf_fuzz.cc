// Rules, a zero byte and a text. The rules are refused with a place and a sentence, or their automaton reads
// the text as far as it fits; and wherever it stands it can go on or end.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "rules_and_text.h"
#include "sample/grammar/automaton.h"
#include "sample/grammar/ebnf.h"

namespace {

using namespace hadal;
using namespace hadal::grammar;

void check(std::string_view rules, std::string_view text) {
  Automaton automaton;
  const Result<NodeId> start = ebnf_node(automaton, rules);
  if (!start) return require(!start.error().what.empty());
  GrammarState state = automaton.start(*start);
  const auto goes_on = [&] {
    if (state.can_end) return true;
    for (const Config& config : state.configs)
      if (automaton.terminals().first_bytes(config.state).any()) return true;
    return false;
  };
  require(goes_on());
  for (const char byte : text) {
    const GrammarState next = automaton.advance(state, {&byte, 1});
    if (next.dead()) break;
    state = next;
    require(goes_on());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const RulesAndText input(data, size);
  try {
    check(input.rules, input.text.substr(0, 64));
  } catch (const Error&) {  // too complex, too ambiguous
  }
  return 0;
}
