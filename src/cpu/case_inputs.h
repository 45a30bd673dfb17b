// Whole calls of the ops with many arguments, on random inputs that make sense: for `hadal selftest` and the
// tests.
#pragma once

#include "cpu/op_case.h"

namespace hadal {

void hc_mix_case(OpCase& c, DType dtype, int64_t tokens, int64_t streams, int64_t dim, bool full,
                 Spread spread = Spread::kNormal);

// Tokens [0, pos) first, so that the carry is what it would be, then n at pos.
void compress_case(OpCase& c, DType dtype, int ratio, int dim, bool overlap, int64_t pos, int64_t n,
                   Spread spread = Spread::kNormal);

struct IndexShape {
  int heads = 8, dim = 128;
  int64_t k = 20;
  int64_t pos = 90;  // of the first sequence; a second one starts at 3
  int64_t count = 5;
  int distinct = 0;  // keys are drawn from so many, so that scores tie; 0: all differ
  Spread spread = Spread::kNormal;
};
void index_case(OpCase& c, DType dtype, const IndexShape& shape);

struct AttentionShape {
  int heads = 4, dim = 64, rope_dim = 16;
  int window = 16;
  int ratio = 4;     // 0: window only
  int64_t k = 0;     // 0: every visible entry
  int64_t pos = 61;  // of the first sequence; a second one starts at 0
  int64_t count = 4;
  Spread spread = Spread::kNormal;
};
void attention_case(OpCase& c, DType dtype, const AttentionShape& shape);

void route_case(OpCase& c, int64_t tokens, int64_t experts, int64_t k, bool hashed,
                Spread spread = Spread::kNormal);

struct ExpertShape {
  int64_t tokens = 1;
  int64_t width = 96, hidden = 160;
  int64_t experts = 4, k = 2;
  WeightFormat routed = WeightFormat::kFP4, shared = WeightFormat::kFP8;
  bool with_shared = true;
  bool quantise = true;
  float spread = 1.0f;  // factor on the inputs
};
void expert_case(OpCase& c, DType dtype, const ExpertShape& shape);

}  // namespace hadal
