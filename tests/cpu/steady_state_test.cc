// Once an op has seen its largest call it asks the system for nothing more.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <new>

#include "cpu/cpu_ops.h"
#include "cpu/op_case.h"

// A sanitizer brings an allocator of its own, which must not be replaced.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HADAL_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HADAL_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef HADAL_COUNTS_ALLOCATIONS
#define HADAL_COUNTS_ALLOCATIONS 1
#endif

#if HADAL_COUNTS_ALLOCATIONS
namespace {

std::size_t allocations = 0;

void* counted(std::size_t bytes, std::size_t align) {
  ++allocations;
  void* p = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t align) {
  return counted(bytes, static_cast<std::size_t>(align));
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace hadal {
namespace {

void expect_no_allocation(const char* what, const std::function<void()>& call) {
  call();
  const std::size_t before = allocations;
  call();
  EXPECT_EQ(allocations, before) << what;
}

TEST(SteadyState, NoAllocation) {
  for (const std::string& isa : available_isas())
    for (const int64_t tokens : {1, 20}) {
      CpuOps ops({.threads = 1, .isa = isa});
      OpCase c(ops, 1);
      const View x = c.tensor(DType::kBF16, {tokens, 256}), y = c.tensor(DType::kBF16, {tokens, 64});
      for (const WeightFormat format :
           {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kFP8, WeightFormat::kFP4}) {
        const Weight w = c.weight(format, 64, 256);
        expect_no_allocation("matmul", [&] { ops.matmul(y, x, w); });
      }
      const View heads = c.tensor(DType::kBF16, {tokens, 4, 64});
      expect_no_allocation("hadamard", [&] { ops.hadamard(heads); });

      HcMixArgs mix;
      mix.streams = heads;
      mix.fn = c.tensor(DType::kF32, {24, 256});
      mix.base = c.tensor(DType::kF32, {24});
      mix.scale = c.tensor(DType::kF32, {3});
      mix.pre = c.tensor(DType::kF32, {tokens, 4});
      mix.post = c.tensor(DType::kF32, {tokens, 4});
      mix.comb = c.tensor(DType::kF32, {tokens, 4, 4});
      expect_no_allocation("hc_mix", [&] { ops.hc_mix(mix); });

      RouteArgs route;
      route.ids = c.integers(DType::kI32, {tokens, 2}, 0, 1);
      route.weights = c.tensor(DType::kF32, {tokens, 2});
      route.logits = c.tensor(DType::kF32, {tokens, 5});
      expect_no_allocation("route", [&] { ops.route(route); });

      std::vector<ExpertWeights> experts;
      for (int e = 0; e < 6; ++e) {
        const WeightFormat format = e == 5 ? WeightFormat::kFP8 : WeightFormat::kFP4;
        experts.push_back(
            {c.weight(format, 160, 256), c.weight(format, 256, 160), c.weight(format, 160, 256)});
      }
      ExpertArgs ffn;
      ffn.out = c.tensor(DType::kBF16, {tokens, 256});
      ffn.x = ffn.xq = x;
      ffn.ids = route.ids;
      ffn.weights = route.weights;
      ffn.experts = {experts.data(), 5};
      ffn.shared = &experts[5];
      expect_no_allocation("expert_ffn", [&] { ops.expert_ffn(ffn); });

      const RowLayout index_layout{RowFormat::kPackedIndex, 64, 0}, layout{RowFormat::kPackedKv, 64, 32};
      std::byte* index_block = c.bytes(100 * index_layout.bytes());
      std::byte* block = c.bytes(100 * layout.bytes());
      const View rows = c.tensor(DType::kBF16, {100, 64});
      expect_no_allocation("pack_rows", [&] {
        ops.pack_rows(index_block, rows, index_layout);
        ops.pack_rows(block, rows, layout);
      });
      const IndexSegment index_segment{300, 0, tokens, {&index_block, 0, index_layout.bytes(), 100}};
      IndexArgs index;
      index.selected = c.integers(DType::kI32, {tokens, 8}, 0, 1);
      index.q = heads;
      index.weights = c.tensor(DType::kBF16, {tokens, 4});
      index.layout = index_layout;
      index.segments = {&index_segment, 1};
      expect_no_allocation("index_select", [&] { ops.index_select(index); });

      const AttentionSegment segment{
          300, 0, tokens, {block, layout.bytes(), 50}, block, {&block, 0, layout.bytes(), 100}};
      AttentionArgs attention;
      attention.out = c.tensor(DType::kBF16, {tokens, 4, 64});
      attention.q = heads;
      attention.sink = c.tensor(DType::kF32, {4});
      attention.window = 32;
      attention.ratio = 4;
      attention.layout = layout;
      attention.selected = index.selected;
      attention.segments = {&segment, 1};
      expect_no_allocation("attention", [&] { ops.attention(attention); });
    }
}

}  // namespace
}  // namespace hadal
#endif
