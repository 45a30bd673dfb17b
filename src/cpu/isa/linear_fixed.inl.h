// FP4 weights times bf16 activations: a sum of integers for each block of 32 (docs/numerics.md).
//
// An activation is v * 2^e with the e of its block, -2^18 < v < 2^18, and v = 8 (256 high + low) + rest with
// high and low in a signed byte and rest from 0 to 7. A weight, twice its e2m1 value plus 12, is a byte
// without sign. Three byte dot products at most give the sum over a block, less what the 12 added; `rest` is
// zero for most groups of activations rounded to FP8, and then left out.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kFixedBlock = 32, kFixedGroup = 128, kFixedGroupBytes = kFixedGroup / 2;
constexpr int64_t kLaneGroups = 4;  // groups whose blocks fill the sixteen lanes

// A prepared row is a sequence of these; elements past its end are zeros.
struct alignas(64) FixedGroup {
  int8_t high[2][64], low[2][64], rest[2][64];  // of the even, of the odd elements
  float unit[4];                                // of each block: half of 2^e, or NaN, or 0 if all are 0
  int32_t offset[4];                            // what weights of -12 would add
  int32_t shift[4];                             // 0, or 3 if all of `rest` is zero
  bool has_rest;
};
static_assert(sizeof(FixedGroup) == 448);

HADAL_INLINE int64_t fixed_groups(int64_t k) {
  return (k + kFixedGroup - 1) / kFixedGroup;
}

// --- Activations
// -----------------------------------------------------------------------------------------------------

// n <= 32 numbers as block `block` of a group of zeros.
HADAL_INLINE void prepare_fixed_block(FixedGroup& out, const uint16_t* x, int64_t n, int block) {
  uint32_t top = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t magnitude = x[i] & 0x7fffu;
    top = magnitude > top ? magnitude : top;
  }
  // One more than the largest, so that `high` has room for a carry of `low`.
  const uint32_t exponent = (top + 1) >> 7;
  if (exponent <= 18) return;
  if (top >= 0x7f80) {
    out.unit[block] = __builtin_nanf("");
    return;
  }
  out.unit[block] = __builtin_bit_cast(float, (exponent - 18) << 23);
  const float factor = __builtin_bit_cast(float, (271 - exponent) << 23);  // 2^(17 + 127 - exponent)
  alignas(64) int32_t v[32] = {};
  for (int64_t i = 0; i < n; ++i) {
    // The sum is a multiple of one.
    const float rounded = __builtin_bit_cast(float, static_cast<uint32_t>(x[i]) << 16) * factor + 0x1.8p23f;
    v[i] = static_cast<int32_t>(__builtin_bit_cast(uint32_t, rounded) - 0x4b400000u);
  }
  int32_t sum = 0, rests = 0;
  for (int i = 0; i < 32; ++i) {
    const int32_t upper = v[i] >> 3, low = static_cast<int8_t>(upper & 0xff), rest = v[i] & 7;
    const int at = 16 * block + i / 2;
    out.high[i & 1][at] = static_cast<int8_t>((upper - low) >> 8);
    out.low[i & 1][at] = static_cast<int8_t>(low);
    out.rest[i & 1][at] = static_cast<int8_t>(rest);
    sum += v[i];
    rests |= rest;
  }
  out.offset[block] = -kFp4Offset * sum;
  out.has_rest = out.has_rest || rests != 0;
}

// x: bf16.
void prepare_fixed(std::byte* out, const std::byte* x, int64_t k) {
  const auto* from = reinterpret_cast<const uint16_t*>(x);
  for (int64_t at = 0; at < k; at += kFixedGroup, out += sizeof(FixedGroup)) {
    FixedGroup group{};
    for (int64_t b = 0; b < kFixedGroup / kFixedBlock && at + b * kFixedBlock < k; ++b) {
      const int64_t first = at + b * kFixedBlock, left = k - first;
      prepare_fixed_block(group, from + first, left < kFixedBlock ? left : kFixedBlock, static_cast<int>(b));
    }
    for (int32_t& shift : group.shift) shift = group.has_rest ? 0 : 3;
    __builtin_memcpy(out, &group, sizeof group);
  }
}

