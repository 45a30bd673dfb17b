// FP4 weights times bf16 activations: a sum of integers for each block of 32 (docs/numerics.md).
//
// An activation is v * 2^e with the e of its block, -2^18 < v < 2^18, and v = 8 (256 high + low) + rest with
// high and low in a signed byte and rest from 0 to 7. A weight, twice its e2m1 value plus 12, is a byte
// without sign. Byte dot products give the sum over a block, less what the 12 added; few activations that
// were rounded to FP8 have a rest, and words of a group without any are left out.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kFixedBlock = 32, kFixedGroup = 512, kFixedGroupBytes = kFixedGroup / 2;

// A prepared row is a sequence of these, one block to a lane, crossed: lane 4i + m has block 4m + i, which is
// what four lines of a row's codes give without a move between quarters of a register. Behind the row's end,
// zeros.
struct alignas(64) FixedGroup {
  int8_t high[8][64], low[8][64], rest[8][64];  // [word of codes: of its even, then odd elements][lane]
  float unit[16];                               // half of 2^e, 1 if all are 0, or NaN
  int32_t offset[16];                           // an eighth of what weights of -12 would add,
  int32_t remainder[16];                        // and what that leaves
  uint8_t rests[16];                            // by lane, bit w: a rest of word w is not 0
  uint8_t far[16];  // by lane: 0 if a product of the unit and 2^-63 to 2^64 is normal
};
static_assert(sizeof(FixedGroup) == 1792);

HADAL_INLINE int64_t fixed_groups(int64_t k) {
  return (k + kFixedGroup - 1) / kFixedGroup;
}

// --- Activations
// -----------------------------------------------------------------------------------------------------

// The integers of 32 numbers, those of even elements before those of odd ones; returns half of their unit.
HADAL_INLINE float fixed_integers(int32_t (&v)[32], const uint16_t* x) {
  uint32_t top = 0;
  for (int i = 0; i < 32; ++i) {
    const uint32_t magnitude = x[i] & 0x7fffu;
    top = magnitude > top ? magnitude : top;
    v[i] = 0;
  }
  // One more than the largest, so that `high` has room for a carry of `low`.
  const uint32_t exponent = (top + 1) >> 7;
  if (exponent <= 18) return 1.0f;
  if (top >= 0x7f80) return __builtin_nanf("");
  const float factor = __builtin_bit_cast(float, (271 - exponent) << 23);  // 2^(17 + 127 - exponent)
  for (int odd = 0; odd < 2; ++odd)
    for (int i = 0; i < 16; ++i) {
      const uint32_t bits = static_cast<uint32_t>(x[2 * i + odd]) << 16;
      const float rounded = __builtin_bit_cast(float, bits) * factor + 0x1.8p23f;  // a multiple of one
      v[16 * odd + i] = static_cast<int32_t>(__builtin_bit_cast(uint32_t, rounded) - 0x4b400000u);
    }
  return __builtin_bit_cast(float, (exponent - 18) << 23);
}

HADAL_INLINE void put_fixed_block(FixedGroup& out, int64_t lane, const int32_t (&v)[32], float unit) {
  alignas(32) int8_t high[32], low[32], rest[32];
  int32_t sum = 0;
  for (int i = 0; i < 32; ++i) {
    const int32_t upper = v[i] >> 3;
    low[i] = static_cast<int8_t>(upper & 0xff);
    high[i] = static_cast<int8_t>((upper - low[i]) >> 8);
    rest[i] = static_cast<int8_t>(v[i] & 7);
    sum += v[i];
  }
  uint32_t rests = 0;
  for (int word = 0; word < 8; ++word) {
    uint32_t some;
    __builtin_memcpy(&some, rest + 4 * word, 4);
    rests |= uint32_t{some != 0} << word;
    __builtin_memcpy(out.rest[word] + 4 * lane, &some, 4);
    __builtin_memcpy(out.high[word] + 4 * lane, high + 4 * word, 4);
    __builtin_memcpy(out.low[word] + 4 * lane, low + 4 * word, 4);
  }
  const int32_t added = -kFp4Offset * sum;
  out.unit[lane] = unit;
  out.offset[lane] = added >> 3;
  out.remainder[lane] = added & 7;
  out.rests[lane] = static_cast<uint8_t>(rests);
  const uint32_t field = __builtin_bit_cast(uint32_t, unit) >> 23;
  out.far[lane] = field < 64 || field > 190;
}

