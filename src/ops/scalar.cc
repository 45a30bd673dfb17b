#include "ops/scalar.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "tensor/format.h"

namespace hadal::scalar {

float get(const std::byte* row, DType dtype, int64_t i) {
  if (dtype == DType::kF32) return reinterpret_cast<const float*>(row)[i];
  HADAL_CHECK(dtype == DType::kBF16, "{} is no activation type", dtype_name(dtype));
  return to_float(reinterpret_cast<const bf16*>(row)[i]);
}

void put(std::byte* row, DType dtype, int64_t i, float value) {
  if (dtype == DType::kF32) {
    reinterpret_cast<float*>(row)[i] = value;
    return;
  }
  HADAL_CHECK(dtype == DType::kBF16, "{} is no activation type", dtype_name(dtype));
  reinterpret_cast<bf16*>(row)[i] = to_bf16(value);
}

float round_to(DType dtype, float value) {
  return dtype == DType::kBF16 ? round_bf16(value) : value;
}

std::byte* row_address(const View& x, int64_t index) {
  std::byte* at = x.data;
  for (int axis = x.rank - 2; axis >= 0; --axis) {
    at += index % x.dim[axis] * x.stride[axis];
    index /= x.dim[axis];
  }
  HADAL_CHECK(index == 0, "row past the end");
  return at;
}

std::vector<float> row(const View& x, int64_t index) {
  std::vector<float> out(static_cast<size_t>(x.last()));
  const std::byte* at = row_address(x, index);
  for (int64_t i = 0; i < x.last(); ++i) out[static_cast<size_t>(i)] = get(at, x.dtype, i);
  return out;
}

void set_row(const View& x, int64_t index, std::span<const float> values) {
  HADAL_CHECK(static_cast<int64_t>(values.size()) == x.last());
  std::byte* at = row_address(x, index);
  for (size_t i = 0; i < values.size(); ++i) put(at, x.dtype, static_cast<int64_t>(i), values[i]);
}

float tree_sum(const float (&lane)[16]) {
  float a[16];
  std::memcpy(a, lane, sizeof a);
  for (int half = 8; half >= 1; half /= 2)
    for (int l = 0; l < half; ++l) a[l] = a[l] + a[l + half];
  return a[0];
}

float sum(std::span<const float> values) {
  float lane[16] = {};
  for (size_t s = 0; s < values.size(); s += 16)
    for (size_t l = 0; l < 16; ++l) lane[l] += s + l < values.size() ? values[s + l] : 0.0f;
  return tree_sum(lane);
}

float sum_squares(std::span<const float> values) {
  float lane[16] = {};
  for (size_t s = 0; s < values.size(); s += 16)
    for (size_t l = 0; l < 16; ++l) {
      const float x = s + l < values.size() ? values[s + l] : 0.0f;
      lane[l] = std::fma(x, x, lane[l]);
    }
  return tree_sum(lane);
}

DotOrder dot_order(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return DotOrder::kContiguous;
    case WeightFormat::kBF16:
      return DotOrder::kPairs;
    case WeightFormat::kFP8:
      return DotOrder::kUnpacked;
    case WeightFormat::kFP4:
      return DotOrder::kWords;
  }
  return DotOrder::kContiguous;
}

float dot(std::span<const float> x, std::span<const float> w, DotOrder order) {
  HADAL_CHECK(x.size() == w.size());
  const size_t n = x.size();
  float lane[16] = {};
  const auto take = [&](size_t l, size_t i) {
    lane[l] = i < n ? std::fma(x[i], w[i], lane[l]) : std::fma(0.0f, 0.0f, lane[l]);
  };
  switch (order) {
    case DotOrder::kContiguous:
      for (size_t s = 0; s < n; s += 16)
        for (size_t l = 0; l < 16; ++l) take(l, s + l);
      break;
    case DotOrder::kPairs:
      for (size_t s = 0; s < n; s += 32)
        for (size_t l = 0; l < 16; ++l) {
          take(l, s + 2 * l + 1);
          take(l, s + 2 * l);
        }
      break;
    case DotOrder::kUnpacked:
      for (size_t s = 0; s < n; s += 64)
        for (size_t l = 0; l < 16; ++l) {
          const size_t low = s + 16 * (l / 4) + 2 * (l % 4);
          take(l, low + 1);
          take(l, low);
          take(l, low + 9);
          take(l, low + 8);
        }
      break;
    case DotOrder::kWords:
      for (size_t s = 0; s < n; s += 128)
        for (size_t i = 0; i < 4; ++i)
          for (size_t l = 0; l < 16; ++l) {
            take(l, s + 8 * l + 4 + i);
            take(l, s + 8 * l + i);
          }
      break;
  }
  return tree_sum(lane);
}

