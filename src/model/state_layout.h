// Where the parts of a sequence's state lie (spec/model.md sections 4.6, 5.8, 6.3, 10.1). Computed once for a
// model; the same for all its sequences.
//
// A state has two kinds of memory. Blocks of 128 tokens (the common multiple of the ratios) hold the finished
// compressed rows and index rows of all layers; a full block never changes again, so sequences and caches
// share it. The fixed part holds what changes with every token: per layer a ring of window rows and the raw
// rows that a compressor has not pooled yet, and for the MTP block the last streams. Everything in the fixed
// part is addressed by position modulo a capacity that leaves room for `rollback` more rows than are needed,
// so that the last tokens can be taken back by changing the length alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "ops/args.h"

namespace hadal {

enum class Numerics { kRelease, kFp32 };
// "release" or "fp32".
std::optional<Numerics> numerics_from_name(std::string_view name);
std::string_view numerics_name(Numerics numerics);

constexpr int kBlockTokens = 128;

// Offsets and sizes in bytes.
struct StateLayout {
  // Raw rows of one compressor: kv and score, [capacity, width] f32 each.
  struct Carry {
    int ratio = 0;
    int64_t kv = 0, score = 0;
    int64_t capacity = 0, width = 0;

    int64_t row_bytes() const { return 4 * width; }
    // The first position whose raw row is needed after `length` tokens (section 5.8).
    int64_t first_needed(int64_t length) const;
  };
  struct Layer {
    int ratio = 0;
    int64_t window = 0;          // in the fixed part: ring of window rows
    Carry main, index;           // in the fixed part; ratio 0: none
    int64_t rows = 0, keys = 0;  // in a block: compressed rows, index rows
    int64_t row_count = 0;       // compressed rows of this layer in a block
  };

  StateLayout(const Config& config, Numerics numerics, int rollback);

  RowLayout kv_row, index_row;
  int64_t window = 0;  // tokens a query sees
  int64_t window_capacity = 0;
  int rollback = 0;           // tokens that can be taken back at any time
  std::vector<Layer> layers;  // backbone, then the MTP block if there is one
  bool has_mtp = false;
  int64_t streams = 0;           // in the fixed part, with MTP: ring of the streams before the head
  int64_t stream_row_bytes = 0;  // [M, D] in the activation dtype; 0 without MTP
  int64_t stream_capacity = 0;
  int64_t fixed_bytes = 0;
  int64_t block_bytes = 0;

  // Memory of a sequence of `length` tokens: fixed part and blocks, without boundaries.
  int64_t bytes(int64_t length) const;
};

}  // namespace hadal
