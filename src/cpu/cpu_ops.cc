#include "cpu/cpu_ops.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "cpu/rows.h"
#include "cpu/tile.h"
#include "ops/angles.h"

namespace hadal {
namespace {

constexpr int kMaxThreads = 512;
// Less work than this is done before a sleeping thread is up.
constexpr int64_t kMinWork = 1 << 15;

int checked_threads(int threads) {
  if (threads < 0 || threads > kMaxThreads)
    fail(ErrorCode::kInvalidInput, "{} threads: expected 1 to {}, or 0 for all CPUs", threads, kMaxThreads);
  return threads;
}

constexpr int64_t kNeverWide = std::numeric_limits<int64_t>::max();

// Whether floats are multiplied clearly faster than pairs of bf16: they are where vdpbf16ps takes four times
// as long as an FMA. Microseconds.
bool faster_wide(const KernelTable& kernels) {
  const auto rate = [](const PeakKernel& kernel) {
    using Clock = std::chrono::steady_clock;
    constexpr int64_t kRounds = 200;
    std::chrono::duration<double> best{1};
    for (int i = 0; i < 5; ++i) {
      const auto start = Clock::now();
      volatile float result = kernel.run(kRounds);
      static_cast<void>(result);
      best = std::min<std::chrono::duration<double>>(best, Clock::now() - start);
    }
    return static_cast<double>(kRounds * kernel.flops) / best.count();
  };
  return rate(kernels.peak_wide) > 1.2 * rate(kernels.peak);
}

void check_rows(const View& out, const View& x) {
  HADAL_CHECK(is_activation(out) && is_activation(x) && out.rows() == x.rows() && out.last() == x.last(),
              "[{}, {}] from [{}, {}]", out.rows(), out.last(), x.rows(), x.last());
}

}  // namespace

CpuOps::CpuOps(const CpuOptions& options)
    : kernels_(kernel_table(options.isa)),
      wide_tokens_(options.wide_tokens > 0 ? options.wide_tokens
                   : faster_wide(kernels_) ? 2
                                           : kNeverWide),
      pool_(checked_threads(options.threads)),
      workers_(static_cast<size_t>(pool_.size())) {}

int64_t CpuOps::scratch_bytes() const {
  int64_t total = prepared_.size() + pointers_.size() + shared_.size();
  for (const Worker& worker : workers_)
    for (const Scratch& slot : worker.slot) total += slot.size();
  for (const auto& inputs : expert_inputs_)
    for (const Scratch& input : inputs) total += input.size();
  return total;
}

KernelInput CpuOps::kernel_input(bool bf16, int64_t tokens) const {
  if (!bf16) return KernelInput::kF32;
  return tokens >= wide_tokens_ ? KernelInput::kWideBF16 : KernelInput::kBF16;
}

void CpuOps::each(int64_t n, int64_t cost, Body body) {
  if (n == 0) return;
  cost = std::max<int64_t>(cost, 1);
  // At least the smallest piece worth a hand-over, at most what leaves every thread a few pieces.
  const int64_t smallest = (kMinWork + cost - 1) / cost;
  const int64_t even = n / (int64_t{4} * pool_.size());
  pool_.parallel_for(n, std::max<int64_t>({1, smallest, even}), body);
}

void CpuOps::embed(View out, const Weight& table, View ids) {
  HADAL_CHECK(out.rank == 3 && is_activation(out) && ids.dtype == DType::kI32 && out.dim[0] == ids.dim[0] &&
              out.dim[2] == table.in && !table.quantised());
  check_weight(table);
  const Rows to(out), from(table.data);
  const int64_t copies = out.dim[1], n = table.in;
  each(out.dim[0], copies * n, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const int32_t id = ids.as<const int32_t>()[t];
      HADAL_CHECK(id >= 0 && id < table.out, "token id {} of {}", id, table.out);
      for (int64_t m = 0; m < copies; ++m) kernels_.convert(to.row(t * copies + m), from.in(id), n);
    }
  });
}

void CpuOps::rms_norm(View out, View x, View gain, float eps) {
  check_rows(out, x);
  HADAL_CHECK(is_activation(gain) && gain.dense() && gain.elements() == x.last());
  const Rows to(out), from(x);
  const ConstRow factors{gain.data, gain.dtype == DType::kBF16};
  const int64_t n = x.last();
  each(from.count(), 4 * n, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) kernels_.rms_norm(to.row(i), from.in(i), factors, n, eps);
  });
}

