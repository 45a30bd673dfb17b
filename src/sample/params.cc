#include "sample/params.h"

#include <fmt/format.h>

namespace hadal {
namespace {

struct Field {
  const char* name;
  float value, low, high;
  bool open;  // low itself is excluded
};

}  // namespace

Result<void> validate(const SamplingParams& params) {
  const Field fields[] = {
      {"temperature", params.temperature, 0, 2, false},
      {"top_p", params.top_p, 0, 1, true},
      {"min_p", params.min_p, 0, 1, false},
      {"presence_penalty", params.presence_penalty, -2, 2, false},
      {"frequency_penalty", params.frequency_penalty, -2, 2, false},
      {"repetition_penalty", params.repetition_penalty, 0, 10, true},
  };
  for (const Field& f : fields) {
    const bool inside = (f.open ? f.value > f.low : f.value >= f.low) && f.value <= f.high;
    if (!inside)
      return problem(f.name, fmt::format("{} is outside the valid range {}{}, {}]", f.value,
                                         f.open ? '(' : '[', f.low, f.high));
  }
  if (params.top_k < 0)
    return problem("top_k", fmt::format("{} is negative; 0 switches it off", params.top_k));
  return {};
}

}  // namespace hadal
