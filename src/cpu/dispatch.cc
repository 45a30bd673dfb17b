#include "cpu/dispatch.h"

#include "base/error.h"
#include "cpu/cpu_features.h"

namespace hadal {
namespace {

struct Entry {
  std::string_view name;
  bool (*supported)(const CpuFeatures&);
  const KernelTable& (*table)();
};

// In order of preference.
constexpr Entry kEntries[] = {
#if defined(__x86_64__)
    {"avx512bf16", [](const CpuFeatures& f) { return f.avx512bf16; }, avx512bf16_table},
    {"avx512", [](const CpuFeatures& f) { return f.avx512; }, avx512_table},
    {"avx2", [](const CpuFeatures& f) { return f.avx2; }, avx2_table},
#elif defined(__aarch64__)
    {"neon", [](const CpuFeatures&) { return true; }, neon_table},
#endif
    {"generic", [](const CpuFeatures&) { return true; }, generic_table},
};

}  // namespace

std::vector<std::string> available_isas() {
  const CpuFeatures features = detect_cpu_features();
  std::vector<std::string> names;
  for (const Entry& entry : kEntries)
    if (entry.supported(features)) names.emplace_back(entry.name);
  return names;
}

const KernelTable& kernel_table(std::string_view isa) {
  const CpuFeatures features = detect_cpu_features();
  bool known = false;
  for (const Entry& entry : kEntries) {
    if (!isa.empty() && entry.name != isa) continue;
    known = true;
    if (entry.supported(features)) return entry.table();
  }
  std::string names;
  for (const std::string& name : available_isas()) names += (names.empty() ? "" : ", ") + name;
  fail(ErrorCode::kInvalidInput, "instruction set '{}' {}; this machine can run: {}", isa,
       known ? "is not available here" : "is unknown", names);
}

}  // namespace hadal
