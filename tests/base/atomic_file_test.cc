#include "base/atomic_file.h"

#include <gmock/gmock.h>

#include "support/files.h"

namespace hadal {
namespace {

using test::error_of;
using test::read_bytes;
using test::TempFolder;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

size_t files_in(const TempFolder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(AtomicFile, TheNewFileAppearsWholeAtCommit) {
  const TempFolder folder;
  folder.write("t", "the old text");
  AtomicFile file(folder / "t");
  file.append(bytes("abc"));
  file.write_at(5, bytes("F"));
  file.append(bytes("d"));
  EXPECT_EQ(read_bytes(folder / "t"), "the old text");
  file.commit();
  EXPECT_EQ(read_bytes(folder / "t"), std::string("abcd\0F", 6));
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, WithoutCommitNothingIsLeft) {
  const TempFolder folder;
  {
    AtomicFile(folder / "t").append(bytes("abc"));
  }
  EXPECT_EQ(files_in(folder), 0u);
}

TEST(AtomicFile, TwoWritersOfOneTargetDoNotMix) {
  const TempFolder folder;
  AtomicFile one(folder / "t"), two(folder / "t");
  one.append(bytes("one"));
  two.append(bytes("second"));
  one.commit();
  EXPECT_EQ(read_bytes(folder / "t"), "one");
  two.commit();
  EXPECT_EQ(read_bytes(folder / "t"), "second");
}

TEST(AtomicFile, ALinkKeepsPointingAtItsFile) {
  const TempFolder folder;
  folder.write("real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  AtomicFile file(folder / "link");
  file.append(bytes("new"));
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_bytes(folder / "real"), "new");
}

TEST(AtomicFile, TargetsThatAreNoFiles) {
  const TempFolder folder;
  error_of(ErrorCode::kInvalidInput, [&] { AtomicFile file(folder.path()); });
  error_of(ErrorCode::kInvalidInput, [] { AtomicFile file("/dev/null"); });
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  error_of(ErrorCode::kIo, [&] { AtomicFile file(folder / "none" / "t"); });
}

}  // namespace
}  // namespace hadal
