// The named sets of characters of regular expressions, and letters that differ only in case.
#pragma once

#include <memory>
#include <string_view>

#include "sample/grammar/charset.h"

namespace hadal::grammar {

// What \d, \w, \s and the dot mean in ECMA-262.
CharSet digit_chars();
CharSet word_chars();
CharSet space_chars();
CharSet line_chars();  // all but the ends of lines

// Unicode properties and case, as the regular expression library knows them. Sets are found on first need and
// kept. Not thread-safe.
class CharClasses {
 public:
  CharClasses();
  ~CharClasses();
  CharClasses(CharClasses&&) noexcept;
  CharClasses& operator=(CharClasses&&) noexcept;

  // The characters of \p{name}: a general category by its short or long name ("Lu", "gc=Letter"), a script
  // ("Script=Greek", "scx=Grek", and as other dialects write it "Greek"), or a binary property
  // ("Alphabetic"). nullptr where there is none of this name. Valid as long as this object.
  const CharSet* property(std::string_view name);
  // With every character all that differ from it only in case, by simple case folding.
  CharSet fold(const CharSet& chars);

 private:
  struct Known;
  std::unique_ptr<Known> known_;
};

}  // namespace hadal::grammar
