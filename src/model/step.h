// What one forward pass knows about its tokens: positions, angles, and which compressed entries the tokens
// complete. Made once by Model::forward, read by every layer. Lives in the arena frame of the pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/model.h"

namespace hadal {

// The entries of one ratio that the tokens of this pass complete, segment after segment.
struct EntryPlan {
  struct Part {
    int64_t first = 0;  // entry
    int64_t count = 0;
    int64_t offset = 0;  // row in the pass's buffers
  };
  int ratio = 0;
  int64_t total = 0;
  std::vector<Part> parts;  // one a segment
  View angles;              // [total, pairs, 2]: at the first token of each entry's window
};

struct StepSegment {
  SequenceState* state = nullptr;
  int64_t pos = 0, begin = 0, count = 0;
};

struct Step {
  Ops& ops;
  const Config& config;
  Numerics numerics;
  DType dtype;    // of activations
  View ids = {};  // [tokens] i32
  std::vector<StepSegment> segments = {};
  View plain_angles = {};       // [tokens, pairs, 2]: layers without a compressor
  View compressed_angles = {};  // [tokens, pairs, 2]: layers with one (section 4.4)
  std::vector<EntryPlan> entries = {};

  int64_t tokens() const { return ids.dim[0]; }
  View alloc(const Shape& shape) const { return ops.arena().alloc(shape, dtype); }
  View alloc_f32(const Shape& shape) const { return ops.arena().alloc(shape, DType::kF32); }
  const View& angles(int ratio) const { return ratio == 0 ? plain_angles : compressed_angles; }
  const EntryPlan& plan(int ratio) const;

  // The input of a linear layer: rounded to FP8 per block of 128 for a quantised weight in `release`, else x.
  View linear_input(View x, const Weight& w) const;
  // x [tokens, in] -> [tokens, out]. `input` has been through linear_input.
  View linear(View input, const Weight& w) const;
  View rms_norm(View x, View gain) const;
};

}  // namespace hadal
