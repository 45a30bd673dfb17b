// Weights as the kernels take them.
#pragma once

#include "cpu/kernel_table.h"
#include "ops/args.h"
#include "tensor/weight.h"

namespace hadal {

constexpr int64_t kScaleBlock = 128;  // rows and columns of one FP8 scale
constexpr int64_t kTokenTile = 64;    // tokens that go through a weight tile together

constexpr KernelFormat kernel_format(WeightFormat format) {
  return static_cast<KernelFormat>(format);
}
static_assert(kernel_format(WeightFormat::kF32) == KernelFormat::kF32);
static_assert(kernel_format(WeightFormat::kBF16) == KernelFormat::kBF16);
static_assert(kernel_format(WeightFormat::kFP8) == KernelFormat::kFP8);
static_assert(kernel_format(WeightFormat::kFP4) == KernelFormat::kFP4);

constexpr KernelRowLayout kernel_layout(const RowLayout& layout) {
  return {static_cast<KernelRowFormat>(layout.format), layout.dim, layout.rope_dim};
}
static_assert(static_cast<KernelRowFormat>(RowFormat::kF32) == KernelRowFormat::kF32);
static_assert(static_cast<KernelRowFormat>(RowFormat::kPackedKv) == KernelRowFormat::kPackedKv);
static_assert(static_cast<KernelRowFormat>(RowFormat::kPackedIndex) == KernelRowFormat::kPackedIndex);

static_assert(static_cast<KernelQuant>(QuantSim::kFp8Block128) == KernelQuant::kFp8Block128);
static_assert(static_cast<KernelQuant>(QuantSim::kFp8Block64) == KernelQuant::kFp8Block64);
static_assert(static_cast<KernelQuant>(QuantSim::kFp4Block32) == KernelQuant::kFp4Block32);

inline void check_layout(const RowLayout& layout) {
  HADAL_CHECK(layout.dim > 0 && layout.rope_dim >= 0 && layout.rope_dim <= layout.dim,
              "rows of {} with {} rotated", layout.dim, layout.rope_dim);
  HADAL_CHECK(layout.format != RowFormat::kPackedIndex || layout.dim % 32 == 0, "index rows of {}",
              layout.dim);
}

inline void check_weight(const Weight& w) {
  HADAL_CHECK(!w.empty() && w.out > 0 && w.in > 0 && w.data.rank == 2 && w.data.dim[0] == w.out);
  const int64_t columns = w.format == WeightFormat::kFP4 ? w.in / 2 : w.in;
  HADAL_CHECK(w.data.dim[1] == columns, "weight [{}, {}] with rows of {}", w.out, w.in, w.data.dim[1]);
  switch (w.format) {
    case WeightFormat::kF32:
      HADAL_CHECK(w.data.dtype == DType::kF32);
      break;
    case WeightFormat::kBF16:
      HADAL_CHECK(w.data.dtype == DType::kBF16);
      break;
    case WeightFormat::kFP8:
      HADAL_CHECK(w.data.dtype == DType::kF8E4M3 && w.scale.rank == 2 &&
                  w.scale.dim[0] == (w.out + kScaleBlock - 1) / kScaleBlock &&
                  w.scale.dim[1] == (w.in + kScaleBlock - 1) / kScaleBlock);
      break;
    case WeightFormat::kFP4:
      HADAL_CHECK(w.data.dtype == DType::kI8 && w.in % 32 == 0 && w.scale.rank == 2 &&
                  w.scale.dim[0] == w.out && w.scale.dim[1] == w.in / 32);
      break;
  }
}

// Rows [first, first + n) of w times `tokens` prepared rows, without scratch memory; those of FP8 lie in one
// block of scales.
inline LinearTile linear_tile(const Weight& w, int64_t first, int64_t n, const std::byte* const* x,
                              KernelInput input, int64_t tokens, float* out, int64_t out_stride) {
  LinearTile tile{};
  tile.format = kernel_format(w.format);
  tile.input = input;
  tile.x = x;
  tile.tokens = tokens;
  tile.w = w.data.data + first * w.data.stride[0];
  tile.row_stride = w.data.stride[0];
  if (w.format == WeightFormat::kFP4) {
    tile.scale = w.scale.data + first * w.scale.stride[0];
    tile.scale_stride = w.scale.stride[0];
  } else if (w.format == WeightFormat::kFP8) {
    tile.scale = w.scale.data + first / kScaleBlock * w.scale.stride[0];
  }
  tile.rows = n;
  tile.k = w.in;
  tile.out = out;
  tile.out_stride = out_stride;
  return tile;
}

}  // namespace hadal
