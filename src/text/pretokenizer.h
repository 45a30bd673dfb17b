// Cutting a text into the pieces that byte-pair encoding works on (spec A16.1). The tokenizer file lists
// passes; each pass cuts every piece of the pass before: each match of its pattern becomes a piece, and so
// does each stretch between matches ("Isolated"). A pass sees one piece at a time: look-around does not reach
// beyond it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

// Immutable; safe to use from many threads, each with its own Scratch.
class Pretokenizer {
 public:
  struct Pass {
    std::string pattern;   // valid UTF-8
    bool literal = false;  // pattern is text, not a regular expression
    std::string where;     // file and field, for messages
  };

  // Working memory: match results, JIT stack, piece lists. One per thread.
  class Scratch {
   public:
    Scratch();
    ~Scratch();
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;

   private:
    friend class Pretokenizer;
    struct State;
    std::unique_ptr<State> state_;
  };

  // Throws Error for a pattern that does not compile or that this program does not run (regex_dialect.h).
  explicit Pretokenizer(const std::vector<Pass>& passes);
  ~Pretokenizer();
  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;

  // The end of each piece of text, in bytes, ascending; the last is text.size(). text: valid UTF-8, less than
  // 2^32 bytes. The list lives in scratch until its next use. Throws Error kUnsupported when a pattern needs
  // more steps than a limit that grows with the text allows; the patterns of DeepSeek's files never do.
  const std::vector<uint32_t>& split(std::string_view text, Scratch& scratch) const;

 private:
  struct Compiled;
  std::vector<std::unique_ptr<Compiled>> passes_;
};

}  // namespace hadal
