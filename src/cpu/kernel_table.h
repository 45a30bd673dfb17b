// The kernels of one instruction set as plain function pointers, and the plain structs they take. Nothing
// here needs a header of ours: the files of isa/ are compiled with other instruction sets, and an inline
// function they shared with the rest of the program could end up running where it must not (docs/numerics.md
// has the arithmetic).
//
// A "prepared" row is a row of numbers in the order in which the lanes of the canonical dot product take
// them, zero padded to whole steps, as a sequence of 64-byte vectors: sixteen floats each, or sixteen pairs
// of bf16 (KernelInput). For FP4 weights and bf16 it is integers (isa/linear_fixed.inl.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace hadal {

constexpr int kMaxKernelStreams = 16;  // hyper-connection streams
constexpr int kMaxAttendHeads = 64;    // heads of all queries of one call of attend
constexpr int kMaxFewTokens = 16;      // tokens of a linear tile that need its scratch

// The values of WeightFormat (tensor/weight.h).
enum class KernelFormat : uint8_t { kF32, kBF16, kFP8, kFP4 };
constexpr int kKernelFormats = 4;
// What activations a prepared row was made of, and how.
enum class KernelInput : uint8_t {
  kF32,
  kBF16,      // as the ISA's instructions for bf16 take them, where it has any
  kWideBF16,  // always as floats: some cores multiply those faster
};
// The values of RowFormat (ops/args.h).
enum class KernelRowFormat : uint8_t { kF32, kPackedKv, kPackedIndex };
// The values of QuantSim (ops/args.h).
enum class KernelQuant : uint8_t { kFp8Block128, kFp8Block64, kFp4Block32 };

// Elements [first, first + n) of a row of k; first is a multiple of 128, as is n unless they are the last.
struct PreparedPart {
  int64_t first, n, k;
};

// A dense row of activations: floats or bf16.
struct ConstRow {
  const std::byte* data;
  bool bf16;
};
struct MutRow {
  std::byte* data;
  bool bf16;
};

// out[t * out_stride + r] <- x[t] . w[r] for `tokens` prepared rows and `rows` weight rows, in fp32.
struct LinearTile {
  KernelFormat format;
  KernelInput input;
  const std::byte* const* x;  // [tokens] prepared rows
  int64_t tokens;
  const std::byte* w;  // first row
  int64_t row_stride;
  const std::byte* scale;  // FP4: E8M0 codes of the first row, one per 32; FP8: of all rows, one per 128
  int64_t scale_stride;    // FP4
  int64_t rows;
  int64_t k;
  float* out;
  int64_t out_stride;
  std::byte* scratch;  // FP8: min(tokens, kMaxFewTokens) prepared rows, 64-byte aligned
};

struct HcMixTile {
  const float* dots;  // [rows of fn] fn . f
  float rho;
  const float* base;
  const float* scale;
  float hc_eps;
  int sinkhorn_iters;
  int streams;
  float* pre;   // [streams]
  float* post;  // [streams]; null for the final collapse
  float* comb;  // [streams * streams]; null for the final collapse
};

// Softmax-weighted mean of n items, per channel.
struct PoolTile {
  float* out;                 // [channels]
  const float* const* score;  // [n]
  const float* const* bias;   // [n], null where the score has it already
  const float* const* kv;     // [n]
  int64_t n;
  int64_t channels;
};

// Hidden activation of one token and `n` rows of w1 and w3.
struct SwigluTile {
  MutRow out;         // [n]
  const float* gate;  // [n] unrounded dot products
  const float* up;
  int64_t n;
  float limit;
  const float* weight;  // null for the shared expert
};

struct KernelRowLayout {
  KernelRowFormat format;
  int dim;
  int rope_dim;
};

// Attention of `queries` queries for `heads` heads each. A query's keys are its own ones, then the shared
// ones.
struct AttendTile {
  const std::byte* const* q;       // [queries * heads] rows [dim]; at most kMaxAttendHeads
  std::byte* const* out;           // [queries * heads] rows [dim]
  const float* sink;               // [heads]
  const std::byte* const* keys;    // [queries * own_keys] packed rows
  const std::byte* const* shared;  // [shared_keys]
  bool q_bf16, out_bf16;
  float scale;
  int64_t queries;
  int64_t heads;
  int64_t own_keys, shared_keys;
  KernelRowLayout layout;
  std::byte* scratch;  // attend_scratch() bytes of queries * heads and all keys, 64-byte aligned
};