// x: bf16. Parts of a row may be prepared at the same time: each writes its lanes alone.
void prepare_fixed(std::byte* row, const std::byte* x, PreparedPart part) {
  auto* groups = reinterpret_cast<FixedGroup*>(row);
  const auto* from = reinterpret_cast<const uint16_t*>(x);
  const int64_t end = part.first + part.n;
  for (int64_t at = part.first; at < end || (end == part.k && at % kFixedGroup != 0); at += kFixedBlock) {
    alignas(64) int32_t v[32] = {};
    const float unit = at < end ? fixed_integers(v, from + at - part.first) : 1.0f;
    const int64_t block = at % kFixedGroup / kFixedBlock;
    put_fixed_block(groups[at / kFixedGroup], block % 4 * 4 + block / 4, v, unit);
  }
}

// --- Weights
// ---------------------------------------------------------------------------------------------------------

// Bytes of the codes and scales of group `group` of a row; behind its end, codes of zero and scales of one.
struct FixedRow {
  const uint8_t *codes, *scales;
};
struct FixedTail {
  alignas(64) uint8_t codes[kFixedGroupBytes];
  alignas(16) uint8_t scales[16];
};
HADAL_INLINE FixedRow fixed_row(const LinearTile& tile, int64_t row, int64_t group, FixedTail& tail) {
  const auto* codes =
      reinterpret_cast<const uint8_t*>(tile.w) + row * tile.row_stride + group * kFixedGroupBytes;
  const auto* scales = reinterpret_cast<const uint8_t*>(tile.scale) + row * tile.scale_stride + 16 * group;
  const int64_t left = tile.k - group * kFixedGroup;
  if (left >= kFixedGroup) return {codes, scales};
  __builtin_memset(tail.codes, 0, sizeof tail.codes);
  __builtin_memset(tail.scales, kScaleOfOne, sizeof tail.scales);
  __builtin_memcpy(tail.codes, codes, static_cast<size_t>(left / 2));
  __builtin_memcpy(tail.scales, scales, static_cast<size_t>(left / kFixedBlock));
  return {tail.codes, tail.scales};
}

// Fetches the codes of a group into the L1 cache, and the scales of the four groups that it starts.
HADAL_INLINE void fetch_group(const LinearTile& tile, int64_t row, int64_t group) {
  const std::byte* codes = tile.w + row * tile.row_stride + group * kFixedGroupBytes;
#pragma GCC unroll 4
  for (int m = 0; m < 4; ++m) __builtin_prefetch(codes + 64 * m);
  if (group % 4 == 0) __builtin_prefetch(tile.scale + row * tile.scale_stride + 16 * group);
}

// A part of a group of a row, in the order of FixedGroup, from its codes.
HADAL_INLINE void decode_fixed(bytespart (&multiples)[8], const uint8_t* codes, int part) {
  bytespart words[4];
#pragma GCC unroll 4
  for (int m = 0; m < 4; ++m) words[m] = load_bytes(codes + 64 * m, part);
  cross_words(words);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) fp4_multiples(words[j], multiples[j], multiples[4 + j]);
}

// --- Products
// --------------------------------------------------------------------------------------------------------

// One digit of a group's activations, loaded where it is used, or once for many rows.
struct DigitsInMemory {
  const int8_t (&words)[8][64];
  int part;
  HADAL_INLINE bytespart operator()(int i) const { return load_bytes(words[i], part); }
};
struct DigitsInRegisters {
  bytespart words[8];
  HADAL_INLINE DigitsInRegisters(const int8_t (&from)[8][64], int part) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) words[i] = load_bytes(from[i], part);
  }
  HADAL_INLINE bytespart operator()(int i) const { return words[i]; }
};

HADAL_INLINE uint64_t or_halves(const uint8_t (&lanes)[16]) {
  uint64_t half[2];
  __builtin_memcpy(half, lanes, sizeof half);
  return half[0] | half[1];
}
// Bit w: some lane has a rest in word w.
HADAL_INLINE uint32_t rest_words(const FixedGroup& x) {
  uint64_t words = or_halves(x.rests);
  words |= words >> 32;
  words |= words >> 16;
  words |= words >> 8;
  return static_cast<uint32_t>(words & 0xff);
}