// --- Weights
// ---------------------------------------------------------------------------------------------------------

// Bytes of the codes and scales of the groups [from, from + kLaneGroups) of a row; behind its end, codes of
// zero and scales of one.
struct FixedRow {
  const uint8_t *codes, *scales;
};
struct FixedTail {
  alignas(64) uint8_t codes[kLaneGroups * kFixedGroupBytes];
  alignas(16) uint8_t scales[16];
};
HADAL_INLINE FixedRow fixed_row(const LinearTile& tile, int64_t row, int64_t from, FixedTail& tail) {
  const auto* codes =
      reinterpret_cast<const uint8_t*>(tile.w) + row * tile.row_stride + from * kFixedGroupBytes;
  const auto* scales = reinterpret_cast<const uint8_t*>(tile.scale) + row * tile.scale_stride + 4 * from;
  const int64_t left = tile.k - from * kFixedGroup;
  if (left >= kLaneGroups * kFixedGroup) return {codes, scales};
  __builtin_memset(tail.codes, 0, sizeof tail.codes);
  __builtin_memset(tail.scales, kScaleOfOne, sizeof tail.scales);
  __builtin_memcpy(tail.codes, codes, static_cast<size_t>(left / 2));
  __builtin_memcpy(tail.scales, scales, static_cast<size_t>(left / kFixedBlock));
  return {tail.codes, tail.scales};
}

// --- One token: lanes are blocks
// -------------------------------------------------------------------------------------

constexpr FixedGroup kNothing{};

// Four partial sums of each block of a group, `rest` counted if there is any.
HADAL_INLINE i32x16 fixed_group_dot(const uint8_t* codes, const FixedGroup& x) {
  bytes64 w[2];
  fp4_multiples(load_bytes(codes), w[0], w[1]);
  const auto dot = [&](i32x16 sum, const int8_t(&digit)[2][64]) HADAL_LAMBDA_INLINE {
    const bytes64 digits[2] = {load_bytes(digit[0]), load_bytes(digit[1])};
    return dot_bytes(sum, w, digits);
  };
  i32x16 sum = dot(shift_left<8>(dot(splat(0), x.high)), x.low);
  if (x.has_rest) sum = dot(shift_left<3>(sum), x.rest);
  return sum;
}

// NR rows `apart` rows apart.
template <int NR>
HADAL_INLINE void fixed_rows(const LinearTile& tile, const FixedGroup* x, int64_t row, int64_t apart,
                             int64_t ahead, f32x16 (&acc)[NR]) {
  const int64_t groups = fixed_groups(tile.k);
  FixedTail tail;  // out here: GCC 12 keeps pointers into it longer than a loop's body lives
#pragma GCC unroll 8
  for (int r = 0; r < NR; ++r) acc[r] = f32x16(0.0f);
  for (int64_t from = 0; from < groups; from += kLaneGroups) {
    const FixedGroup* at[kLaneGroups];
#pragma GCC unroll 4
    for (int g = 0; g < kLaneGroups; ++g) at[g] = from + g < groups ? x + from + g : &kNothing;
    const void* const units[4] = {at[0]->unit, at[1]->unit, at[2]->unit, at[3]->unit};
    const void* const offsets[4] = {at[0]->offset, at[1]->offset, at[2]->offset, at[3]->offset};
    const void* const shifts[4] = {at[0]->shift, at[1]->shift, at[2]->shift, at[3]->shift};
    const f32x16 unit = as_float(load_quads(units));
    const i32x16 offset = load_quads(offsets), shift = load_quads(shifts);
#pragma GCC unroll 8
    for (int r = 0; r < NR; ++r) {
      const int64_t real = row + r * apart < tile.rows ? row + r * apart : row;
      const FixedRow w = fixed_row(tile, real, from, tail);
      i32x16 sum[kLaneGroups];
#pragma GCC unroll 4
      for (int g = 0; g < kLaneGroups; ++g) {
        const uint8_t* codes = w.codes + g * kFixedGroupBytes;
        // Hardware prefetchers stop at a page's end.
        __builtin_prefetch(codes + ahead);
        sum[g] = fixed_group_dot(codes, *at[g]);
      }
      const f32x16 total = to_float(shift_left(sum_quads(sum), shift) + offset);
      acc[r] = fma(total, unit * load_powers(w.scales), acc[r]);
    }
  }
}