// A query of the indexer, prepared.
struct IndexQuery {
  const std::byte* const* q;  // [heads] prepared rows (format kBF16, or kF32 for f32 key rows)
  const float* weights;       // [heads]
  const std::byte* integers;  // what index_integers made of it, or null
  float* out;                 // [n_keys] scores, NaN as it comes
};

// Index scores of several queries for the same n_keys entries: each key is decoded once.
struct IndexTile {
  const IndexQuery* queries;
  int64_t n_queries;
  const std::byte* const* keys;
  int64_t n_keys;
  bool q_bf16;
  int64_t heads;
  KernelRowLayout layout;
  std::byte* scratch;  // index_scratch() bytes, 64-byte aligned
};

// Nothing but multiply-adds in registers, for measuring what a core can do.
struct PeakKernel {
  int64_t flops;                 // of one round, two a multiply-add
  float (*run)(int64_t rounds);  // the result depends on all of them
};

struct KernelTable {
  const char* name;

  int64_t (*prepared_bytes)(KernelFormat format, KernelInput input, int64_t k);
  // A dense row is its own prepared form.
  bool (*usable_as_is)(KernelFormat format, KernelInput input, int64_t k);
  // A part of a prepared row; parts in any order, or at the same time.
  void (*prepare)(std::byte* row, ConstRow x, PreparedPart part, KernelFormat format, KernelInput input);
  void (*linear)(const LinearTile& tile);

  void (*convert)(MutRow out, ConstRow x, int64_t n);
  float (*sum_squares)(ConstRow x, int64_t n);
  void (*rms_norm)(MutRow out, ConstRow x, ConstRow gain, int64_t n, float eps);
  void (*head_norm)(MutRow x, int64_t n, float eps);
  // The trailing 2 * pairs of n values; angles [pairs, 2].
  void (*rope)(MutRow x, int64_t n, const float* angles, int64_t pairs, bool inverse);
  void (*fake_quant)(MutRow out, ConstRow x, int64_t n, KernelQuant quant);
  void (*hadamard)(MutRow x, int64_t n, float factor, float* scratch);  // scratch: n rounded up to 16
  void (*scale)(MutRow x, int64_t n, float factor);
  void (*add)(MutRow out, ConstRow a, ConstRow b, int64_t n);
  // acc[i] += x[i], x rounded to bf16 first if so.
  void (*accumulate)(float* acc, const float* x, int64_t n, bool round);

  void (*hc_mix)(const HcMixTile& tile);
  // out <- sum over n of weight[j] * x[j]; fused multiply-adds after the first product.
  void (*weighted_sum)(MutRow out, const std::byte* const* x, bool x_bf16, const float* weight, int n,
                       int64_t dim);
  // out <- post * o + sum over n of weight[j] * x[j].
  void (*hc_post)(MutRow out, ConstRow o, float post, const std::byte* const* x, bool x_bf16,
                  const float* weight, int n, int64_t dim);
  void (*pool)(const PoolTile& tile);
  void (*swiglu)(const SwigluTile& tile);
  void (*sqrt_softplus)(float* out, const float* x, int64_t n);

  int64_t (*attend_scratch)(KernelRowLayout layout, int64_t heads, int64_t n_keys);
  void (*attend)(const AttendTile& tile);
  int64_t (*index_scratch)(KernelRowLayout layout);
  // A query as integers, where the instruction set multiplies them faster: 0 bytes where it does not. False:
  // integers would not give the canonical bits.
  int64_t (*index_integer_bytes)(KernelRowLayout layout, bool q_bf16, int64_t heads);
  bool (*index_integers)(std::byte* out, const std::byte* const* q, const float* weights, int64_t heads,
                         int64_t dim);
  void (*index_scores)(const IndexTile& tile);
  // Places of the values above a threshold, ascending; returns how many. A NaN is above nothing.
  int64_t (*above)(int32_t* out, const float* values, int64_t n, float threshold);

  PeakKernel peak;        // of the multiply-adds that linear layers take for kBF16
  PeakKernel peak_wide;   // and for kWideBF16
  PeakKernel peak_bytes;  // of byte dot products; run is null without them
};

// One per folder of isa/; call only after dispatch.h found the CPU able.
const KernelTable& generic_table();
const KernelTable& avx2_table();
const KernelTable& neon_table();
const KernelTable& avx512_table();
const KernelTable& avx512bf16_table();

}  // namespace hadal
