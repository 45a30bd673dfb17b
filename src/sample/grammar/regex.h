// Regular expressions as expressions of a pool.
#pragma once

#include <string_view>

#include "base/result.h"
#include "sample/grammar/expr.h"

namespace hadal::grammar {

// Patterns as in regex_syntax.h. Anchors, word borders and look-ahead are exact. Problem: where is "column
// N", or empty where it concerns the whole pattern.

// The texts that have a match somewhere, as JSON Schema's `pattern` means it.
Result<ExprId> search_regex(ExprPool& pool, std::string_view pattern);
// The texts that match from beginning to end.
Result<ExprId> whole_regex(ExprPool& pool, std::string_view pattern);

}  // namespace hadal::grammar
