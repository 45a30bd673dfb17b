// Owners of bytes: alignment, zero filling, and an arena whose views stay where they are.
#include "tensor/storage.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hadal {
namespace {

bool aligned(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % 64 == 0;
}

TEST(Storage, IsZeroAlignedAndMoveOnly) {
  Storage a(1000);
  ASSERT_TRUE(aligned(a.data()));
  EXPECT_EQ(a.bytes(), 1000);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a.data()[i], std::byte{0});
  std::byte* bytes = a.data();
  const Storage b = std::move(a);
  EXPECT_EQ(b.data(), bytes);
  EXPECT_NE(Storage(0).data(), nullptr);
}

// The allocator of a sanitizer ends the program instead; clang is what we build those with.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
TEST(Storage, AnImpossibleSizeIsAnErrorThatNamesIt) {
  try {
    const Storage s(int64_t{1} << 60);
    FAIL() << "2^60 bytes were granted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    EXPECT_NE(std::string(error.what()).find("1152921504606846976"), std::string::npos);
  }
}
#endif

TEST(Arena, AFrameGivesBackWhatCameAfterIt) {
  Arena arena(4096);
  const View kept = arena.alloc({10}, DType::kF32);
  std::byte* first = nullptr;
  for (int pass = 0; pass < 3; ++pass) {
    const Arena::Frame frame(arena);
    const View scratch = arena.alloc({3, 5}, DType::kBF16);
    if (pass == 0) first = scratch.data;
    EXPECT_EQ(scratch.data, first);
    EXPECT_NE(scratch.data, kept.data);
  }
  EXPECT_EQ(arena.reserved_bytes(), 4096);
}

TEST(Arena, TheSameShapesAgainReserveNothingMore) {
  Arena arena(256);
  const auto pass = [&] {
    const Arena::Frame frame(arena);
    for (const int64_t n : {10, 5000, 3, 70000, 100}) arena.alloc({n}, DType::kF32);
  };
  pass();
  const int64_t reserved = arena.reserved_bytes();
  for (int i = 0; i < 5; ++i) pass();
  EXPECT_EQ(arena.reserved_bytes(), reserved);
}

// Whatever is allocated and released, live views are aligned, do not overlap and keep their bytes.
RC_GTEST_PROP(ArenaProperty, LiveViewsKeepTheirBytes, ()) {
  Arena arena(*rc::gen::element<int64_t>(64, 1024, 65536));
  struct Live {
    View view;
    uint8_t fill;
  };
  std::vector<Live> live;
  std::vector<std::pair<Arena::Mark, size_t>> marks;
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const int what = *rc::gen::inRange(0, 6);
    if (what == 0) {
      marks.emplace_back(arena.mark(), live.size());
    } else if (what == 1 && !marks.empty()) {
      arena.release(marks.back().first);
      live.resize(marks.back().second);
      marks.pop_back();
    } else {
      const int64_t n = *rc::gen::inRange(0, 3000);
      const View view = arena.alloc({n}, DType::kF32);
      RC_ASSERT(aligned(view.data));
      std::memset(view.data, step, static_cast<size_t>(4 * n));
      live.push_back({view, static_cast<uint8_t>(step)});
    }
    for (const Live& l : live) {
      const std::vector<uint8_t> expected(static_cast<size_t>(4 * l.view.dim[0]), l.fill);
      const bool same = expected.empty() || std::memcmp(l.view.data, expected.data(), expected.size()) == 0;
      RC_ASSERT(same);  // the macro would evaluate both sides of ||
    }
  }
}

}  // namespace
}  // namespace hadal