// A few tokens: weights stay in registers. NR rows `apart` rows apart.
template <int MT, int NR>
HADAL_INLINE void fixed_rows(const LinearTile& tile, const FixedGroup* const (&x)[MT], int64_t row,
                             int64_t apart, int64_t next, f32x16 (&acc)[MT * NR]) {
  const int64_t groups = fixed_groups(tile.k);
  FixedTail tail;  // out here: GCC 12 keeps pointers into it longer than a loop's body lives
#pragma GCC unroll 16
  for (int i = 0; i < MT * NR; ++i) acc[i] = f32x16(0.0f);
  for (int64_t g = 0; g < groups; ++g) {
#pragma GCC unroll 8
    for (int r = 0; r < NR; ++r) {
      const int64_t real = row + r * apart < tile.rows ? row + r * apart : row;
      const FixedRow bytes = fixed_row(tile, real, g, tail);
      // Hardware prefetchers stop at a page's end.
#pragma GCC unroll 4
      for (int m = 0; m < 4; ++m) fetch_weights(bytes.codes + next * tile.row_stride + 64 * m);
      fetch_weights(bytes.scales + next * tile.scale_stride);
      const f32x16 scale = load_powers_crossed(bytes.scales);
#pragma GCC unroll 4
      for (int part = 0; part < kLaneParts; ++part) {
        bytespart w[8];
        decode_fixed(w, bytes.codes, part);
#pragma GCC unroll 4
        for (int t = 0; t < MT; ++t) {
          const FixedGroup& from = x[t][g];
          i32part sum[1] = {load_words(from.offset, part)};
          dot_digits<1>(
              sum, [&](int, int i) HADAL_LAMBDA_INLINE { return w[i]; }, DigitsInMemory{from.high, part},
              DigitsInMemory{from.low, part});
          if (const uint32_t rests = rest_words(from); rests != 0) {
            i32part rest = load_words(from.remainder, part);
#pragma GCC unroll 8
            for (int i = 0; i < 8; ++i)
              if ((rests >> i & 1) != 0) rest = dot_bytes(rest, w[i], load_bytes(from.rest[i], part));
            sum[0] = sum[0] + rest;
          }
          f32x16& to = acc[t * NR + r];
          store_part(to, part,
                     fma(to_float(sum[0]), load_part(from.unit, part) * load_part(scale, part),
                         load_part(to, part)));
        }
      }
    }
  }
}

template <int MT>
void fixed_few(const LinearTile& tile) {
  constexpr int NR = kFixedRows;
  const FixedGroup* x[MT];
  for (int t = 0; t < MT; ++t) x[t] = reinterpret_cast<const FixedGroup*>(tile.x[t]);
  const int64_t apart = rows_apart(tile, NR);
  for (int64_t block = 0; block < tile.rows; block += NR * apart)
    for (int64_t row = block; row < block + apart && row < tile.rows; ++row) {
      const int64_t next = row + 1 < block + apart ? 1 : NR * apart - (apart - 1);
      f32x16 acc[MT * NR];
      fixed_rows<MT, NR>(tile, x, row, apart, next, acc);
      for (int t = 0; t < MT; ++t)
        for (int r = 0; r < NR && row + r * apart < tile.rows; ++r)
          tile.out[t * tile.out_stride + row + r * apart] = tree_sum(cross(acc[t * NR + r]));
    }
}

// Rows of a group in the L1 cache.
struct FixedWeights {
  alignas(64) uint8_t multiples[8][64];
  f32x16 scale;
};
HADAL_INLINE void decode_fixed(FixedWeights& out, const FixedRow& row) {
#pragma GCC unroll 4
  for (int part = 0; part < kLaneParts; ++part) {
    bytespart multiples[8];
    decode_fixed(multiples, row.codes, part);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) store_bytes(out.multiples[i], part, multiples[i]);
  }
  out.scale = load_powers_crossed(row.scales);
}
// Whether the codes of a group's scales are from 64 to 191: their upper two bits differ.
HADAL_INLINE bool near_one(const FixedRow& row) {
  constexpr uint64_t kTop = 0x8080808080808080u;
  uint64_t codes[2];
  __builtin_memcpy(codes, row.scales, sizeof codes);
  return ((codes[0] ^ codes[0] << 1) & (codes[1] ^ codes[1] << 1) & kTop) == kTop;
}
HADAL_INLINE bool near_one(const FixedGroup& x) {
  return or_halves(x.far) == 0;
}

// acc of `rows` rows, a multiple of kFixedStepRows, continued by their products with a token's group, whose
// rest_words are `rests`; fetches `later`. by_exponents: units and scales are near_one, and their product is
// a sum of exponents, which leaves the units that multiply bytes alone.
template <bool has_rest, bool by_exponents>
HADAL_INLINE void fixed_steps(f32x16* acc, const FixedWeights* w, const FixedGroup& x,
                              const FixedGroup& later, int64_t rows, uint32_t rests) {
  constexpr int NR = kFixedStepRows;
  const auto* lines = reinterpret_cast<const uint8_t*>(&later);
  for (int part = 0; part < kLaneParts; ++part) {
    const PanelDigits high{x.high, part}, low{x.low, part};
    const i32part offset = load_words(x.offset, part), remainder = load_words(x.remainder, part);
    const f32part unit = load_part(x.unit, part);
    // Less the exponent of one, which the scale has too.
    const i32part exponent = bits(unit) + bits(f32part(__builtin_bit_cast(float, 0u - (127u << 23))));
    for (int64_t r = 0; r < rows; r += NR) {
      if (part == 0) {
#pragma GCC unroll 8
        for (int i = 0; i < 2 * NR; ++i) __builtin_prefetch(lines + 128 * r + 64 * i);
      }
      const auto weights = [&](int j, int i)
                               HADAL_LAMBDA_INLINE { return load_bytes(w[r + j].multiples[i], part); };
      i32part sum[NR], rest[NR];
#pragma GCC unroll 4
      for (int j = 0; j < NR; ++j) {
        sum[j] = offset;
        rest[j] = remainder;
      }
      dot_digits<NR>(sum, weights, high, low);
      if constexpr (has_rest)
        for (uint32_t left = rests; left != 0; left &= left - 1) {
          const int word = __builtin_ctz(left);
          const bytespart digits = load_bytes(x.rest[word], part);
#pragma GCC unroll 4
          for (int j = 0; j < NR; ++j) rest[j] = dot_bytes(rest[j], weights(j, word), digits);
        }
#pragma GCC unroll 4
      for (int j = 0; j < NR; ++j) {
        if constexpr (has_rest) sum[j] = sum[j] + rest[j];
        const f32part scale = load_part(w[r + j].scale, part);
        const f32part factor = by_exponents ? as_float(exponent + bits(scale)) : unit * scale;
        f32x16& to = acc[r + j];
        store_part(to, part, fma(to_float(sum[j]), factor, load_part(to, part)));
      }
    }
  }
}

