// A pattern, a zero byte and a text. The pattern is refused with a sentence, or its language has and has not
// the text, wherever it is asked: as an expression, its complement, and as an automaton over bytes.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "rules_and_text.h"
#include "sample/grammar/regex.h"
#include "sample/grammar/terminals.h"
#include "text/utf8.h"

namespace {

using namespace hadal;
using namespace hadal::grammar;

bool reads(Terminals& terminals, StateId state, std::string_view bytes) {
  const StateId end = terminals.step(state, bytes);
  return end != Terminals::kDead && terminals.accepts(end);
}

void check(std::string_view pattern, std::string_view text) {
  ExprPool pool;
  Terminals terminals(pool);
  const Result<ExprId> search = search_regex(pool, pattern), whole = whole_regex(pool, pattern);
  require(search.has_value() == whole.has_value());
  if (!search) return require(!search.error().what.empty());
  const bool valid = utf8_valid_prefix(text) == text.size();
  const bool found = valid && pool.matches(*search, text);
  if (valid) {
    require(pool.matches(pool.negate(*search), text) != found);
    require(found || !pool.matches(*whole, text));
  }
  require(!found || !pool.empty(*search));
  require(reads(terminals, terminals.raw(*search), text) == found);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const RulesAndText input(data, size);
  try {
    check(input.rules, input.text.substr(0, 64));
  } catch (const Error&) {  // too complex to tell
  }
  return 0;
}
