#include "sample/grammar/formats.h"

#include <fmt/format.h>

#include <string>

#include "base/check.h"
#include "sample/grammar/regex.h"

namespace hadal::grammar {
namespace {

// Texts are built of regular expressions, each whole: one of them may be repeated as it is.
using Pattern = std::string;

ExprId expr(ExprPool& pool, const Pattern& pattern) {
  const Result<ExprId> e = whole_regex(pool, pattern);
  HADAL_CHECK(e.has_value(), "a format's pattern: {}", e ? "" : e.error().to_string());
  return *e;
}

// Limits of length cost little when what is limited is plain (ExprPool::relaxed).
ExprId at_most(ExprPool& pool, uint32_t chars, ExprId e) {
  return pool.both({e, pool.repeat(ExprPool::kAnyChar, 0, chars)});
}

// ---- Dates and times (RFC 3339) ----

Pattern date() {
  const Pattern year = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)";
  // Multiples of four but 00.
  const Pattern fourth = "(?:0[48]|[2468][048]|[13579][26])";
  const Pattern leap_year = "(?:[0-9]{2}" + fourth + "|" + fourth + "00)";
  return "(?:" + year + "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|" +
         "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" + leap_year + "-02-29)";
}

Pattern time() {
  return "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?"
         "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
}

Pattern duration() {
  const Pattern second = "[0-9]+S";
  const Pattern minute = "[0-9]+M(?:" + second + ")?";
  const Pattern hour = "[0-9]+H(?:" + minute + ")?";
  const Pattern time = "T(?:" + hour + "|" + minute + "|" + second + ")";
  const Pattern day = "[0-9]+D";
  const Pattern month = "[0-9]+M(?:" + day + ")?";
  const Pattern year = "[0-9]+Y(?:" + month + ")?";
  return "P(?:(?:" + day + "|" + month + "|" + year + ")(?:" + time + ")?|" + time + "|[0-9]+W)";
}

// ---- Addresses ----

Pattern ipv4() {
  const Pattern byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return byte + "(?:\\." + byte + "){3}";
}

// RFC 4291, 2.2, with "::" for at least one group.
Pattern ipv6() {
  const Pattern group = "[0-9A-Fa-f]{1,4}";
  const Pattern last = "(?:" + group + ":" + group + "|" + ipv4() + ")";
  Pattern all = "(?:" + group + ":){6}" + last;
  for (int after = 5; after >= -2; --after) {  // groups behind the "::", before the last two
    const int before = 5 - after;              // groups before it, at most
    Pattern one = before == 0 ? "" : fmt::format("(?:(?:{}:){{0,{}}}{})?", group, before - 1, group);
    one += "::";
    if (after > 0) one += fmt::format("(?:{}:){{{}}}", group, after);
    if (after >= 0) one += last;
    if (after == -1) one += group;
    all += "|" + one;
  }
  return "(?:" + all + ")";
}

// A label of at most 63 characters that does not begin with "xn--".
Pattern label() {
  const Pattern one = "[0-9A-Za-z]", any = "[0-9A-Za-z-]";
  const auto rest = [&](int chars) { return fmt::format("(?:{}{{0,{}}}{})?", any, chars - 1, one); };
  return "(?:[0-9A-WYZa-wyz]" + rest(62) + "|[Xx](?:[0-9A-MO-Za-mo-z]" + rest(61) + "|-" + any + "{0,60}" +
         one + "|[Nn](?:" + one + rest(60) + "|-" + one + rest(59) + ")?)?)";
}

ExprId hostname(ExprPool& pool, uint32_t chars) {
  return at_most(pool, chars, expr(pool, fmt::format("(?:{0}\\.)*{0}", label())));
}

// Letters that may stand in a label as they are and next to each other (RFC 5892), by blocks.
constexpr const char* kLatin =
    "\\u00DF-\\u00F6\\u00F8-"
    "\\u00FF\\u0103\\u0105\\u0107\\u010D\\u010F\\u0111\\u0117\\u0119\\u011B\\u011F\\u0131"
    "\\u0142\\u0144\\u0148\\u0151\\u0153\\u0159\\u015B\\u015F\\u0161\\u0163\\u0165\\u016B\\u016F\\u0171\\u017"
    "A\\u017C\\u017E";
constexpr const char* kAlphabets[] = {"\\u03AC-\\u03CE", "\\u0430-\\u045F", "\\u0561-\\u0586",
                                      "\\u10D0-\\u10F0", "\\u0905-\\u0939", "\\u0E01-\\u0E30",
                                      "\\u3041-\\u3096", "\\u30A1-\\u30FA"};
constexpr const char* kEastAsian = "\\u4E00-\\u9FA5\\uAC00-\\uD7A3";

// A label's encoded form has at most 63 characters. A letter that is not ASCII takes up to six of them with
// the hyphen before it, up to three where all are of the same alphabet; and there are five more.
Pattern idn_hostname() {
  const auto label = [](const Pattern& first, int chars) {
    return fmt::format("|[0-9a-z{}](?:-?[0-9a-z{}]){{0,{}}}", first, first, chars - 1);
  };
  Pattern all = kLatin, labels = "[0-9A-Za-z](?:-?[0-9A-Za-z]){0,30}";
  for (const char* alphabet : kAlphabets) {
    labels += label(alphabet, 17);
    all += alphabet;
  }
  all += kEastAsian;
  labels += label(all, 10);
  labels += fmt::format("|(?:(?:[0-9a-z]-?){{0,6}}[{}](?:-?[0-9a-z]){{0,4}}){{1,2}}", kLatin);
  // Three labels are never too long together.
  return fmt::format("(?:(?:{0})\\.){{0,2}}(?:{0})", labels);
}

// RFC 5321, 4.1.2.
ExprId email(ExprPool& pool, bool international) {
  const Pattern more = international ? "\\u00A1-\\u00AC\\u00AE-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF" : "";
  const Pattern atom = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~" + more + "-]";
  const Pattern quoted = "\"(?:[ !#-\\[\\]-~" + more + "]|\\\\[ -~])*\"";
  const ExprId local = at_most(pool, 64, expr(pool, atom + "+(?:\\." + atom + "+)*|" + quoted));
  const ExprId literal = expr(pool, "\\[(?:" + ipv4() + "|IPv6:" + ipv6() + ")\\]");
  // 254 characters in all.
  const ExprId domain = international ? expr(pool, idn_hostname()) : hostname(pool, 189);
  return pool.concat({local, pool.text("@"), pool.either({domain, literal})});
}