// More tokens: some rows are decoded into the L1 cache and go over all of them.
void fixed_many(const LinearTile& tile) {
  constexpr int64_t kTokens = 32;  // between two decodings: their sums stay near
  constexpr int NR = 16;
  FixedWeights panel[NR];
  FixedTail tail;
  alignas(64) f32x16 acc[kTokens][NR];
  const int64_t groups = fixed_groups(tile.k);
  const auto group = [&](int64_t token, int64_t g) HADAL_LAMBDA_INLINE -> const FixedGroup& {
    return reinterpret_cast<const FixedGroup*>(tile.x[token])[g];
  };
  for (int64_t first = 0; first < tile.tokens; first += kTokens) {
    const int64_t tokens = tile.tokens - first < kTokens ? tile.tokens - first : kTokens;
    bool units_near_one = true;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t g = 0; g < groups; ++g) units_near_one &= near_one(group(first + t, g));
    for (int64_t row = 0; row < tile.rows; row += NR) {
      const int64_t rows = tile.rows - row < NR ? tile.rows - row : NR;
      const int64_t decoded = round_up(rows, kFixedStepRows);
      const int64_t ahead = row == 0 ? 3 : 1;  // tokens; the first rows' come from far
      for (int64_t t = 0; t < tokens; ++t)
        for (int r = 0; r < NR; ++r) acc[t][r] = f32x16(0.0f);
      for (int64_t g = 0; g < groups; ++g) {
        bool near = units_near_one;
        for (int64_t r = 0; r < decoded; ++r) {
          const FixedRow bytes = fixed_row(tile, row + (r < rows ? r : rows - 1), g, tail);
          decode_fixed(panel[r], bytes);
          near &= near_one(bytes);
        }
        // What comes after, some rows a token: these rows' next group, or the start of the next ones.
        const bool last = g + 1 == groups;
        const int64_t next_row = last ? row + NR : row, next_group = last ? 0 : g + 1;
        const auto multiply = [&]<bool by_exponents>() HADAL_LAMBDA_INLINE {
          int64_t fetched = 0;
          for (int64_t t = 0; t < tokens; ++t) {
            for (; fetched * tokens < NR * (t + 1); ++fetched)
              fetch_group(tile, next_row + fetched, next_group);
            const FixedGroup& x = group(first + t, g);
            const FixedGroup& later = t + ahead < tokens ? group(first + t + ahead, g)
                                                         : group(first + (t + ahead) % tokens, next_group);
            const uint32_t rests = rest_words(x);
            rests != 0 ? fixed_steps<true, by_exponents>(acc[t], panel, x, later, decoded, rests)
                       : fixed_steps<false, by_exponents>(acc[t], panel, x, later, decoded, rests);
          }
        };
        near ? multiply.template operator()<true>() : multiply.template operator()<false>();
      }
      for (int64_t t = 0; t < tokens; ++t) {
#pragma GCC unroll 16
        for (int r = 0; r < NR; ++r) acc[t][r] = cross(acc[t][r]);
        const f32x16 sums = tree_sum16(acc[t]);
        float* out = tile.out + (first + t) * tile.out_stride + row;
        rows == NR ? store(out, sums) : store_some(out, sums, rows);
      }
    }
  }
}

void linear_fixed(const LinearTile& tile) {
  switch (tile.tokens) {
    case 1:
      return fixed_few<1>(tile);
    case 2:
      return fixed_few<2>(tile);
    case 3:
      return fixed_few<3>(tile);
    case 4:
      return fixed_few<4>(tile);
    default:
      return fixed_many(tile);
  }
}

}  // namespace
}  // namespace hadal::HADAL_ISA
