// Activations in the order in which the lanes of the dot product take them.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

// One step of x, rounded to its type, in the lane order of the format.
template <class P, KernelFormat format>
HADAL_INLINE void prepare_step(std::byte* out, const float* x) {
  const auto put = [&](std::byte* at, const float* pairs) HADAL_LAMBDA_INLINE {  // 32 consecutive elements
    f32x16 odd, even;
    typename P::Vec v[P::kPairVecs];
    load_pairs(pairs, odd, even);
    P::split(odd, even, v);
#pragma GCC unroll 2
    for (int i = 0; i < P::kPairVecs; ++i) P::store(at + i * kVecBytes, v[i]);
  };
  if constexpr (format == KernelFormat::kF32) {
    Lanes::store(out, load(x));
  } else if constexpr (format == KernelFormat::kBF16) {
    put(out, x);
  } else if constexpr (format == KernelFormat::kFP8) {
    // The order in which 64 bytes unpack: the low and the high eight of every sixteen.
    alignas(64) float part[2][32];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      __builtin_memcpy(part[0] + 8 * q, x + 16 * q, 32);
      __builtin_memcpy(part[1] + 8 * q, x + 16 * q + 8, 32);
    }
    for (int i = 0; i < 2; ++i) put(out + i * P::kPairVecs * kVecBytes, part[i]);
  } else {
    // The order in which words of four codes do: all first ones, all second ones, ...
    alignas(64) float part[4][32];
    for (int w = 0; w < 32; ++w)
      for (int i = 0; i < 4; ++i) part[i][w] = x[4 * w + i];
    for (int i = 0; i < 4; ++i) put(out + i * P::kPairVecs * kVecBytes, part[i]);
  }
}

template <class P, KernelFormat format>
HADAL_INLINE void prepare_row(std::byte* out, ConstRow x, int64_t k) {
  using D = Decoder<typename P::Decoding, format>;
  alignas(64) float step[D::kStep];
  for (int64_t at = 0; at < k; at += D::kStep, out += D::kVecs * kVecBytes) {
    for (int64_t i = 0; i < D::kStep; i += kLanes) {
      const int64_t left = k - at - i;
      store(step + i, left > 0 ? load_at(x, at + i, left) : f32x16(0.0f));
    }
    prepare_step<P, format>(out, step);
  }
}

template <class P>
HADAL_INLINE void prepare_as(std::byte* out, ConstRow x, int64_t k, KernelFormat format) {
  switch (format) {
    case KernelFormat::kF32:
      return prepare_row<Lanes, KernelFormat::kF32>(out, x, k);
    case KernelFormat::kBF16:
      return prepare_row<P, KernelFormat::kBF16>(out, x, k);
    case KernelFormat::kFP8:
      return prepare_row<P, KernelFormat::kFP8>(out, x, k);
    case KernelFormat::kFP4:
      return prepare_row<Lanes, KernelFormat::kFP4>(out, x, k);
  }
}

constexpr KernelInput input_of(bool bf16) {
  return bf16 ? KernelInput::kBF16 : KernelInput::kF32;
}

constexpr bool is_pairs(KernelFormat format, KernelInput input) {
  return HADAL_BF16_DOT && input == KernelInput::kBF16 && format != KernelFormat::kF32;
}

// FP4 weights take bf16 activations as integers.
constexpr bool is_fixed(KernelFormat format, KernelInput input) {
  return format == KernelFormat::kFP4 && input != KernelInput::kF32;
}

int64_t prepared_bytes(KernelFormat format, KernelInput input, int64_t k) {
  if (is_fixed(format, input)) return fixed_groups(k) * static_cast<int64_t>(sizeof(FixedGroup));
  int64_t step = 32;
  if (format == KernelFormat::kF32) step = Decoder<Lanes, KernelFormat::kF32>::kStep;
  if (format == KernelFormat::kFP8) step = Decoder<Lanes, KernelFormat::kFP8>::kStep;
  if (format == KernelFormat::kFP4) step = Decoder<Lanes, KernelFormat::kFP4>::kStep;
  return round_up(k, step) * (is_pairs(format, input) ? 2 : 4);
}

void prepare(std::byte* row, ConstRow x, PreparedPart part, KernelFormat format, KernelInput input) {
  if (is_fixed(format, input)) return prepare_fixed(row, x.data, part);
  std::byte* out = row + prepared_bytes(format, input, part.first);
#if HADAL_BF16_DOT
  if (is_pairs(format, input)) return prepare_as<Pairs>(out, x, part.n, format);
#endif
  prepare_as<Lanes>(out, x, part.n, format);
}

bool usable_as_is(KernelFormat format, KernelInput input, int64_t k) {
  if (format == KernelFormat::kF32) return input == KernelInput::kF32 && k % 16 == 0;
  return format == KernelFormat::kBF16 && is_pairs(format, input) && k % 32 == 0;
}

// Smallest and largest biased exponents of the numbers of a prepared row that are not zero; lowest > highest
// for none.
struct Exponents {
  int lowest, highest;
};
template <class Word>
HADAL_INLINE Exponents exponents_of(const std::byte* row, int64_t n, int mantissa_bits) {
  Word low = static_cast<Word>(-1), high = 0;
  for (int64_t i = 0; i < n; ++i) {
    Word word;
    __builtin_memcpy(&word, row + i * static_cast<int64_t>(sizeof(Word)), sizeof(Word));
    const Word magnitude = word & static_cast<Word>(static_cast<Word>(-1) >> 1);
    const Word below = static_cast<Word>(magnitude - 1);  // a zero becomes the largest
    low = below < low ? below : low;
    high = magnitude > high ? magnitude : high;
  }
  if (high == 0) return {255, 0};
  return {static_cast<int>(static_cast<Word>(low + 1) >> mantissa_bits),
          static_cast<int>(high >> mantissa_bits)};
}
template <class P>
HADAL_INLINE Exponents exponents_of(const std::byte* row, int64_t bytes) {
  return P::kElements == 16 ? exponents_of<uint32_t>(row, bytes / 4, 23)
                            : exponents_of<uint16_t>(row, bytes / 2, 7);
}

// Of n E8M0 codes.
HADAL_INLINE Exponents code_range(const uint8_t* codes, int64_t n) {
  uint8_t low = 255, high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = codes[i] < low ? codes[i] : low;
    high = codes[i] > high ? codes[i] : high;
  }
  return {low, high};
}

}  // namespace
}  // namespace hadal::HADAL_ISA
