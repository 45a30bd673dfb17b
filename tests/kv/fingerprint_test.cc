#include "kv/fingerprint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <set>

#include "checkpoint/checkpoint.h"
#include "kv_support.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;

constexpr int64_t kLarge = int64_t{100} << 20;  // above the size that is read whole

std::string header_of(const std::string& name, int64_t bytes) {
  return fmt::format(R"({{"{}":{{"dtype":"I8","shape":[{}],"data_offsets":[0,{}]}}}})", name, bytes, bytes);
}

// Two shards, the second one large and empty on disk but for its header.
void write_checkpoint(const fs::path& folder) {
  fs::create_directories(folder);
  test::write_bytes(folder / "config.json", R"({"hidden_size": 1})");
  test::write_bytes(folder / "model.safetensors.index.json",
                    R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  test::write_bytes(folder / "one.safetensors", test::safetensors_bytes(header_of("a", 1000), 1000));
  const std::string head = test::safetensors_bytes(header_of("b", kLarge), 0);
  test::write_bytes(folder / "two.safetensors", head);
  fs::resize_file(folder / "two.safetensors", head.size() + kLarge);
}

// Changes nothing that a folder listing shows.
void quietly(const fs::path& file, const std::function<void()>& change) {
  struct stat before{};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  change();
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
}

void set_byte(const fs::path& file, int64_t at) {
  quietly(file, [&] {
    const int fd = ::open(file.c_str(), O_RDWR);
    char byte = 0;
    ASSERT_EQ(::pread(fd, &byte, 1, at), 1);
    byte = static_cast<char>(byte ^ 1);
    ASSERT_EQ(::pwrite(fd, &byte, 1, at), 1);
    ::close(fd);
  });
}

Hash128 of(const fs::path& path) {
  return fingerprint(*Checkpoint::open(path));
}

TEST(Fingerprint, IsTheSameUntilSomethingChanges) {
  const TempFolder folder;
  write_checkpoint(folder / "m");
  std::set<Hash128> seen = {of(folder / "m")};
  EXPECT_EQ(of(folder / "m"), *seen.begin());
  auto changed = [&](const char* what) { EXPECT_TRUE(seen.insert(of(folder / "m")).second) << what; };

  test::write_bytes(folder / "m" / "config.json", R"({"hidden_size": 2})");
  changed("config");
  set_byte(folder / "m" / "one.safetensors", 500);
  changed("a byte of a small file");
  const auto size = static_cast<int64_t>(fs::file_size(folder / "m" / "two.safetensors"));
  for (const int64_t at : {int64_t{200}, size - 1, (size - 4096) / 63 * 10 + 5}) {
    set_byte(folder / "m" / "two.safetensors", at);
    changed("a byte of a sampled piece");
  }
  fs::resize_file(folder / "m" / "two.safetensors", static_cast<uintmax_t>(size) + 1);
  changed("size");
  fs::last_write_time(folder / "m" / "two.safetensors",
                      fs::last_write_time(folder / "m" / "two.safetensors") + std::chrono::nanoseconds(100));
  changed("time of change");
  fs::rename(folder / "m" / "one.safetensors", folder / "m" / "uno.safetensors");
  test::write_bytes(folder / "m" / "model.safetensors.index.json",
                    R"({"weight_map": {"a": "uno.safetensors", "b": "two.safetensors"}})");
  changed("name");
  fs::remove(folder / "m" / "config.json");
  changed("no config");
}

TEST(Fingerprint, TheFolderMayMove) {
  const TempFolder folder;
  write_checkpoint(folder / "m");
  const Hash128 before = of(folder / "m");
  fs::rename(folder / "m", folder / "elsewhere");
  EXPECT_EQ(of(folder / "elsewhere"), before);
  EXPECT_EQ(of(folder / "elsewhere" / "model.safetensors.index.json"), before);
}

TEST(Fingerprint, ASingleFile) {
  const TempFolder folder;
  test::write_bytes(folder / "model.safetensors", test::safetensors_bytes(header_of("a", 100), 100));
  EXPECT_EQ(of(folder.path()), of(folder / "model.safetensors"));
}

TEST(Fingerprint, AFileThatIsGone) {
  const TempFolder folder;
  write_checkpoint(folder / "m");
  const auto checkpoint = Checkpoint::open(folder / "m");
  fs::remove(folder / "m" / "one.safetensors");
  EXPECT_NE(test::error_of(ErrorCode::kNotFound, [&] { fingerprint(*checkpoint); }).find("one.safetensors"),
            std::string::npos);
}

}  // namespace
}  // namespace hadal
