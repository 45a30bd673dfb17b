// Scalar building blocks of the reference: reading and writing elements of any activation type, the canonical
// dot product and vector sum, block quantisation, and the packed KV rows. Each is the definition in
// docs/numerics.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/args.h"
#include "tensor/view.h"
#include "tensor/weight.h"

namespace hadal::scalar {

// Element i of a dense row of f32 or bf16.
float get(const std::byte* row, DType dtype, int64_t i);
// Rounds to the dtype.
void put(std::byte* row, DType dtype, int64_t i, float value);
// A whole row of the last dimension; `index` counts rows over all leading dimensions.
std::vector<float> row(const View& x, int64_t index);
void set_row(const View& x, int64_t index, std::span<const float> values);
std::byte* row_address(const View& x, int64_t index);
// Rounds to bf16 when the dtype is bf16.
float round_to(DType dtype, float value);

// Sixteen lanes to one: l + (l+8), then +4, +2, +1.
float tree_sum(const float (&lane)[16]);
float sum(std::span<const float> values);
float sum_squares(std::span<const float> values);

// Which elements a lane takes: the order of a weight format. Factors are equally long.
enum class DotOrder { kContiguous, kPairs, kUnpacked, kWords };  // F32; BF16; FP8; FP4
DotOrder dot_order(WeightFormat format);
float dot(std::span<const float> x, std::span<const float> w, DotOrder order);

// Row r of a weight, decoded.
std::vector<float> weight_row(const Weight& w, int64_t r);

// 32 bf16 activations as integers: value * unit, rounded to the nearest even. A NaN unit if one of them is
// not finite.
struct FixedBlock {
  int32_t value[32] = {};
  float unit = 0;
};
FixedBlock fixed_block(std::span<const float> x);

// x . row r of w; `dtype`: that of x.
float weight_dot(std::span<const float> x, DType dtype, const Weight& w, int64_t r);

// Scale of a block, and the block rounded to the grid and back.
float quant_scale(std::span<const float> block, QuantSim sim);
int quant_block(QuantSim sim);
void fake_quant(std::span<float> values, QuantSim sim);

void pack_row(std::byte* out, std::span<const float> values, const RowLayout& layout);
std::vector<float> unpack_row(const std::byte* packed, const RowLayout& layout);

}  // namespace hadal::scalar