void fixed_one(const LinearTile& tile) {
  constexpr int NR = kFixedRows;
  const auto* x = reinterpret_cast<const FixedGroup*>(tile.x[0]);
  const int64_t apart = rows_apart(tile, NR);
  for (int64_t block = 0; block < tile.rows; block += NR * apart)
    for (int64_t row = block; row < block + apart && row < tile.rows; ++row) {
      const int64_t next = row + 1 < block + apart ? 1 : NR * apart - (apart - 1);
      f32x16 acc[NR];
      fixed_rows<NR>(tile, x, row, apart, next * tile.row_stride, acc);
      for (int r = 0; r < NR && row + r * apart < tile.rows; ++r)
        tile.out[row + r * apart] = tree_sum(acc[r]);
    }
}

// --- Several tokens: lanes are rows
// ----------------------------------------------------------------------------------

// Sixteen rows of kLaneGroups groups: for each word of a row's codes the multiples of its low and of its high
// nibbles, and the scales of each block.
struct FixedPanel {
  bytes64 words[kLaneGroups * 16][2];
  f32x16 scale[16];
};

HADAL_INLINE void decode_fixed_panel(FixedPanel& out, const LinearTile& tile, int64_t row, int64_t from,
                                     int64_t ahead) {
  FixedTail tails[16];
  const uint8_t *codes[16], *scales[16];
  for (int64_t l = 0; l < 16; ++l) {
    const FixedRow w = fixed_row(tile, row + l < tile.rows ? row + l : tile.rows - 1, from, tails[l]);
    codes[l] = w.codes;
    scales[l] = w.scales;
  }
  bytes64 four[4];
  for (int64_t block = 0; block < 16; ++block) {
    load_words(codes, block * kFixedBlock / 2, four);
#pragma GCC unroll 4
    for (int64_t l = 0; l < 4; ++l) __builtin_prefetch(codes[block % 4 * 4 + l] + block / 4 * 64 + ahead);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      fp4_multiples(four[j], out.words[4 * block + j][0], out.words[4 * block + j][1]);
  }
  load_words(scales, 0, four);
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    i32x16 code = words_of(four[g]);
#pragma GCC unroll 4
    for (int b = 0; b < 4; ++b, code = shift_right<8>(code))
      out.scale[4 * g + b] = as_float(shift_left<23>(code & 0xff));
  }
}