// ---- RFC 3986 and 3987 ----

struct Uri {
  Pattern full, relative;
};

Uri uri(bool international) {
  const Pattern ucs =
      international
          ? "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF\\u{10000}-\\u{1FFFD}\\u{20000}-\\u{2FFFD}"
            "\\u{30000}-\\u{3FFFD}\\u{40000}-\\u{4FFFD}\\u{50000}-\\u{5FFFD}\\u{60000}-\\u{6FFFD}"
            "\\u{70000}-\\u{7FFFD}\\u{80000}-\\u{8FFFD}\\u{90000}-\\u{9FFFD}\\u{A0000}-\\u{AFFFD}"
            "\\u{B0000}-\\u{BFFFD}\\u{C0000}-\\u{CFFFD}\\u{D0000}-\\u{DFFFD}\\u{E1000}-\\u{EFFFD}"
          : "";
  const Pattern only_in_query =
      international ? "\\uE000-\\uF8FF\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}" : "";
  const Pattern unreserved = "0-9A-Za-z._~" + ucs, delimiters = "!$&'()*+,;=";
  const Pattern escaped = "%[0-9A-Fa-f]{2}";
  const auto chars = [&](const Pattern& more) {
    return "(?:[" + unreserved + delimiters + more + "-]|" + escaped + ")";
  };
  const Pattern pchar = chars(":@");
  const Pattern future = "[Vv][0-9A-Fa-f]+\\.[0-9A-Za-z._~" + delimiters + ":-]+";
  const Pattern host = "(?:\\[(?:" + ipv6() + "|" + future + ")\\]|" + chars("") + "*)";
  const Pattern authority = "(?:" + chars(":") + "*@)?" + host + "(?::[0-9]*)?";
  const Pattern segments = "(?:/" + pchar + "*)*";
  const Pattern absolute = "/(?:" + pchar + "+" + segments + ")?";
  const Pattern behind = "(?:\\?" + chars(":@/?" + only_in_query) + "*)?(?:#" + chars(":@/?") + "*)?";
  const Pattern scheme = "[A-Za-z][0-9A-Za-z+.-]*:";
  const Pattern rooted = "//" + authority + segments + "|" + absolute;
  const Pattern rootless = pchar + "+" + segments, no_scheme = chars("@") + "+" + segments;
  return {scheme + "(?:" + rooted + "|" + rootless + ")?" + behind,
          "(?:" + rooted + "|" + no_scheme + ")?" + behind};
}

