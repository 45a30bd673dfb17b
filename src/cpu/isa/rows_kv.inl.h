// Packed KV and index rows to prepared rows, and rows of queries beside them.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

// The format whose dot product a row takes part in.
HADAL_INLINE KernelFormat row_weight_format(KernelRowFormat format) {
  return format == KernelRowFormat::kF32 ? KernelFormat::kF32 : KernelFormat::kBF16;
}

template <class P>
HADAL_INLINE void put_pairs(std::byte* out, f32x16 odd, f32x16 even) {
  typename P::Vec v[P::kPairVecs];
  P::split(odd, even, v);
#pragma GCC unroll 2
  for (int i = 0; i < P::kPairVecs; ++i) P::store(out + i * kVecBytes, v[i]);
}

// e4m3 of the first values, bf16 of the last, scales per 64: 32 values at a time.
template <class P>
HADAL_INLINE void decode_kv_row(std::byte* out, const uint8_t* row, int dim, int rope_dim) {
  const int nope = dim - rope_dim;
  const uint8_t* rotated = row + nope;
  const uint8_t* scales = rotated + 2 * rope_dim;
  for (int from = 0; from < dim; from += 32, out += P::kPairVecs * kVecBytes) {
    f32x16 odd, even;
#if HADAL_BF16_DOT
    if constexpr (P::kElements == 32) {
      bf16x32 pairs[2];
      if (from % 64 == 0 && from + 64 <= nope && decode_fp8_scaled(row + from, scales[from / 64], pairs)) {
        P::store(out, pairs[0]);
        P::store(out + kVecBytes, pairs[1]);
        from += 32;
        out += kVecBytes;
        continue;
      }
      if (from >= nope && from + 32 <= dim) {
        P::store(out, load_bf16x32(rotated + 2 * (from - nope)));
        continue;
      }
    }
#endif
    if (from + 32 <= nope) {
      const f32x16 scale(e8m0(scales[from / 64]));
      decode_fp8_pairs(row + from, odd, even);
      odd = odd * scale;
      even = even * scale;
    } else if (from >= nope && from + 32 <= dim) {
      load_pairs_bf16(rotated + 2 * (from - nope), odd, even);
    } else {
      // A group across a border: by element.
      alignas(64) uint8_t codes[32] = {};
      alignas(64) uint16_t halves[32] = {};
      alignas(64) float values[32], plain[32];
      for (int i = from; i < nope && i < from + 32; ++i) codes[i - from] = row[i];
      for (int i = from < nope ? nope : from; i < dim && i < from + 32; ++i)
        __builtin_memcpy(&halves[i - from], rotated + 2 * (i - nope), 2);
      decode_fp8_pairs(codes, odd, even);
      const f32x16 scale(from < nope ? e8m0(scales[from / 64]) : 1.0f);
      alignas(64) float odds[16], evens[16];
      store(odds, odd * scale);
      store(evens, even * scale);
      store(plain, load_bf16(halves));
      store(plain + 16, load_bf16(halves + 16));
      for (int i = 0; i < 32; ++i)
        values[i] = from + i < nope ? ((i & 1) != 0 ? odds[i / 2] : evens[i / 2]) : plain[i];
      load_pairs(values, odd, even);
    }
    put_pairs<P>(out, odd, even);
  }
}

// e2m1 of all values, scales per 32.
template <class P>
HADAL_INLINE void decode_index_row(std::byte* out, const uint8_t* row, int dim) {
  const uint8_t* scales = row + dim / 2;
  for (int from = 0; from < dim; from += 32, out += P::kPairVecs * kVecBytes) {
    f32x16 odd, even;
    decode_fp4(row + from / 2, fp4_table(e8m0(scales[from / 32])), odd, even);
    put_pairs<P>(out, odd, even);
  }
}

template <class P>
HADAL_INLINE void decode_row(std::byte* out, const std::byte* row, const KernelRowLayout& layout) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(row);
  switch (layout.format) {
    case KernelRowFormat::kF32:
      return prepare_row<Lanes, KernelFormat::kF32>(out, {row, false}, layout.dim);
    case KernelRowFormat::kPackedKv:
      return decode_kv_row<P>(out, bytes, layout.dim, layout.rope_dim);
    case KernelRowFormat::kPackedIndex:
      return decode_index_row<P>(out, bytes, layout.dim);
  }
}

}  // namespace
}  // namespace hadal::HADAL_ISA
