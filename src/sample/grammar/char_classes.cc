#define PCRE2_CODE_UNIT_WIDTH 8
#include "sample/grammar/char_classes.h"

#include <pcre2.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sample/grammar/expr.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* p) const {
    kFree(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Free<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;

Code compile(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error,
                          &offset, nullptr));
  if (code) pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

// Planes of 65,536 characters without a difference but for the last two: unassigned, or for private use.
bool is_blank(uint32_t c) {
  const uint32_t plane = c >> 16;
  return (plane >= 4 && plane <= 13) || plane >= 15;
}
constexpr uint32_t kBlankFirst = 1, kBlankLast = 0xFFFD;  // of such a plane, all alike

// Every character in order, as UTF-8; of the many that are alike only the first.
std::string sample_chars() {
  std::string text;
  text.reserve(1'000'000);
  for (uint32_t c = 0; c <= kLastChar; ++c) {
    if (c >= kFirstSurrogate && c <= kLastSurrogate) continue;
    append_utf8(text, c);
    if (is_blank(c) && (c & 0xFFFF) == kBlankFirst) c += kBlankLast - kBlankFirst;
  }
  return text;
}

// The characters that an expression of one character matches.
std::optional<CharSet> matching(const std::string& one) {
  const Code code = compile(one + "++");
  if (!code) return std::nullopt;
  const std::string text = sample_chars();
  const MatchData match(pcre2_match_data_create(1, nullptr));
  HADAL_CHECK(match != nullptr, "out of memory");
  std::vector<CharRange> ranges;
  for (size_t from = 0; from < text.size();) {
    const int rc = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                               PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    HADAL_CHECK(rc > 0, "a property cannot be matched: {}", rc);
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    for (size_t at = bounds[0]; at < bounds[1];) {
      const uint32_t c = next_char(text, at);
      const uint32_t last = is_blank(c) && (c & 0xFFFF) == kBlankFirst ? c + kBlankLast - kBlankFirst : c;
      if (!ranges.empty() && ranges.back().last + 1 == c)
        ranges.back().last = last;
      else
        ranges.push_back({c, last});
    }
    from = bounds[1];
  }
  return CharSet(std::move(ranges));
}

