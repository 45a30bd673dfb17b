#include "kv/kv_writer.h"

#include <gmock/gmock.h>

#include "kv/kv_reader.h"
#include "kv_support.h"

namespace hadal {
namespace {

using test::TempFolder;

KvContent content_of(const test::Sequence& sequence, const std::vector<const std::byte*>& blocks,
                     const std::vector<KvTailSource>& tails) {
  KvContent content;
  content.identity = &sequence.identity;
  content.parent = chain_root(sequence.identity);
  content.ids = sequence.ids;
  content.blocks = blocks;
  content.tails = tails;
  return content;
}

TEST(KvWriter, TheChecksumStandsForTheContent) {
  test::Sequence sequence(test::identity_of(100), test::ids_of(1, 0, 0, 2));
  std::vector<const std::byte*> blocks = {sequence.rows[0].data(), sequence.rows[1].data()};
  auto tail = test::tail_of(sequence.keys[1]);
  const auto first = KvWriter(content_of(sequence, blocks, {{256, 5, tail}})).header_checksum();
  EXPECT_EQ(KvWriter(content_of(sequence, blocks, {{256, 5, tail}})).header_checksum(), first);
  EXPECT_NE(KvWriter(content_of(sequence, blocks, {{256, 6, tail}})).header_checksum(), first);
  EXPECT_NE(KvWriter(content_of(sequence, blocks, {})).header_checksum(), first);
  tail[0] ^= std::byte{1};
  EXPECT_NE(KvWriter(content_of(sequence, blocks, {{256, 5, tail}})).header_checksum(), first);
  tail[0] ^= std::byte{1};
  sequence.rows[1][99] ^= std::byte{1};
  EXPECT_NE(KvWriter(content_of(sequence, blocks, {{256, 5, tail}})).header_checksum(), first);
}

TEST(KvWriter, TheFileHasTheSizeOfItsHeader) {
  const TempFolder folder;
  const test::Sequence sequence(test::identity_of(100), test::ids_of(1, 0, 0, 1));
  const auto tail = test::tail_of(sequence.keys[0]);
  const std::vector<const std::byte*> blocks = {sequence.rows[0].data()};
  const std::vector<KvTailSource> tails = {{128, 0, tail}};
  const KvWriter writer(content_of(sequence, blocks, tails));
  writer.write(folder / "a");
  EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(folder / "a")), writer.file_bytes());
  EXPECT_EQ((*KvReader::open(folder / "a"))->header(), writer.header());
  EXPECT_EQ((*KvReader::open(folder / "a"))->header_checksum(), writer.header_checksum());
}

TEST(KvWriter, WhereNothingCanBeWritten) {
  const TempFolder folder;
  const test::Sequence sequence(test::identity_of(100), {});
  test::error_of(ErrorCode::kIo,
                 [&] { KvWriter(content_of(sequence, {}, {})).write(folder / "none" / "a"); });
}

}  // namespace
}  // namespace hadal
