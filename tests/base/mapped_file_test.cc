#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "support/files.h"

namespace hadal {
namespace {

using test::error_of;
using test::TempFolder;
using ::testing::HasSubstr;

TEST(MappedFile, ShowsTheBytesOfTheFile) {
  const TempFolder folder;
  const auto file = MappedFile::open(folder.write("a b", std::string("hello\0world", 11)));
  ASSERT_EQ(file->bytes().size(), 11u);
  EXPECT_EQ(std::memcmp(file->bytes().data(), "hello\0world", 11), 0);
  EXPECT_EQ(file->path(), folder / "a b");
}

TEST(MappedFile, StaysWhenTheFileIsRemoved) {
  const TempFolder folder;
  const auto path = folder.write("x", "kept");
  const auto file = MappedFile::open(path);
  std::filesystem::remove(path);
  EXPECT_EQ(std::memcmp(file->bytes().data(), "kept", 4), 0);
}

TEST(MappedFile, WhatCannotBeMapped) {
  const TempFolder folder;
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { MappedFile::open(folder / "none"); }),
              HasSubstr("none: there is no"));
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { MappedFile::open(folder.write("f", "x") / "below"); }),
              HasSubstr("below"));
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { MappedFile::open(folder.write("e", "")); }),
              HasSubstr("empty"));
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { MappedFile::open(folder.path()); }),
              HasSubstr("a folder"));
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { MappedFile::open("/dev/null"); }),
              HasSubstr("a device"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { MappedFile::open(folder / "pipe"); }),
              HasSubstr("pipe"));
}

TEST(ReadTextFile, ReadsUpToTheLimit) {
  const TempFolder folder;
  EXPECT_EQ(read_text_file(folder.write("t", "12345"), 5), "12345");
  EXPECT_EQ(read_text_file(folder.write("e", ""), 5), "");
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { read_text_file(folder / "t", 4); }),
              HasSubstr("at most 4"));
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { read_text_file(folder.path(), 4); }),
              HasSubstr("a folder"));
}

}  // namespace
}  // namespace hadal