// acc[t][lane] <- the block of each lane, for MT tokens; blocks past `blocks` are of zeros.
template <int MT>
HADAL_INLINE void fixed_tile(const FixedPanel& panel, const FixedGroup* const* x, int64_t blocks,
                             f32x16 (*acc)[16], bool start) {
  for (int64_t b = 0; b < blocks; ++b) {
    bytes64 w[2][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
#pragma GCC unroll 2
      for (int parity = 0; parity < 2; ++parity) w[parity][j] = panel.words[4 * b + j][parity];
    const int64_t at = 16 * (b % 4);
    const FixedGroup* group[MT];
#pragma GCC unroll 4
    for (int t = 0; t < MT; ++t) group[t] = x[t] + b / 4;
    // Sums of all tokens and digits side by side: one is a chain of eight.
    i32x16 high[MT], low[MT];
#pragma GCC unroll 4
    for (int t = 0; t < MT; ++t) high[t] = low[t] = splat(0);
    const auto add = [&](i32x16& sum, const int8_t(&digit)[2][64], int parity) HADAL_LAMBDA_INLINE {
      const int8_t* four = digit[parity] + at;
      const bytes64 digits[4] = {repeat_word(four), repeat_word(four + 4), repeat_word(four + 8),
                                 repeat_word(four + 12)};
      sum = dot_bytes(sum, w[parity], digits);
    };
#pragma GCC unroll 2
    for (int parity = 0; parity < 2; ++parity)
#pragma GCC unroll 4
      for (int t = 0; t < MT; ++t) {
        add(high[t], group[t]->high, parity);
        add(low[t], group[t]->low, parity);
      }
#pragma GCC unroll 4
    for (int t = 0; t < MT; ++t) {
      i32x16 sum = shift_left<3>(shift_left<8>(high[t]) + low[t]);
      if (group[t]->has_rest)
#pragma GCC unroll 2
        for (int parity = 0; parity < 2; ++parity) add(sum, group[t]->rest, parity);
      const f32x16 total = to_float(sum + splat(static_cast<uint32_t>(group[t]->offset[b % 4])));
      const f32x16 before = start ? f32x16(0.0f) : acc[t][b];
      acc[t][b] = fma(total, panel.scale[b] * f32x16(group[t]->unit[b % 4]), before);
    }
  }
  for (int64_t b = blocks; b < 16; ++b)
    for (int t = 0; t < MT; ++t) acc[t][b] = (start ? f32x16(0.0f) : acc[t][b]) + f32x16(0.0f);
}

void fixed_many(const LinearTile& tile) {
  constexpr int64_t kTokens = 64;
  FixedPanel panel;
  alignas(64) f32x16 acc[kTokens][16];
  const FixedGroup* x[kTokens];
  const int64_t groups = fixed_groups(tile.k);
  for (int64_t first = 0; first < tile.tokens; first += kTokens) {
    const int64_t tokens = tile.tokens - first < kTokens ? tile.tokens - first : kTokens;
    for (int64_t row = 0; row < tile.rows; row += 16) {
      const int64_t rows = tile.rows - row < 16 ? tile.rows - row : 16;
      for (int64_t from = 0; from < groups; from += kLaneGroups) {
        // What comes after: these rows, or the start of the next ones.
        const int64_t ahead = from + kLaneGroups < groups ? kLaneGroups * kFixedGroupBytes
                                                          : 16 * tile.row_stride - from * kFixedGroupBytes;
        decode_fixed_panel(panel, tile, row, from, ahead);
        for (int64_t t = 0; t < tokens; ++t)
          x[t] = reinterpret_cast<const FixedGroup*>(tile.x[first + t]) + from;
        const int64_t left = tile.k / kFixedBlock - 4 * from, blocks = left < 16 ? left : 16;
        int64_t t = 0;
        for (; t + kFixedTokens <= tokens; t += kFixedTokens)
          fixed_tile<kFixedTokens>(panel, x + t, blocks, acc + t, from == 0);
        for (; t + 2 <= tokens; t += 2) fixed_tile<2>(panel, x + t, blocks, acc + t, from == 0);
        for (; t < tokens; ++t) fixed_tile<1>(panel, x + t, blocks, acc + t, from == 0);
      }
      for (int64_t t = 0; t < tokens; ++t) {
        f32x16(&lane)[16] = acc[t];
        for (int half = 8; half >= 1; half /= 2)
          for (int l = 0; l < half; ++l) lane[l] = lane[l] + lane[l + half];
        float* out = tile.out + (first + t) * tile.out_stride + row;
        rows == 16 ? store(out, lane[0]) : store_some(out, lane[0], rows);
      }
    }
  }
}

void linear_fixed(const LinearTile& tile) {
  tile.tokens == 1 ? fixed_one(tile) : fixed_many(tile);
}

}  // namespace
}  // namespace hadal::HADAL_ISA
