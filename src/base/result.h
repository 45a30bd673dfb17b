// Failure that is data: a bad field in a request, a text that is not a number. Carries a Problem instead of
// throwing.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace hadal {

// where: a path into the input ("messages[2].content", "line 7"); what: a sentence that says what was
// expected.
struct Problem {
  std::string where;
  std::string what;
  std::string to_string() const { return where.empty() ? what : where + ": " + what; }
};

template <class T>
using Result = tl::expected<T, Problem>;

inline tl::unexpected<Problem> problem(std::string where, std::string what) {
  return tl::make_unexpected(Problem{std::move(where), std::move(what)});
}

}  // namespace hadal