// RFC 6570.
Pattern uri_template() {
  const Pattern ucs = "\\u00A0-\\uD7FF\\uE000-\\uFDCF\\uFDF0-\\uFFEF";
  const Pattern escaped = "%[0-9A-Fa-f]{2}";
  const Pattern literal = "[!#$&(-;=?@A-Z\\[\\]_a-z~" + ucs + "]|" + escaped;
  const Pattern varchar = "[0-9A-Za-z_]";
  const Pattern name = varchar + "(?:\\.?" + varchar + ")*";
  const Pattern spec = name + "(?::[1-9][0-9]{0,2}|\\*)?";
  return "(?:" + literal + "|\\{[+#./;?&]?" + spec + "(?:," + spec + ")*\\})*";
}

// ---- Others ----

Pattern uuid() {
  return "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
}

Pattern json_pointer() {
  return "(?:/(?:[^/~]|~[01])*)*";
}

// A part of the syntax that everyone reads alike.
ExprId regex(ExprPool& pool) {
  Pattern range;
  for (const char* chars : {"0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"})
    for (const char* c = chars; *c; ++c) {
      const char last = *chars == '0' ? '9' : *chars == 'A' ? 'Z' : 'z';
      range += fmt::format("{}{}-[{}-{}]", range.empty() ? "" : "|", *c, *c, last);
    }
  const Pattern escape = "\\\\(?:[dDwWsStnrfv^$\\\\.*+?()\\[\\]{}|/]|x[0-9A-Fa-f]{2}|u00[0-9A-Fa-f]{2})";
  const Pattern item = "(?:" + range + "|" + escape + "|\\\\-|[ !\"#$%'()*+,./0-9:;<=>?@A-Z_`a-z{}])";
  const Pattern in_class = "\\[\\^?-?" + item + "+-?\\]";
  Pattern ordered;  // n,m with n up to m
  for (int n = 0; n < 10; ++n) ordered += fmt::format("|{},(?:[{}-9]|[1-9][0-9]{{1,2}})", n, n);
  const ExprId quantifier = expr(pool, "(?:(?:[*+?]|\\{(?:[0-9]{1,3},?" + ordered + ")\\})[?]?)?");
  const ExprId one = expr(pool, escape + "|" + in_class + "|[ !\"#%&',./0-9:;<=>@A-Z_`a-z~\\u00A1-\\uD7FF-]");
  const ExprId anchor = expr(pool, "[\\^$]"), opening = expr(pool, "\\((?:\\?:)?"),
               ahead = expr(pool, "\\(\\?[=!]");
  const ExprId closing = pool.text(")");
  ExprId whole = ExprPool::kNone;  // with no group, then with groups nested once, and so on
  for (int depth = 0; depth <= 3; ++depth) {
    const ExprId elements = pool.repeat(
        pool.either({pool.concat(one, quantifier), anchor, pool.concat({opening, whole, closing, quantifier}),
                     pool.concat({ahead, whole, closing})}),
        0);
    whole = pool.concat(elements, pool.repeat(pool.concat(pool.text("|"), elements), 0));
  }
  return whole;
}

}  // namespace

std::optional<ExprId> format_expr(ExprPool& pool, std::string_view name) {
  if (name == "date") return expr(pool, date());
  if (name == "time") return expr(pool, time());
  if (name == "date-time") return expr(pool, date() + "[Tt]" + time());
  if (name == "duration") return expr(pool, duration());
  if (name == "email") return email(pool, false);
  if (name == "idn-email") return email(pool, true);
  if (name == "hostname") return hostname(pool, 253);
  if (name == "idn-hostname") return expr(pool, idn_hostname());
  if (name == "ipv4") return expr(pool, ipv4());
  if (name == "ipv6") return expr(pool, ipv6());
  if (name == "uri" || name == "iri") return expr(pool, uri(name == "iri").full);
  if (name == "uri-reference" || name == "iri-reference") {
    const Uri both = uri(name == "iri-reference");
    return pool.either({expr(pool, both.full), expr(pool, both.relative)});
  }
  if (name == "uri-template") return expr(pool, uri_template());
  if (name == "uuid") return expr(pool, uuid());
  if (name == "json-pointer") return expr(pool, json_pointer());
  if (name == "relative-json-pointer") return expr(pool, "(?:0|[1-9]+0?)(?:#|" + json_pointer() + ")");
  if (name == "regex") return regex(pool);
  return std::nullopt;
}

}  // namespace hadal::grammar