std::vector<float> weight_row(const Weight& w, int64_t r) {
  std::vector<float> out(static_cast<size_t>(w.in));
  switch (w.format) {
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      return row(w.data, r);
    case WeightFormat::kFP8: {
      const auto* codes = w.data.row<const uint8_t>(r);
      const auto* scales = w.scale.row<const uint8_t>(r / 128);
      for (int64_t i = 0; i < w.in; ++i)
        out[static_cast<size_t>(i)] = decode_e4m3(codes[i]) * decode_e8m0(scales[i / 128]);
      break;
    }
    case WeightFormat::kFP4: {
      const auto* codes = w.data.row<const uint8_t>(r);
      const auto* scales = w.scale.row<const uint8_t>(r);
      for (int64_t i = 0; i < w.in; ++i) {
        const int nibble = (codes[i / 2] >> (i % 2 * 4)) & 15;
        out[static_cast<size_t>(i)] = decode_e2m1(static_cast<uint8_t>(nibble)) * decode_e8m0(scales[i / 32]);
      }
      break;
    }
  }
  return out;
}

FixedBlock fixed_block(std::span<const float> x) {
  FixedBlock block;
  uint32_t top = 0;
  for (const float value : x) top = std::max(top, std::bit_cast<uint32_t>(std::fabs(value)) >> 16);
  if (top >= 0x7f80) {
    block.unit = std::numeric_limits<float>::quiet_NaN();
    return block;
  }
  const int exponent = static_cast<int>((top + 1) >> 7);
  if (exponent <= 18) return block;  // all count as zero
  block.unit = std::ldexp(1.0f, exponent - 127 - 17);
  for (size_t i = 0; i < x.size(); ++i)
    block.value[i] =
        static_cast<int32_t>(std::lrint(std::ldexp(static_cast<double>(x[i]), 127 + 17 - exponent)));
  return block;
}

namespace {

float fixed_dot(std::span<const float> x, const Weight& w, int64_t r) {
  const auto* codes = w.data.row<const uint8_t>(r);
  const auto* scales = w.scale.row<const uint8_t>(r);
  float lane[16] = {};
  for (size_t b = 0; b < (x.size() + 511) / 512 * 16; ++b) {
    float sum = 0, scale = 0;
    if (b < x.size() / 32) {
      const FixedBlock block = fixed_block(x.subspan(32 * b, 32));
      int32_t halves = 0;
      for (size_t i = 0; i < 32; ++i) {
        const auto code = static_cast<uint8_t>((codes[16 * b + i / 2] >> (i % 2 * 4)) & 15);
        halves += block.value[i] * static_cast<int32_t>(2 * decode_e2m1(code));
      }
      sum = static_cast<float>(halves);
      scale = block.unit * 0.5f * decode_e8m0(scales[b]);
    }
    lane[b % 16] = std::fma(sum, scale, lane[b % 16]);
  }
  return tree_sum(lane);
}

}  // namespace

float weight_dot(std::span<const float> x, DType dtype, const Weight& w, int64_t r) {
  HADAL_CHECK(static_cast<int64_t>(x.size()) == w.in);
  if (w.format == WeightFormat::kFP4 && dtype == DType::kBF16) return fixed_dot(x, w, r);
  return dot(x, weight_row(w, r), dot_order(w.format));
}

int quant_block(QuantSim sim) {
  switch (sim) {
    case QuantSim::kFp8Block128:
      return 128;
    case QuantSim::kFp8Block64:
      return 64;
    case QuantSim::kFp4Block32:
      return 32;
  }
  return 0;
}

