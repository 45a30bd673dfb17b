#include "kv/kv_file.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "kv_support.h"

namespace hadal {
namespace {

using ::testing::HasSubstr;

KvHeader make_header(int64_t first_block, size_t tokens,
                     const std::vector<std::pair<int64_t, int64_t>>& tails, int64_t block_bytes = 300) {
  KvHeader header;
  header.identity = test::identity_of(block_bytes);
  header.first_block = first_block;
  header.parent = first_block == 0 ? chain_root(header.identity) : BlockKey{5, 6};
  for (size_t i = 0; i < tokens; ++i) header.ids.push_back(static_cast<int32_t>(i * 17));
  for (size_t i = 0; i < (tokens + 127) / 128; ++i) header.block_checksums.push_back(i * 1001);
  for (const auto& [length, bytes] : tails) header.tails.push_back({length, length - 1, bytes, 0, 77});
  place_sections(header);
  return header;
}

KvResult<KvHeader> parse(const std::vector<std::byte>& bytes, int64_t file_bytes) {
  const auto first = std::span(bytes).first(std::min<size_t>(bytes.size(), kKvSection));
  const auto size = parse_kv_header_size(first, file_bytes, "f");
  if (!size) return tl::make_unexpected(size.error());
  if (*size > static_cast<int64_t>(bytes.size())) return kv_problem(KvFault::kDamaged, "f", "short");
  return parse_kv_header(std::span(bytes).first(static_cast<size_t>(*size)), file_bytes, "f");
}

template <class T>
void patch(std::vector<std::byte>& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

// The message for a header with one field changed and signed again.
template <class T>
std::string refused(const KvHeader& header, size_t at, T value, int64_t file_bytes = 0) {
  std::vector<std::byte> bytes = encode_kv_header(header);
  patch(bytes, at, value);
  sign_kv_header(bytes);
  const auto parsed = parse(bytes, file_bytes == 0 ? header.file_bytes : file_bytes);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().where, "f");
  return parsed.error().what;
}

RC_GTEST_PROP(KvFile, HeadersRoundTrip, ()) {
  const auto first = *rc::gen::inRange<int64_t>(0, 1000);
  const auto tokens = *rc::gen::inRange<size_t>(0, 2000);
  auto lengths =
      *rc::gen::container<std::set<int64_t>>(rc::gen::inRange<int64_t>(0, static_cast<int64_t>(tokens) + 1));
  std::vector<std::pair<int64_t, int64_t>> tails;
  for (const int64_t length : lengths)
    tails.emplace_back(first * kChainBlockTokens + length, *rc::gen::inRange<int64_t>(1, 100'000));
  const KvHeader header = make_header(first, tokens, tails, *rc::gen::inRange<int64_t>(1, 1 << 20));
  const auto bytes = encode_kv_header(header);
  RC_ASSERT(static_cast<int64_t>(bytes.size()) == header.blocks_offset);
  const auto parsed = parse(bytes, header.file_bytes);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == header);
  for (const KvTail& tail : parsed->tails) RC_ASSERT(tail.offset % kKvSection == 0);
}

TEST(KvFile, TheLayoutOfTheFormatDoesNotChange) {
  KvHeader header = make_header(3, 200, {{384, 5}, {584, 6}});
  const auto bytes = encode_kv_header(header);
  ASSERT_EQ(bytes.size(), 4096u);
  EXPECT_EQ(std::memcmp(bytes.data(), "HADAL-KV\1\0\0\0\2\0\0\0\0\x10\0\0\0\0\0\0", 24), 0);
  auto u64 = [&](size_t at) {
    uint64_t value;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
  };
  EXPECT_EQ(u64(24), 12'294u);  // file: header, 600 bytes of blocks, 5 bytes at 8192, 6 at 12288
  EXPECT_EQ(static_cast<int>(bytes[39]), 1);
  EXPECT_EQ(static_cast<int>(bytes[47]), 7);
  EXPECT_EQ(static_cast<int>(bytes[55]), 5);
  EXPECT_EQ(u64(64), 300u);
  EXPECT_EQ(u64(72), 3u);
  EXPECT_EQ(u64(80), 200u);
  EXPECT_EQ(u64(88), 2u);
  EXPECT_EQ(std::memcmp(bytes.data() + 96, "\7\0\0\0\12\0\0\0", 8), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + 128, "releasev4-preview", 17), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + 152, "\0\0\0\0\x11\0\0\0", 8), 0);  // ids
  EXPECT_EQ(u64(152 + 800 + 8), 1001u);                                    // checksums of blocks
  EXPECT_EQ(u64(152 + 800 + 16), 384u);                                    // tails
  EXPECT_EQ(u64(152 + 800 + 24), 383u);
  EXPECT_EQ(u64(152 + 800 + 32), 5u);
  EXPECT_EQ(u64(152 + 800 + 40), 8192u);
  EXPECT_EQ(u64(152 + 800 + 48), 77u);
  EXPECT_EQ(u64(120), 4455719507654949915u);
}

TEST(KvFile, EveryChangedByteIsNoticed) {
  const KvHeader header = make_header(0, 200, {{128, 5}, {200, 6}});
  auto bytes = encode_kv_header(header);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{1};
    ASSERT_FALSE(parse(bytes, header.file_bytes)) << i;
    bytes[i] ^= std::byte{1};
  }
  EXPECT_TRUE(parse(bytes, header.file_bytes));
}

TEST(KvFile, HostileFieldsWithARightChecksum) {
  const KvHeader header = make_header(2, 256, {{256, 50}, {512, 6000}});
  const size_t tails = 128 + 24 + 1024 + 16;
  EXPECT_EQ(refused(header, 120, uint64_t{0}), "accepted");  // signing repairs it
  EXPECT_THAT(refused(header, 0, 'h'), HasSubstr("magic"));
  EXPECT_THAT(refused(header, 8, 2), HasSubstr("format version: 2"));
  for (const uint64_t huge : {uint64_t{1} << 20, uint64_t{1} << 31, uint64_t{1} << 62, ~uint64_t{0}}) {
    EXPECT_THAT(refused(header, 12, static_cast<uint32_t>(huge)), Not(HasSubstr("accepted")));
    EXPECT_THAT(refused(header, 16, huge), HasSubstr("header size"));
    EXPECT_THAT(refused(header, 24, huge), HasSubstr("file size"));
    EXPECT_THAT(refused(header, 64, huge), Not(HasSubstr("accepted")));
    EXPECT_THAT(refused(header, 72, huge << 22), Not(HasSubstr("accepted")));
    EXPECT_THAT(refused(header, 80, huge), HasSubstr("counts"));
    EXPECT_THAT(refused(header, 88, huge), HasSubstr("counts"));
    EXPECT_THAT(refused(header, 96, static_cast<uint32_t>(huge | 65)), HasSubstr("names"));
    EXPECT_THAT(refused(header, 100, static_cast<uint32_t>(huge | 65)), HasSubstr("names"));
    EXPECT_THAT(refused(header, 104, huge), HasSubstr("reserved"));
    EXPECT_THAT(refused(header, 112, huge), HasSubstr("reserved"));
    EXPECT_THAT(refused(header, tails, huge), HasSubstr("tail 0: length"));
    EXPECT_THAT(refused(header, tails + 16, huge), HasSubstr("tail 0: "));
    EXPECT_THAT(refused(header, tails + 24, huge), HasSubstr("tail 0: "));
  }
  EXPECT_THAT(refused(header, 16, uint64_t{4095}), HasSubstr("header size"));
  EXPECT_THAT(refused(header, 16, uint64_t{0}), HasSubstr("header size"));
  EXPECT_THAT(refused(header, 16, uint64_t{8192}), Not(HasSubstr("accepted")));
  EXPECT_THAT(refused(header, 64, uint64_t{0}), HasSubstr("bytes of a block"));
  EXPECT_THAT(refused(header, 80, uint64_t{129}),
              Not(HasSubstr("accepted")));  // other places for what follows
  EXPECT_THAT(refused(header, 80, uint64_t{128}), HasSubstr("blocks: 2"));
  EXPECT_THAT(refused(header, 88, uint64_t{1}), HasSubstr("blocks: 1"));
  EXPECT_THAT(refused(header, 145, 'x'), HasSubstr("padding"));  // behind the names
  EXPECT_THAT(refused(header, 4095, 'x'), HasSubstr("padding"));
  EXPECT_THAT(refused(header, tails + 40, int64_t{256}), HasSubstr("tail 1: length 256"));  // not ascending
  EXPECT_THAT(refused(header, tails, int64_t{255}), HasSubstr("tail 0: length"));  // before the first block
  EXPECT_THAT(refused(header, tails + 40, int64_t{513}), HasSubstr("tail 1: length"));
  EXPECT_THAT(refused(header, tails + 16, int64_t{0}), HasSubstr("tail 0: 0 bytes"));
  EXPECT_THAT(refused(header, tails + 16, int64_t{4100}), HasSubstr("tail 1: "));  // would overlap
  EXPECT_THAT(refused(header, tails + 24, int64_t{4096}), HasSubstr("tail 0: "));  // in the blocks
  EXPECT_THAT(refused(header, 8, 1, header.file_bytes - 1), HasSubstr("truncated"));
  EXPECT_THAT(refused(header, 8, 1, header.file_bytes + 1), HasSubstr("file size"));
}

TEST(KvFile, AFileOfAnotherVersionIsNotDamaged) {
  const KvHeader header = make_header(0, 128, {});
  auto bytes = encode_kv_header(header);
  patch(bytes, 8, uint32_t{2});
  EXPECT_EQ(parse(bytes, header.file_bytes).error().fault, KvFault::kForeign);
  patch(bytes, 8, uint32_t{1});
  patch(bytes, 80, uint64_t{127});
  EXPECT_EQ(parse(bytes, header.file_bytes).error().fault, KvFault::kDamaged);
}

TEST(KvFile, WhatIsTooShort) {
  const KvHeader header = make_header(0, 128, {});
  const auto bytes = encode_kv_header(header);
  for (const size_t n : {size_t{0}, size_t{7}, size_t{127}})
    EXPECT_FALSE(parse_kv_header_size(std::span(bytes).first(n), header.file_bytes, "f"));
  EXPECT_FALSE(parse_kv_header(std::span(bytes).first(1000), header.file_bytes, "f"));
}

}  // namespace
}  // namespace hadal
