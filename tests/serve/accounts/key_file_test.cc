#include "serve/accounts/key_file.h"

#include <gmock/gmock.h>

#include "accounts_support.h"
#include "serve/accounts/rate_bucket.h"

namespace hadal::serve {
namespace {

using test::invalid_file;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono;

constexpr const char* kHash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(KeyFile, Reads) {
  const auto keys = parse_key_file(
      "# people\r\n\n"
      "  sk-first-secret  # the first\n"
      "sk-second\tname=ann role=admin rpm=60 tpm=100000 concurrent=4 expires=2027-01-31\r\n"
      "sha256:" +
          std::string(kHash) + " name=ops#1",
      "keys");
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys[0].info.name, "key-3");
  EXPECT_EQ(keys[0].info.last_four, "cret");
  EXPECT_EQ(keys[0].info.role, Role::kUser);
  EXPECT_EQ(keys[0].info.limits, KeyLimits());
  EXPECT_EQ(keys[0].sha256, sha256("sk-first-secret"));
  EXPECT_EQ(keys[1].info.name, "ann");
  EXPECT_EQ(keys[1].info.role, Role::kAdmin);
  EXPECT_EQ(keys[1].info.limits, (KeyLimits{60, 100'000, 4}));
  EXPECT_EQ(keys[1].info.expires, WallTime(sys_days(year(2027) / 1 / 31)));
  EXPECT_EQ(keys[2].info.name, "ops#1");
  EXPECT_EQ(keys[2].info.last_four, "");
  EXPECT_EQ(keys[2].sha256, sha256("abc"));
}

TEST(KeyFile, ErrorsNameFileAndLineButNotTheKey) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no keys"},
      {"# nothing\n\n", "no keys"},
      {"sk-aaaaaaaa\n\nsk-bbbbbbbb color=red", "line 3: 'color=red'"},
      {"sk-aaaaaaaa rpm=0", "line 1: rpm"},
      {"sk-aaaaaaaa rpm=-1", "line 1: rpm"},
      {"sk-aaaaaaaa rpm=1000000001", "line 1: rpm"},
      {"sk-aaaaaaaa rpm=99999999999999999999", "line 1: rpm"},
      {"sk-aaaaaaaa rpm", "line 1: rpm"},
      {"sk-aaaaaaaa tpm=1.5", "line 1: tpm"},
      {"sk-aaaaaaaa concurrent=", "line 1: concurrent"},
      {"sk-aaaaaaaa role=root", "line 1: role"},
      {"sk-aaaaaaaa name=", "line 1: name"},
      {"sk-aaaaaaaa name=12", "line 1: name"},
      {"sk-aaaaaaaa name=a name=b", "line 1: name"},
      {"sk-aaaaaaaa expires=2027-02-29", "line 1: expires"},
      {"sk-aaaaaaaa expires=tomorrow", "line 1: expires"},
      {"sk-aaaaaaaa\nsk-bbbbbbbb\nsk-aaaaaaaa", "line 3: the same key as in line 1"},
      {"abc\nsha256:" + std::string(kHash), "line 2: the same key as in line 1"},
      {"sk-aaaaaaaa name=x\nsk-bbbbbbbb name=x", "line 2: the same name as in line 1"},
      {"sha256:abc", "line 1: sha256"},
      {"sk-\xc3\xa9", "line 1: key"},
      {std::string("sk-aaaa\0bbb", 11), "line 1: key"},
      {std::string(5000, 'k'), "line 1: key"},
  };
  for (const auto& [text, says] : cases)
    EXPECT_THAT(invalid_file([&] { parse_key_file(text, "/etc/keys"); }),
                AllOf(HasSubstr("/etc/keys"), HasSubstr(says), Not(HasSubstr("aaaaaaaa"))))
        << text;
}

TEST(KeyFile, Files) {
  const test::TempFolder folder;
  EXPECT_EQ(read_key_file(folder.write("keys", "sk-first\nsk-second")).size(), 2u);
  EXPECT_THAT(test::error_of(ErrorCode::kNotFound, [&] { read_key_file(folder / "none"); }),
              HasSubstr("none"));
  test::error_of(ErrorCode::kIo, [&] { read_key_file(folder.path()); });
  EXPECT_THAT(invalid_file([&] { read_key_file(folder.write("large", std::string((16 << 20) + 1, '#'))); }),
              HasSubstr("large"));
}

TEST(KeyFile, Days) {
  EXPECT_EQ(*parse_day("2024-02-29"), sys_days(year(2024) / 2 / 29));
  for (const char* text : {"", "2023-02-29", "2024-13-01", "2024-00-01", "2024-1-1", "2024/01/01",
                           "-024-01-01", "2024-01-32", "2024-01-01x", "2024-+1-01"})
    EXPECT_FALSE(parse_day(text)) << text;
}

TEST(KeyFile, Limits) {
  EXPECT_EQ(*parse_limit("1"), 1);
  EXPECT_EQ(*parse_limit("1000000000"), RateBucket::kMaxLimit);
  for (const char* text : {"", "0", "-3", "+3", "1e3", "3 ", "1000000001"})
    EXPECT_FALSE(parse_limit(text)) << text;
}

}  // namespace
}  // namespace hadal::serve
