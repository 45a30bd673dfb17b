// The languages of the formats of JSON Schema.
#pragma once

#include <optional>
#include <string_view>

#include "sample/grammar/expr.h"

namespace hadal::grammar {

// The texts of a format of drafts 4 to 2020-12, nullopt for any other name. What is in them is valid by the
// format's RFC and for the usual validators. Less than all of what is valid is in them where that is no
// regular language or validators differ:
//   date, date-time       years from 0001; no leap seconds
//   hostname              no final dot and no label "xn--..." (whether it decodes cannot be told); of four
//   and
//                         more labels none is longer than 30 characters, of nine and more 6
//   idn-hostname          up to three labels of common alphabets, without combining marks, each of which is
//                         certain to be short enough when it is encoded
//   email, idn-email      no comments; in quotes printable characters
//   uri-template          names of variables without escapes, prefixes up to 999
//   relative-json-pointer without "+n" and "-n"; no number with a zero before its last digit
//   regex                 what ECMA-262 and Python read alike: groups up to three deep, look-ahead
// Throws what the pool throws.
std::optional<ExprId> format_expr(ExprPool& pool, std::string_view name);

}  // namespace hadal::grammar
