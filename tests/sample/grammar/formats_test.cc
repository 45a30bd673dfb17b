#include "sample/grammar/formats.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hadal::grammar {
namespace {

struct Case {
  const char* format;
  std::vector<const char*> texts;
};

const std::vector<Case> kValid = {
    {"date", {"2024-02-29", "2000-02-29", "1999-12-31", "0001-01-01", "9999-12-31"}},
    {"time", {"12:00:00Z", "23:59:59.999+01:00", "00:00:00-23:59", "08:30:06.283185Z", "08:30:06z"}},
    {"date-time", {"1963-06-19T08:30:06.283185Z", "1990-12-31T15:59:50.123-08:00", "2024-01-01t00:00:00z"}},
    {"duration",
     {"P4DT12H30M5S", "P4Y", "PT0S", "P0D", "P1M", "PT1M", "PT36H", "P1DT12H", "P2W", "P1Y2M3DT4H5M6S"}},
    {"email",
     {"joe.bloggs@example.com", "te~st@example.com", "~test@example.com", "\"joe bloggs\"@example.com",
      "\"joe..bloggs\"@example.com", "\"joe@bloggs\"@example.com", "joe.bloggs@[127.0.0.1]",
      "joe.bloggs@[IPv6:::1]", "te.s.t@example.com", "a+b@x-y.co.uk", "riedgar+guide@example.com"}},
    {"idn-email", {"실례@실례.테스트", "a@b.de", "müller@straße.de"}},
    {"hostname",
     {"www.example.com", "localhost", "a", "1host", "hostnam3", "a-b.c",
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.com", "example.com"}},
    {"idn-hostname",
     {"실례.테스트", "münchen.de", "hostname", "例え.jp", "пример.ком", "host-name", "www.example.com",
      "EXAMPLE.com", "παράδειγμα.gr", "กขค.th"}},
    {"ipv4", {"192.168.0.1", "0.0.0.0", "255.255.255.255", "87.10.0.1"}},
    {"ipv6",
     {"::1", "::", "::abef", "1::", "::42:ff:1", "d6::", "1:d6::42", "1:2:3:4:5:6:7:8", "1:2::8",
      "::ffff:192.168.0.1", "1::d6:192.168.0.1", "1:2::192.168.0.1", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
      "1000:1000:1000:1000:1000:1000:255.255.255.255", "fe80::a", "FE80::1"}},
    {"uri",
     {"http://foo.bar/?baz=qux#quux", "http://foo.com/blah_(wikipedia)_blah#cite-1",
      "http://foo.bar/?q=Test%20URL-encoded%20stuff", "http://xn--nw2a.xn--j6w193g/",
      "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", "http://223.255.255.254",
      "ftp://ftp.is.co.za/rfc/rfc1808.txt", "http://www.ietf.org/rfc/rfc2396.txt",
      "ldap://[2001:db8::7]/c=GB?objectClass?one", "mailto:John.Doe@example.com",
      "news:comp.infosystems.www.servers.unix", "tel:+1-816-555-1212",
      "urn:oasis:names:specification:docbook:dtd:xml:4.1.2", "https://example.com:8080/a/b?x=y&z#f",
      "file:///etc/passwd", "http://localhost", "about:blank", "a:"}},
    {"uri-reference",
     {"/abc", "abc", "#fragment", "//foo.bar/?baz=qux#quux", "", "../a/b", "?x=1", "./a:b", "a%20b",
      "http://example.com/"}},
    {"iri",
     {"http://ƒøø.ßår/?∂éœ=πîx#πîüx", "http://ƒøø.com/blah_(wîkïpédiå)_blah#ßité-1",
      "http://[2001:0db8:85a3:0000:0000:8a2e:0370:7334]", "http://例え.jp/ü"}},
    {"iri-reference", {"//ƒøø.ßår/?∂éœ=πîx#πîüx", "/âππ", "âππ", "#ƒrägmênt"}},
    {"uri-template",
     {"http://example.com/dictionary/{term:1}/{term}", "http://example.com/{?q,lang}", "http://example.com",
      "{+path}/here", "{/id*}", "map?{x,y}", "{#x,hello,y}", "dictionary/{term}{&a,b}", "{;x,y}"}},
    {"uuid",
     {"2EB8AA08-AA98-11EA-B4AA-73B441D16380", "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
      "00000000-0000-0000-0000-000000000000"}},
    {"json-pointer",
     {"/foo/bar~0/baz~1/%a", "/foo/bar~0/baz~1/%a", "", "/", "/foo//bar", "/foo", "/foo/0", "/a~1b", "/c%d",
      "/i\\j", "/k\"l", "/ ", "/m~0n", "/foo/-"}},
    {"relative-json-pointer", {"1", "0/foo/bar", "2/0/baz/1/zip", "0#", "120/foo/bar"}},
    {"regex",
     {"([abc])+\\s+$", "^[a-z0-9_-]+$", "a|b", "^(foo|ba[rz])*\\d{2,4}$", "^\\S+@\\S+\\.\\S+$", "",
      "^(?=.*[A-Z])\\w{8,}$", "[^/]+", "^\\+?[1-9]\\d{1,14}$"}},
};

const std::vector<Case> kInvalid = {
    {"date",
     {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "0000-01-01", "2024-04-31",
      "20240101", "2024-02-30"}},
    {"time",
     {"24:00:00Z", "12:60:00Z", "12:00:60Z", "12:00:00", "12:00Z", "12:00:00.Z", "12:00:00+24:00",
      "08:30:06 PST"}},
    {"date-time",
     {"2024-02-30T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
      "06/19/1963 08:30:06 PST"}},
    {"duration",
     {"P", "PT", "P1", "P1Y2W", "P1D2H", "4DT12H30M5S", "PT1D", "P2D1Y", "P1YT", "P1Y2D", "PT1H2S", "P2S",
      "P1.5D"}},
    {"email",
     {"2962", ".test@example.com", "test.@example.com", "te..st@example.com", "joe.bloggs@invalid=domain.com",
      "joe.bloggs@[127.0.0.300]", "a@", "@a", "a b@c.de", "a@-b.de"}},
    {"hostname",
     {"", "-a", "a-", "a.-b", "a_b", ".a", "a.", "a..b",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "xn--X", "-hostname", "_x.y"}},
    {"idn-hostname",
     {"〮실례.테스트", "a--b-", "-> $1.00 <--", "xn--ihqwcrb4cv8a8dqg056pqjye", "ab--cd", "", ".", "-x",
      "〮한국"}},
    {"ipv4",
     {"127.0.0.0.1", "256.256.256.256", "127.0", "0x7f000001", "2130706433", "087.10.0.1", "192.168.1.0/24",
      ""}},
    {"ipv6",
     {"12345::", "1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1", "::laptop", "::abcef", ":2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7:", "1:2::3::4", "1:2:3", "", "1:2:3:4:5:6:7:8:9", "::1%eth0", "1:2:3:4:5:6:7::8",
      "::256.1.1.1", "1:2:3:4:1.2.3", "fe80::a%1", "1:2:3:4:5:6:7:8::"}},
    {"uri",
     {"//foo.bar/?baz=qux#quux", "/abc", "\\\\WINDOWS\\fileshare", "abc", "http:// shouldfail.com",
      ":// should fail", "bar,baz:foo", "http://a b", "http://[::1", "http://é", "%", "a:%zz",
      "http://example.com:x"}},
    {"uri-reference", {"\\\\WINDOWS\\fileshare", "#frag\\ment", "a b", "1a:b^", "%", "a{b}"}},
    {"iri", {"/abc", "âππ", "http://2001:0db8:85a3:0000:0000:8a2e:0370:7334", "\\\\WINDOWS\\filëßåré"}},
    {"uri-template", {"http://example.com/dictionary/{term:1}/{term", "{}", "{a b}", "}", "<>", "{a,}"}},
    {"uuid",
     {"2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08-aa98-11ea-73b441d16380",
      "2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4ga-73b441d16380"}},
    {"json-pointer", {"/foo/bar~", "a", "#", "#/", "/~0~", "/~2", "0"}},
    {"relative-json-pointer", {"-1/foo/bar", "0##", "01/a", "", "/foo/bar", "+1/foo", "01#"}},
    {"regex", {"^(abc]", "(", "a**", "[b-a]", "a{3,2}", "\\", "[", ")", "*"}},
};

bool conforms(const char* format, std::string_view text) {
  ExprPool pool;
  const std::optional<ExprId> e = format_expr(pool, format);
  EXPECT_TRUE(e.has_value()) << format;
  return e && pool.matches(*e, text);
}

TEST(Formats, AcceptOrdinaryTexts) {
  for (const Case& one : kValid)
    for (const char* text : one.texts) EXPECT_TRUE(conforms(one.format, text)) << one.format << ": " << text;
}

TEST(Formats, RefuseOthers) {
  for (const Case& one : kInvalid)
    for (const char* text : one.texts) EXPECT_FALSE(conforms(one.format, text)) << one.format << ": " << text;
}

TEST(Formats, HaveLimitsOnLength) {
  const std::string label(63, 'a'), three = label + "." + label + "." + label + ".";
  EXPECT_TRUE(conforms("hostname", three + std::string(61, 'b')));
  EXPECT_FALSE(conforms("hostname", three + std::string(62, 'b')));
  EXPECT_FALSE(conforms("hostname", label + "a"));
  EXPECT_TRUE(conforms("email", std::string(64, 'a') + "@b.c"));
  EXPECT_FALSE(conforms("email", std::string(65, 'a') + "@b.c"));
}

TEST(Formats, HostnamesAreNotEncoded) {
  for (const char* text : {"x", "xn", "xn-a", "xna", "x-n", "x--n", "Xa--b", "xm--a", "a.x"})
    EXPECT_TRUE(conforms("hostname", text)) << text;
  for (const char* text : {"xn--a", "XN--a", "a.xn--b", "xN--b.c", "x-", "xn-", "xn--"})
    EXPECT_FALSE(conforms("hostname", text)) << text;
}

// Every day of eight hundred years, and days that are not.
TEST(Formats, KnowTheCalendar) {
  ExprPool pool;
  const ExprId date = *format_expr(pool, "date");
  for (int year = 1599; year < 2402; ++year)
    for (int month = 1; month <= 12; ++month) {
      const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
      const int days = month == 2                                              ? (leap ? 29 : 28)
                       : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                               : 31;
      for (int day = 27; day <= 32; ++day) {
        char text[16];
        std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
        ASSERT_EQ(pool.matches(date, text), day <= days) << text;
      }
    }
}

TEST(Formats, OtherNamesMeanNothing) {
  ExprPool pool;
  for (const char* name : {"", "Date", "url", "host-name", "ip-address", "color", "int32"})
    EXPECT_EQ(format_expr(pool, name), std::nullopt) << name;
}

// A format is never too complex to be asked for something beside it.
TEST(Formats, CombineWithLimits) {
  ExprPool pool;
  for (const char* name :
       {"date", "date-time", "email", "idn-email", "hostname", "idn-hostname", "uri", "iri", "ipv6"}) {
    const ExprId e = *format_expr(pool, name);
    EXPECT_FALSE(pool.empty(pool.both({e, pool.repeat(ExprPool::kAnyChar, 10, 40)}))) << name;
    EXPECT_TRUE(pool.empty(pool.both({e, pool.text("\n")}))) << name;
  }
}

}  // namespace
}  // namespace hadal::grammar
