// A backend that fails in the middle of a forward pass whenever one token is in the batch.
#pragma once

#include <algorithm>

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "support/forwarding_ops.h"

namespace hadal::test {

class FaultyOps : public ForwardingOps<CpuOps> {
 public:
  explicit FaultyOps(int32_t id) : ForwardingOps(CpuOptions{1, ""}), id_(id) {}

  void embed(View out, const Weight& table, View ids) override {
    const auto* begin = reinterpret_cast<const int32_t*>(ids.data);
    faulty_ = std::count(begin, begin + ids.dim[0], id_) > 0;
    layers_ = 0;
    ops_.embed(out, table, ids);
  }
  void expert_ffn(const ExpertArgs& args) override {
    if (faulty_ && ++layers_ == 2) fail(ErrorCode::kInvalidFile, "expert 3 has bad scales");
    ops_.expert_ffn(args);
  }

 private:
  int32_t id_;
  bool faulty_ = false;
  int layers_ = 0;
};

}  // namespace hadal::test