// Long names of general categories, which the library knows by their short ones.
constexpr std::pair<std::string_view, std::string_view> kCategories[] = {
    {"Cased_Letter", "L&"},
    {"LC", "L&"},
    {"Close_Punctuation", "Pe"},
    {"Connector_Punctuation", "Pc"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Currency_Symbol", "Sc"},
    {"Dash_Punctuation", "Pd"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Enclosing_Mark", "Me"},
    {"Final_Punctuation", "Pf"},
    {"Format", "Cf"},
    {"Initial_Punctuation", "Pi"},
    {"Letter", "L"},
    {"Letter_Number", "Nl"},
    {"Line_Separator", "Zl"},
    {"Lowercase_Letter", "Ll"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Math_Symbol", "Sm"},
    {"Modifier_Letter", "Lm"},
    {"Modifier_Symbol", "Sk"},
    {"Nonspacing_Mark", "Mn"},
    {"Number", "N"},
    {"Open_Punctuation", "Ps"},
    {"Other", "C"},
    {"Other_Letter", "Lo"},
    {"Other_Number", "No"},
    {"Other_Punctuation", "Po"},
    {"Other_Symbol", "So"},
    {"Paragraph_Separator", "Zp"},
    {"Private_Use", "Co"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Spacing_Mark", "Mc"},
    {"Surrogate", "Cs"},
    {"Symbol", "S"},
    {"Titlecase_Letter", "Lt"},
    {"Unassigned", "Cn"},
    {"Uppercase_Letter", "Lu"},
};

std::string_view short_category(std::string_view name) {
  for (const auto& [longer, shorter] : kCategories)
    if (longer == name || shorter == name) return shorter;
  return {};
}

// Spellings for the library, to be tried in order.
std::vector<std::string> spellings(std::string_view name) {
  const auto property = [](std::string_view text) { return "\\p{" + std::string(text) + "}"; };
  if (name.empty() || !std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '=' || c == '&';
      }))
    return {};
  if (const size_t equals = name.find('='); equals != std::string_view::npos) {
    const std::string_view key = name.substr(0, equals), value = name.substr(equals + 1);
    const std::string_view category = short_category(value);
    if ((key == "gc" || key == "General_Category") && !category.empty()) return {property(category)};
    if (key == "sc" || key == "Script") return {property("sc:" + std::string(value))};
    if (key == "scx" || key == "Script_Extensions") return {property("scx:" + std::string(value))};
    return {};
  }
  if (const std::string_view category = short_category(name); !category.empty()) return {property(category)};
  if (name == "Any") return {"[\\s\\S]"};
  if (name == "Assigned") return {"\\P{Cn}"};
  if (name.starts_with("X")) {
    // Names of the library's own begin so as well; scripts do not need this one.
    if (name.size() == 3) return {};
  }
  return {property("sc:" + std::string(name)), property(name)};
}

}  // namespace

struct CharClasses::Known {
  std::map<std::string, std::optional<CharSet>, std::less<>> properties;
  // (character, another that differs only in case), sorted; empty before the first need.
  std::vector<std::pair<uint32_t, uint32_t>> cases;

  void find_cases();
};

CharClasses::CharClasses() : known_(std::make_unique<Known>()) {}
CharClasses::~CharClasses() = default;
CharClasses::CharClasses(CharClasses&&) noexcept = default;
CharClasses& CharClasses::operator=(CharClasses&&) noexcept = default;

const CharSet* CharClasses::property(std::string_view name) {
  auto it = known_->properties.find(name);
  if (it == known_->properties.end()) {
    std::optional<CharSet> chars;
    for (const std::string& spelling : spellings(name))
      if (chars = matching(spelling); chars) break;
    it = known_->properties.emplace(std::string(name), std::move(chars)).first;
  }
  return it->second ? &*it->second : nullptr;
}

// Has the library turn everything that has case into upper and into lower case: what meets there belongs
// together.
void CharClasses::Known::find_cases() {
  const std::optional<CharSet> cased = matching("[\\p{L&}\\p{Nl}\\p{So}\\p{Mn}]");
  HADAL_CHECK(cased.has_value());
  std::string text;
  std::vector<uint32_t> chars;
  for (const CharRange& range : cased->ranges())
    for (uint32_t c = range.first; c <= range.last; ++c) append_utf8(text, c), chars.push_back(c);
  std::map<uint32_t, uint32_t> parent;  // a forest: the smallest character of a group is its root
  const auto root = [&parent](uint32_t c) {
    for (auto it = parent.find(c); it != parent.end(); it = parent.find(c)) c = it->second;
    return c;
  };
  const Code code = compile("(?s).+");
  for (const std::string_view to : {"\\U$0", "\\L$0"}) {
    std::string turned(2 * text.size(), '\0');
    PCRE2_SIZE size = turned.size();
    const int rc =
        pcre2_substitute(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                         PCRE2_SUBSTITUTE_EXTENDED, nullptr, nullptr, reinterpret_cast<PCRE2_SPTR>(to.data()),
                         to.size(), reinterpret_cast<PCRE2_UCHAR*>(turned.data()), &size);
    HADAL_CHECK(rc == 1, "cases cannot be found: {}", rc);
    turned.resize(size);
    size_t at = 0;
    for (const uint32_t c : chars) {
      const uint32_t a = root(c), b = root(next_char(turned, at));
      if (a != b) parent[std::max(a, b)] = std::min(a, b);
    }
    HADAL_CHECK(at == turned.size());
  }
  std::map<uint32_t, std::vector<uint32_t>> groups;
  for (const uint32_t c : chars)
    if (const uint32_t r = root(c); r != c) groups[r].push_back(c);
  for (auto& [r, members] : groups) {
    members.push_back(r);
    for (const uint32_t a : members)
      for (const uint32_t b : members)
        if (a != b) cases.emplace_back(a, b);
  }
  std::ranges::sort(cases);
}

CharSet CharClasses::fold(const CharSet& chars) {
  if (known_->cases.empty()) known_->find_cases();
  std::vector<CharRange> all = chars.ranges();
  for (const CharRange& range : chars.ranges()) {
    auto it = std::ranges::lower_bound(known_->cases, std::pair{range.first, 0u});
    for (; it != known_->cases.end() && it->first <= range.last; ++it)
      all.push_back({it->second, it->second});
  }
  return CharSet(std::move(all));
}

CharSet digit_chars() {
  return {{'0', '9'}};
}

CharSet word_chars() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}

CharSet space_chars() {
  return {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}

CharSet line_chars() {
  return CharSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement();
}

}  // namespace hadal::grammar
