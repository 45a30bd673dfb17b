#include "kv/kv_reader.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include "kv/kv_writer.h"
#include "kv_support.h"

namespace hadal {
namespace {

using test::bytes_of;
using test::TempFolder;
using ::testing::HasSubstr;

// A whole session: ids, rows, tails at any lengths.
struct Session {
  KvIdentity identity;
  std::vector<int32_t> ids;
  std::vector<std::vector<std::byte>> rows, tails;
  std::vector<int64_t> lengths;

  Session(int64_t block_bytes, size_t tokens, std::vector<std::pair<int64_t, int64_t>> wanted_tails)
      : identity(test::identity_of(block_bytes)) {
    for (size_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>(i * i));
    for (size_t i = 0; i < (tokens + 127) / 128; ++i) rows.push_back(bytes_of({i, 3}, block_bytes));
    for (const auto& [length, bytes] : wanted_tails) {
      lengths.push_back(length);
      tails.push_back(bytes_of({static_cast<uint64_t>(length), 4}, bytes));
    }
  }
  void save(const std::filesystem::path& path) const {
    std::vector<const std::byte*> blocks;
    for (const auto& row : rows) blocks.push_back(row.data());
    std::vector<KvTailSource> sources;
    for (size_t i = 0; i < tails.size(); ++i) sources.push_back({lengths[i], lengths[i] / 2, tails[i]});
    KvContent content;
    content.identity = &identity;
    content.parent = chain_root(identity);
    content.ids = ids;
    content.blocks = blocks;
    content.tails = sources;
    KvWriter(content).write(path);
  }
  // Empty when everything is read back; otherwise the first problem.
  std::string load(const std::filesystem::path& path, int threads, bool hold = true) const {
    const auto file = KvReader::open(path, hold);
    if (!file) return file.error().to_string();
    const KvHeader& header = (*file)->header();
    if (header.identity != identity || header.ids != ids || header.tails.size() != tails.size())
      return "other header";
    auto got_rows = rows, got_tails = tails;
    std::vector<std::byte*> pointers;
    for (auto& row : got_rows) {
      std::fill(row.begin(), row.end(), std::byte{0xee});
      pointers.push_back(row.data());
    }
    KvRead read;
    read.add_blocks(**file, 0, pointers);
    for (size_t i = 0; i < tails.size(); ++i) {
      std::fill(got_tails[i].begin(), got_tails[i].end(), std::byte{0xee});
      read.add_tail(**file, i, got_tails[i]);
      if (header.tails[i].length != lengths[i] || header.tails[i].mtp_length != lengths[i] / 2)
        return "other tail";
    }
    const auto failures = read.run(threads);
    if (!failures.empty()) return failures.front().problem.to_string();
    return got_rows == rows && got_tails == tails ? "" : "WRONG BYTES";
  }
};

RC_GTEST_PROP(KvReader, ReadsBackWhatWasWritten, ()) {
  const auto tokens = *rc::gen::inRange<size_t>(0, 1500);
  const auto lengths =
      *rc::gen::container<std::set<int64_t>>(rc::gen::inRange<int64_t>(0, static_cast<int64_t>(tokens) + 1));
  std::vector<std::pair<int64_t, int64_t>> tails;
  for (const int64_t length : lengths) tails.emplace_back(length, *rc::gen::inRange<int64_t>(1, 20'000));
  const Session session(*rc::gen::inRange<int64_t>(1, 10'000), tokens, tails);
  const TempFolder folder;
  session.save(folder / "s");
  RC_ASSERT(session.load(folder / "s", *rc::gen::inRange(1, 5), *rc::gen::arbitrary<bool>()) == "");
  const auto file = KvReader::open(folder / "s");
  RC_ASSERT(verify_kv_file(**file).has_value());
}

TEST(KvReader, ThreadsReadLargeSectionsInPieces) {
  const TempFolder folder;
  const Session session(3'000'001, 5 * 128 + 1, {{128, 9'000'001}, {641, 4 << 20}});
  session.save(folder / "s");
  for (const int threads : {1, 3, 16}) EXPECT_EQ(session.load(folder / "s", threads), "");
  EXPECT_TRUE(verify_kv_file(**KvReader::open(folder / "s")));
}

TEST(KvReader, APartOfTheBlocks) {
  const TempFolder folder;
  const Session session(1000, 7 * 128, {});
  session.save(folder / "s");
  const auto file = KvReader::open(folder / "s");
  std::vector<std::byte> a(1000), b(1000);
  std::byte* const blocks[] = {a.data(), b.data()};
  KvRead read;
  read.add_blocks(**file, 3, blocks);
  EXPECT_TRUE(read.run().empty());
  EXPECT_EQ(a, session.rows[3]);
  EXPECT_EQ(b, session.rows[4]);
}

TEST(KvReader, EveryChangedByteOfAFileIsNoticed) {
  const TempFolder folder;
  const Session session(700, 300, {{128, 100}, {300, 900}});
  session.save(folder / "s");
  std::string bytes = test::read_bytes(folder / "s");
  for (size_t i = 0; i < bytes.size(); i += i < 4096 ? 37 : 3) {
    bytes[i] = static_cast<char>(bytes[i] ^ 0x40);
    test::write_bytes(folder / "t", bytes);
    const std::string problem = session.load(folder / "t", 1);
    ASSERT_THAT(problem, HasSubstr((folder / "t").string() + ": ")) << i;
    const auto file = KvReader::open(folder / "t");
    ASSERT_FALSE(file && verify_kv_file(**file)) << i;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x40);
  }
}

TEST(KvReader, EveryLengthOfATruncatedFileIsNoticed) {
  const TempFolder folder;
  const Session session(50, 128, {{128, 10}});
  session.save(folder / "s");
  const std::string bytes = test::read_bytes(folder / "s");
  for (size_t n = 0; n < bytes.size(); n += 7) {
    test::write_bytes(folder / "t", bytes.substr(0, n));
    ASSERT_FALSE(KvReader::open(folder / "t"));
  }
  test::write_bytes(folder / "t", bytes + "x");
  EXPECT_THAT(KvReader::open(folder / "t").error().what, HasSubstr("file size"));
}

TEST(KvReader, AFileTruncatedWhileItIsOpen) {
  const TempFolder folder;
  const Session session(5000, 512, {{512, 50'000}});
  session.save(folder / "s");
  const auto file = KvReader::open(folder / "s");
  std::filesystem::resize_file(folder / "s", 20'000);
  std::vector<std::byte> tail(50'000);
  KvRead read;
  read.add_tail(**file, 0, tail);
  const auto failures = read.run();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].problem.fault, KvFault::kDamaged);
  EXPECT_THAT(failures[0].problem.what, HasSubstr("ends early"));
  EXPECT_FALSE(verify_kv_file(**file));
}

TEST(KvReader, ARemovedFileIsStillReadWhenHeld) {
  const TempFolder folder;
  const Session session(500, 128, {});
  session.save(folder / "s");
  const auto held = KvReader::open(folder / "s"), not_held = KvReader::open(folder / "s", false);
  std::filesystem::remove(folder / "s");
  std::vector<std::byte> row(500);
  std::byte* const blocks[] = {row.data()};
  KvRead one, two;
  one.add_blocks(**held, 0, blocks);
  EXPECT_TRUE(one.run().empty());
  EXPECT_EQ(row, session.rows[0]);
  two.add_blocks(**not_held, 0, blocks);
  const auto failures = two.run();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].problem.fault, KvFault::kMissing);
  EXPECT_EQ(verify_kv_file(**not_held).error().fault, KvFault::kMissing);
}

TEST(KvReader, WhatIsNoFile) {
  const TempFolder folder;
  EXPECT_EQ(KvReader::open(folder / "none").error().fault, KvFault::kMissing);
  EXPECT_EQ(KvReader::open(folder.path()).error().fault, KvFault::kDamaged);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(KvReader::open(folder / "pipe").error().fault, KvFault::kDamaged);
  folder.write("empty", "");
  EXPECT_EQ(KvReader::open(folder / "empty").error().fault, KvFault::kDamaged);
}

// The header may claim what it likes: nothing is allocated that the file does not have.
TEST(KvReader, ASparseFileOfATerabyte) {
  const TempFolder folder;
  const Session session(500, 128, {});
  session.save(folder / "s");
  std::error_code refused;
  std::filesystem::resize_file(folder / "s", uintmax_t{1} << 40, refused);
  if (refused) GTEST_SKIP() << "no sparse files here";
  EXPECT_THAT(KvReader::open(folder / "s").error().what, HasSubstr("file size"));
}

}  // namespace
}  // namespace hadal