void CpuOps::head_norm(View x, float eps) {
  HADAL_CHECK(is_activation(x));
  const Rows rows(x);
  const int64_t n = x.last();
  each(rows.count(), 4 * n, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) kernels_.head_norm(rows.row(i), n, eps);
  });
}

void CpuOps::rope_angles(View out, View pos, View freqs) {
  HADAL_CHECK(out.rank == 3 && out.dtype == DType::kF32 && out.dim[0] == pos.dim[0] &&
              out.dim[1] == freqs.dim[0] && out.dim[2] == 2 && out.dense() && pos.dtype == DType::kI64 &&
              freqs.dtype == DType::kF32);
  const int64_t pairs = out.dim[1];
  each(out.dim[0], 64 * pairs, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = out.row<float>(t);
      const float position = static_cast<float>(pos.as<const int64_t>()[t]);
      for (int64_t i = 0; i < pairs; ++i) {
        const CosSin angle = cos_sin(position * freqs.as<const float>()[i]);
        row[2 * i] = angle.cos;
        row[2 * i + 1] = angle.sin;
      }
    }
  });
}

void CpuOps::rope(View x, View angles, Direction direction) {
  const int64_t pairs = angles.dim[1], n = x.last();
  HADAL_CHECK(is_activation(x) && angles.rank == 3 && angles.dtype == DType::kF32 && angles.dim[2] == 2 &&
              x.dim[0] == angles.dim[0] && 2 * pairs <= n && angles.stride[1] == 8);
  const Rows rows(x);
  const int64_t heads = x.dim[0] == 0 ? 0 : rows.count() / x.dim[0];
  each(rows.count(), 4 * pairs, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.rope(rows.row(i), n, angles.row<const float>(i / heads), pairs,
                    direction == Direction::kInverse);
  });
}

void CpuOps::fake_quant(View out, View x, QuantSim sim) {
  check_rows(out, x);
  const Rows to(out), from(x);
  const int64_t n = x.last();
  each(from.count(), 8 * n, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.fake_quant(to.row(i), from.in(i), n, static_cast<KernelQuant>(sim));
  });
}

void CpuOps::hadamard(View x) {
  const int64_t n = x.last();
  HADAL_CHECK(is_activation(x) && n > 0 && (n & (n - 1)) == 0, "Hadamard of {}", n);
  const Rows rows(x);
  const float factor = static_cast<float>(1.0 / std::sqrt(static_cast<double>(n)));
  each(rows.count(), 8 * n, [&](int64_t begin, int64_t end, int worker) {
    float* scratch = workers_[static_cast<size_t>(worker)].slot[0].get<float>(n + 16);
    for (int64_t i = begin; i < end; ++i) kernels_.hadamard(rows.row(i), n, factor, scratch);
  });
}

void CpuOps::scale(View x, float factor) {
  HADAL_CHECK(is_activation(x));
  const Rows rows(x);
  const int64_t n = x.last();
  each(rows.count(), n, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) kernels_.scale(rows.row(i), n, factor);
  });
}

void CpuOps::add_broadcast(View out, View a, View b) {
  check_rows(out, a);
  HADAL_CHECK(a.rank == 3 && b.rank == 2 && is_activation(b) && a.dim[0] == b.dim[0] && a.dim[2] == b.dim[1]);
  const Rows to(out), left(a), right(b);
  const int64_t copies = a.dim[1], n = a.dim[2];
  each(left.count(), 2 * n, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) kernels_.add(to.row(i), left.in(i), right.in(i / copies), n);
  });
}

void CpuOps::gather_rows(View out, View x, View rows) {
  HADAL_CHECK(out.dtype == x.dtype && rows.dtype == DType::kI32 && out.rank == x.rank &&
              out.dim[0] == rows.dim[0]);
  for (int axis = 1; axis < x.rank; ++axis) HADAL_CHECK(out.dim[axis] == x.dim[axis]);
  const Rows to(out), from(x);
  const int64_t inner = x.dim[0] == 0 ? 0 : from.count() / x.dim[0];
  const size_t bytes = static_cast<size_t>(x.last() * dtype_bytes(x.dtype));
  each(out.dim[0], inner * x.last() / 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int32_t source = rows.as<const int32_t>()[i];
      HADAL_CHECK(source >= 0 && source < x.dim[0], "row {} of {}", source, x.dim[0]);
      for (int64_t j = 0; j < inner; ++j)
        std::memcpy(to.at(i * inner + j), from.at(source * inner + j), bytes);
    }
  });
}

}  // namespace hadal
