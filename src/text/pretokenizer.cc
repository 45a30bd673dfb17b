#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pretokenizer.h"

#include <pcre2.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/error.h"
#include "text/regex_dialect.h"

namespace hadal {

namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* p) const {
    kFree(p);
  }
};

constexpr size_t kMaxPatternBytes = 1 << 16;
constexpr size_t kJitStackBytes = 32 << 20;  // reserved, not touched, and only for patterns that nest

}  // namespace

struct Pretokenizer::Compiled {
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
  bool jit = false;
  std::string where;
};

struct Pretokenizer::Scratch::State {
  std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> match{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> context{
      pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, Free<pcre2_jit_stack_free>> jit_stack;
  std::vector<uint32_t> ends, next_ends;

  State() { HADAL_CHECK(match != nullptr && context != nullptr, "out of memory"); }

  // Looks for the next match in subject at or after from; false when there is none.
  bool find(const Compiled& pass, std::string_view subject, size_t from, size_t& begin, size_t& end) {
    int rc = run(pass, subject, from);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && jit_stack == nullptr) {
      jit_stack.reset(pcre2_jit_stack_create(64 << 10, kJitStackBytes, nullptr));
      pcre2_jit_stack_assign(context.get(), nullptr, jit_stack.get());
      rc = run(pass, subject, from);
    }
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(rc, message, sizeof message);
      fail(ErrorCode::kUnsupported, "{}: the regular expression cannot be run on this text: {}", pass.where,
           reinterpret_cast<const char*>(message));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    begin = bounds[0];
    end = bounds[1];
    return true;
  }

 private:
  int run(const Compiled& pass, std::string_view subject, size_t from) {
    const auto* bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
    // pcre2_jit_match leaves out checks of its arguments, among them that of the whole subject for valid
    // UTF-8, which once a match would make a text of many pieces quadratic.
    if (pass.jit)
      return pcre2_jit_match(pass.code.get(), bytes, subject.size(), from, 0, match.get(), context.get());
    return pcre2_match(pass.code.get(), bytes, subject.size(), from, PCRE2_NO_UTF_CHECK, match.get(),
                       context.get());
  }
};

Pretokenizer::Scratch::Scratch() : state_(std::make_unique<State>()) {}
Pretokenizer::Scratch::~Scratch() = default;
Pretokenizer::Scratch::Scratch(Scratch&&) noexcept = default;
Pretokenizer::Scratch& Pretokenizer::Scratch::operator=(Scratch&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;

Pretokenizer::Pretokenizer(const std::vector<Pass>& passes) {
  const std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>> context(
      pcre2_compile_context_create(nullptr));
  HADAL_CHECK(context != nullptr, "out of memory");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  for (const Pass& pass : passes) {
    if (pass.pattern.empty()) fail(ErrorCode::kInvalidFile, "{}: the pattern is empty", pass.where);
    if (pass.pattern.size() > kMaxPatternBytes) {
      fail(ErrorCode::kUnsupported, "{}: the pattern has {} bytes, more than {}", pass.where,
           pass.pattern.size(), kMaxPatternBytes);
    }
    const std::string pattern = pass.literal ? pass.pattern : oniguruma_to_pcre2(pass.pattern, pass.where);
    const uint32_t options = PCRE2_UTF | (pass.literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);
    int error = 0;
    PCRE2_SIZE offset = 0;
    auto compiled = std::make_unique<Compiled>();
    compiled->where = pass.where;
    compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                                       &error, &offset, context.get()));
    if (compiled->code == nullptr) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(error, message, sizeof message);
      fail(ErrorCode::kInvalidFile, "{}: the regular expression is not valid at byte {} of \"{}\": {}",
           pass.where, offset, pattern.substr(0, 200), reinterpret_cast<const char*>(message));
    }
    compiled->jit = pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE) == 0;
    passes_.push_back(std::move(compiled));
  }
}

const std::vector<uint32_t>& Pretokenizer::split(std::string_view text, Scratch& scratch) const {
  HADAL_CHECK(text.size() < std::numeric_limits<uint32_t>::max());
  Scratch::State& state = *scratch.state_;
  // A limit on backtracking: far above what a sensible pattern needs, far below for ever.
  const size_t limit = std::min<size_t>(10'000'000 + 64 * text.size(), std::numeric_limits<uint32_t>::max());
  pcre2_set_match_limit(state.context.get(), static_cast<uint32_t>(limit));
  state.ends.clear();
  if (!text.empty()) state.ends.push_back(static_cast<uint32_t>(text.size()));
  for (const auto& pass : passes_) {
    state.next_ends.clear();
    size_t piece_begin = 0;
    for (const uint32_t piece_end : state.ends) {
      const std::string_view piece = text.substr(piece_begin, piece_end - piece_begin);
      const auto cut = [&](size_t at) { state.next_ends.push_back(static_cast<uint32_t>(piece_begin + at)); };
      size_t done = 0;  // pieces reach up to here
      size_t from = 0, begin = 0, end = 0;
      while (from < piece.size() && state.find(*pass, piece, from, begin, end)) {
        if (begin > done) cut(begin);
        if (end > begin) cut(end);
        done = std::max(done, end);
        from = end;
        if (end == begin) {
          // An empty match cuts where it is; the search goes on behind the next character.
          do ++from;
          while (from < piece.size() && (static_cast<uint8_t>(piece[from]) & 0xC0) == 0x80);
        }
      }
      if (done < piece.size()) cut(piece.size());
      piece_begin = piece_end;
    }
    std::swap(state.ends, state.next_ends);
  }
  return state.ends;
}

}  // namespace hadal
