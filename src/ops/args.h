// Arguments of the coarser ops (ops.h): plain structs of views and sizes. Nothing here owns anything.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/view.h"
#include "tensor/weight.h"

namespace hadal {

// The three matrices of one SwiGLU expert: w1 gate [I, D], w3 up [I, D], w2 down [D, I].
struct ExpertWeights {
  Weight w1, w2, w3;
};

// How a KV row lies in the state (spec/model.md section 10.1).
enum class RowFormat : uint8_t {
  kF32,          // dim floats (numerics fp32)
  kPackedKv,     // e4m3 of the first dim - rope_dim values, then rope_dim bf16, then one E8M0 byte per 64,
                 // padded to 8
  kPackedIndex,  // e2m1 nibbles of all dim values (low nibble first), then one E8M0 byte per 32
};

struct RowLayout {
  RowFormat format = RowFormat::kF32;
  int dim = 0;       // values in a row
  int rope_dim = 0;  // trailing values kept in bf16 by kPackedKv

  int64_t bytes() const {
    switch (format) {
      case RowFormat::kF32:
        return int64_t{4} * dim;
      case RowFormat::kPackedKv:
        return (dim - rope_dim + 2 * rope_dim + (dim - rope_dim + 63) / 64 + 7) / 8 * 8;
      case RowFormat::kPackedIndex:
        return dim / 2 + dim / 32;
    }
    return 0;
  }
};

// Rows of an append-only cache spread over equal blocks: row j lies at
// blocks[j / rows_per_block] + offset + (j % rows_per_block) * row_bytes.
struct RowTable {
  std::byte* const* blocks = nullptr;
  int64_t offset = 0;
  int64_t row_bytes = 0;
  int rows_per_block = 1;

  std::byte* row(int64_t j) const {
    return blocks[j / rows_per_block] + offset + (j % rows_per_block) * row_bytes;
  }
};

// Rows of the last `capacity` positions: position p lies at slot p % capacity.
struct RowRing {
  std::byte* data = nullptr;
  int64_t row_bytes = 0;
  int64_t capacity = 0;

  std::byte* row(int64_t pos) const { return data + (pos % capacity) * row_bytes; }
};

// Rounding of activations to a quantised grid and back, in place of a quantised GEMM input
// (sections 9.3, 9.4).
enum class QuantSim : uint8_t {
  kFp8Block128,  // inputs of FP8 and FP4 linears
  kFp8Block64,   // KV rows
  kFp4Block32,   // index queries and keys
};

// mHC mixing weights (sections 3.3, 3.4, 3.6). M = streams.dim[1], D = streams.dim[2].
struct HcMixArgs {
  View streams;  // [tokens, M, D] bf16 | f32
  View fn;       // [M, M*D] or [(2 + M) * M, M*D] f32
  View base;     // [rows of fn] f32
  View scale;    // [1] or [3] f32
  float norm_eps = 1e-6f, hc_eps = 1e-6f;
  int sinkhorn_iters = 20;
  View pre;   // out [tokens, M] f32
  View post;  // out [tokens, M] f32; empty for the final collapse
  View comb;  // out [tokens, M, M] f32; empty for the final collapse
};

// Pooling of one compressor for n consecutive tokens of one sequence (sections 5.1 to 5.3, 5.8).
struct CompressArgs {
  View kv;     // [n, c*dim] f32: wkv . x, c = 2 when overlap else 1
  View score;  // [n, c*dim] f32: wgate . x, without ape
  View ape;    // [ratio, c*dim] f32
  int ratio = 0;
  int dim = 0;
  bool overlap = false;  // ratio 4: eight tokens an entry
  int64_t pos = 0;       // absolute position of the first token
  // Raw rows of earlier tokens, position p at row p % capacity; scores include ape. Read for entries that
  // began before pos, then overwritten with this chunk's last rows.
  View carry_kv;     // [capacity, c*dim] f32
  View carry_score;  // [capacity, c*dim] f32
  View out;  // [(pos+n)/ratio - pos/ratio, dim] bf16 | f32: pooled entries, before norm; rank 2, may have 0
             // rows
};

// One sequence's share of a ragged batch in attention: tokens [begin, begin + count) of the batch stand at
// positions pos, pos + 1, ...
struct AttentionSegment {
  int64_t pos = 0;
  int64_t begin = 0;
  int64_t count = 0;
  RowRing window;                    // rows of positions before pos
  const std::byte* chunk = nullptr;  // rows of positions pos ... pos + count - 1, row_bytes apart
  RowTable compressed;               // finished entries, this chunk's included
};

// Attention over window and compressed rows with a sink (section 4.7). Keys of the query at t: window
// positions max(0, t - window + 1) ... t, oldest first, then the compressed entries in ascending order: all j
// < (t+1)/ratio, or the `selected` ones when there are more than selected.dim[1] of them.
struct AttentionArgs {
  View out;   // [tokens, heads, dim] bf16 | f32
  View q;     // [tokens, heads, dim]
  View sink;  // [heads] f32
  float scale = 1.0f;
  int window = 128;
  int ratio = 0;  // 0: no compressed rows
  RowLayout layout;
  View selected;  // [tokens, k] i32 ascending; empty: every visible entry
  std::span<const AttentionSegment> segments;
};

struct IndexSegment {
  int64_t pos = 0;
  int64_t begin = 0;
  int64_t count = 0;
  RowTable keys;  // index rows, this chunk's included
};

// Lightning indexer (sections 6.4, 6.5): for each token with more visible entries than k, the k entries of
// highest score (ties to the lower entry), written in ascending order of entry. Rows of other tokens are left
// alone.
struct IndexArgs {
  View selected;  // out [tokens, k] i32
  View q;         // [tokens, heads, dim] bf16 on the FP4 grid | f32
  View weights;   // [tokens, heads] bf16 | f32, constant factor included
  int ratio = 4;
  RowLayout layout;
  std::span<const IndexSegment> segments;
};

// Router (section 7.1). Ids come out ascending; an id that occurs twice in a hash row comes out once,
// followed by -1 with weight 0, after having counted twice in the sum.
struct RouteArgs {
  View ids;        // out [tokens, k] i32
  View weights;    // out [tokens, k] f32
  View logits;     // [tokens, experts] f32
  View bias;       // [experts] f32, or empty
  View tid2eid;    // [vocab, k] i64, or empty
  View token_ids;  // [tokens] i32, read when tid2eid is there
  float scale = 1.0f;
};

// Routed and shared experts (sections 7.2, 7.3).
struct ExpertArgs {
  View out;      // [tokens, D] bf16 | f32
  View x;        // [tokens, D]: input of unquantised experts
  View xq;       // [tokens, D]: input of quantised experts (x itself where activations are not quantised)
  View ids;      // [tokens, k] i32 ascending, -1 = none
  View weights;  // [tokens, k] f32
  std::span<const ExpertWeights> experts;
  const ExpertWeights* shared = nullptr;
  float limit = 10.0f;               // SwiGLU clamp
  bool quantise_activations = true;  // kFp8Block128 on the hidden activation of a quantised w2
};

}  // namespace hadal