float quant_scale(std::span<const float> block, QuantSim sim) {
  const bool fp4 = sim == QuantSim::kFp4Block32;
  float amax = fp4 ? 6 * 0x1p-126f : 1e-4f;
  for (const float x : block)
    if (std::fabs(x) > amax) amax = std::fabs(x);
  return pow2ceil(amax * (fp4 ? 1.0f / 6.0f : 1.0f / 448.0f));
}

void fake_quant(std::span<float> values, QuantSim sim) {
  const size_t block = static_cast<size_t>(quant_block(sim));
  for (size_t from = 0; from < values.size(); from += block) {
    const std::span<float> part = values.subspan(from, std::min(block, values.size() - from));
    const float scale = quant_scale(part, sim), inverse = 1.0f / scale;
    for (float& x : part)
      x = (sim == QuantSim::kFp4Block32 ? decode_e2m1(encode_e2m1(x * inverse))
                                        : decode_e4m3(encode_e4m3(x * inverse))) *
          scale;
  }
}

namespace {

uint8_t scale_code(float scale) {
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(scale) >> 23);
}

}  // namespace

void pack_row(std::byte* out, std::span<const float> values, const RowLayout& layout) {
  HADAL_CHECK(static_cast<int>(values.size()) == layout.dim);
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  switch (layout.format) {
    case RowFormat::kF32:
      std::memcpy(out, values.data(), values.size_bytes());
      break;
    case RowFormat::kPackedKv: {
      const int nope = layout.dim - layout.rope_dim;
      std::memset(out, 0, static_cast<size_t>(layout.bytes()));
      for (int from = 0; from < nope; from += 64) {
        const auto block =
            values.subspan(static_cast<size_t>(from), static_cast<size_t>(std::min(64, nope - from)));
        const float scale = quant_scale(block, QuantSim::kFp8Block64), inverse = 1.0f / scale;
        for (size_t i = 0; i < block.size(); ++i)
          bytes[from + static_cast<int>(i)] = encode_e4m3(block[i] * inverse);
        bytes[nope + 2 * layout.rope_dim + from / 64] = scale_code(scale);
      }
      for (int i = 0; i < layout.rope_dim; ++i)
        put(out + nope, DType::kBF16, i, values[static_cast<size_t>(nope + i)]);
      break;
    }
    case RowFormat::kPackedIndex:
      for (int from = 0; from < layout.dim; from += 32) {
        const auto block = values.subspan(static_cast<size_t>(from), 32);
        const float scale = quant_scale(block, QuantSim::kFp4Block32), inverse = 1.0f / scale;
        for (size_t i = 0; i < 32; i += 2)
          bytes[(from + static_cast<int>(i)) / 2] = static_cast<uint8_t>(
              encode_e2m1(block[i] * inverse) | (encode_e2m1(block[i + 1] * inverse) << 4));
        bytes[layout.dim / 2 + from / 32] = scale_code(scale);
      }
      break;
  }
}

std::vector<float> unpack_row(const std::byte* packed, const RowLayout& layout) {
  std::vector<float> out(static_cast<size_t>(layout.dim));
  const auto* bytes = reinterpret_cast<const uint8_t*>(packed);
  switch (layout.format) {
    case RowFormat::kF32:
      std::memcpy(out.data(), packed, out.size() * sizeof(float));
      break;
    case RowFormat::kPackedKv: {
      const int nope = layout.dim - layout.rope_dim;
      const uint8_t* scales = bytes + nope + 2 * layout.rope_dim;
      for (int i = 0; i < nope; ++i)
        out[static_cast<size_t>(i)] = decode_e4m3(bytes[i]) * decode_e8m0(scales[i / 64]);
      for (int i = 0; i < layout.rope_dim; ++i)
        out[static_cast<size_t>(nope + i)] = get(packed + nope, DType::kBF16, i);
      break;
    }
    case RowFormat::kPackedIndex:
      for (int i = 0; i < layout.dim; ++i) {
        const int nibble = (bytes[i / 2] >> (i % 2 * 4)) & 15;
        out[static_cast<size_t>(i)] =
            decode_e2m1(static_cast<uint8_t>(nibble)) * decode_e8m0(bytes[layout.dim / 2 + i / 32]);
      }
      break;
  }
  return out;
}

}  // namespace hadal::scalar
