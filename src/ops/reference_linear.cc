// Embedding, linear layers, norms, RoPE and roundings of the reference.
#include <cmath>
#include <cstring>

#include "base/float_mode.h"
#include "ops/angles.h"
#include "ops/reference_ops.h"
#include "ops/scalar.h"
#include "tensor/format.h"

namespace hadal {

using namespace scalar;

void ReferenceOps::embed(View out, const Weight& table, View ids) {
  const ScopedFloatMode mode;
  HADAL_CHECK(out.rank == 3 && out.dim[0] == ids.dim[0] && out.dim[2] == table.in && !table.quantised());
  for (int64_t t = 0; t < out.dim[0]; ++t) {
    const int32_t id = ids.as<const int32_t>()[t];
    HADAL_CHECK(id >= 0 && id < table.out, "token id {} of {}", id, table.out);
    const std::vector<float> values = row(table.data, id);
    for (int64_t m = 0; m < out.dim[1]; ++m) set_row(out, t * out.dim[1] + m, values);
  }
}

namespace {

// Rows [first, first + out.size()) of w times row t of x.
void linear_row(std::span<float> out, const View& x, int64_t t, const Weight& w, int64_t first) {
  const std::vector<float> input = row(x, t);
  for (size_t r = 0; r < out.size(); ++r)
    out[r] = weight_dot(input, x.dtype, w, first + static_cast<int64_t>(r));
}

}  // namespace

void ReferenceOps::matmul(View out, View x, const Weight& w) {
  const ScopedFloatMode mode;
  HADAL_CHECK(x.last() == w.in && out.last() == w.out && out.rows() == x.rows(),
              "matmul [{}, {}] by [{}, {}]", x.rows(), x.last(), w.out, w.in);
  std::vector<float> y(static_cast<size_t>(w.out));
  for (int64_t t = 0; t < x.rows(); ++t) {
    linear_row(y, x, t, w, 0);
    set_row(out, t, y);
  }
}

void ReferenceOps::grouped_matmul(View out, View x, const Weight& w) {
  const ScopedFloatMode mode;
  HADAL_CHECK(x.rank == 3 && out.rank == 3 && x.dim[2] == w.in && out.dim[1] == x.dim[1] &&
              out.dim[0] == x.dim[0] && out.dim[1] * out.dim[2] == w.out);
  std::vector<float> y(static_cast<size_t>(out.dim[2]));
  for (int64_t t = 0; t < x.rows(); ++t) {
    linear_row(y, x, t, w, t % x.dim[1] * out.dim[2]);
    set_row(out, t, y);
  }
}

void ReferenceOps::rms_norm(View out, View x, View gain, float eps) {
  const ScopedFloatMode mode;
  HADAL_CHECK(out.rows() == x.rows() && out.last() == x.last() && gain.elements() == x.last());
  for (int64_t t = 0; t < x.rows(); ++t) {
    std::vector<float> v = row(x, t);
    const float inverse = 1.0f / std::sqrt(sum_squares(v) / static_cast<float>(v.size()) + eps);
    for (size_t i = 0; i < v.size(); ++i)
      v[i] = get(gain.data, gain.dtype, static_cast<int64_t>(i)) * (v[i] * inverse);
    set_row(out, t, v);
  }
}

void ReferenceOps::head_norm(View x, float eps) {
  const ScopedFloatMode mode;
  for (int64_t t = 0; t < x.rows(); ++t) {
    std::vector<float> v = row(x, t);
    const float n = static_cast<float>(v.size());
    float inverse;
    if (x.dtype == DType::kBF16) {
      std::vector<float> squares(v.size());
      for (size_t i = 0; i < v.size(); ++i) squares[i] = round_bf16(v[i] * v[i]);
      const float mean = round_bf16(round_bf16(sum(squares) / n) + eps);
      inverse = round_bf16(1.0f / std::sqrt(mean));
    } else {
      inverse = 1.0f / std::sqrt(sum_squares(v) / n + eps);
    }
    for (float& value : v) value = value * inverse;
    set_row(x, t, v);
  }
}

void ReferenceOps::rope_angles(View out, View pos, View freqs) {
  const ScopedFloatMode mode;
  HADAL_CHECK(out.rank == 3 && out.dim[0] == pos.dim[0] && out.dim[1] == freqs.dim[0] && out.dim[2] == 2);
  for (int64_t t = 0; t < out.dim[0]; ++t)
    for (int64_t i = 0; i < out.dim[1]; ++i) {
      const CosSin cs = cos_sin(static_cast<float>(pos.as<const int64_t>()[t]) * freqs.as<const float>()[i]);
      out.row<float>(t)[2 * i] = cs.cos;
      out.row<float>(t)[2 * i + 1] = cs.sin;
    }
}

void ReferenceOps::rope(View x, View angles, Direction direction) {
  const ScopedFloatMode mode;
  const int64_t pairs = angles.dim[1];
  HADAL_CHECK(x.dim[0] == angles.dim[0] && 2 * pairs <= x.last());
  const int64_t heads = x.dim[0] == 0 ? 0 : x.rows() / x.dim[0];
  for (int64_t t = 0; t < x.rows(); ++t) {
    const float* cs = angles.row<const float>(t / heads);
    std::vector<float> v = row(x, t);
    float* pair = v.data() + v.size() - 2 * pairs;
    for (int64_t i = 0; i < pairs; ++i, pair += 2) {
      const float c = cs[2 * i], s = direction == Direction::kForward ? cs[2 * i + 1] : -cs[2 * i + 1];
      const float a = pair[0], b = pair[1];
      pair[0] = a * c - b * s;
      pair[1] = a * s + b * c;
    }
    set_row(x, t, v);
  }
}

void ReferenceOps::fake_quant(View out, View x, QuantSim sim) {
  const ScopedFloatMode mode;
  HADAL_CHECK(out.rows() == x.rows() && out.last() == x.last());
  for (int64_t t = 0; t < x.rows(); ++t) {
    std::vector<float> v = row(x, t);
    scalar::fake_quant(v, sim);
    set_row(out, t, v);
  }
}

void ReferenceOps::hadamard(View x) {
  const ScopedFloatMode mode;
  const size_t n = static_cast<size_t>(x.last());
  HADAL_CHECK(std::has_single_bit(n));
  const float factor = static_cast<float>(1.0 / std::sqrt(static_cast<double>(n)));
  for (int64_t t = 0; t < x.rows(); ++t) {
    std::vector<float> v = row(x, t);
    for (size_t stride = 1; stride < n; stride *= 2)
      for (size_t i = 0; i < n; ++i)
        if ((i & stride) == 0) {
          const float a = v[i], b = v[i + stride];
          v[i] = a + b;
          v[i + stride] = a - b;
        }
    for (float& value : v) value *= factor;
    set_row(x, t, v);
  }
}

void ReferenceOps::scale(View x, float factor) {
  const ScopedFloatMode mode;
  for (int64_t t = 0; t < x.rows(); ++t) {
    std::vector<float> v = row(x, t);
    for (float& value : v) value *= factor;
    set_row(x, t, v);
  }
}

void ReferenceOps::add_broadcast(View out, View a, View b) {
  const ScopedFloatMode mode;
  HADAL_CHECK(a.rank == 3 && b.rank == 2 && a.dim[0] == b.dim[0] && a.dim[2] == b.dim[1]);
  for (int64_t t = 0; t < a.rows(); ++t) {
    std::vector<float> v = row(a, t);
    const std::vector<float> w = row(b, t / a.dim[1]);
    for (size_t i = 0; i < v.size(); ++i) v[i] += w[i];
    set_row(out, t, v);
  }
}

void ReferenceOps::gather_rows(View out, View x, View rows) {
  HADAL_CHECK(out.dtype == x.dtype && out.dim[0] == rows.dim[0]);
  const int64_t inner = x.dim[0] == 0 ? 0 : x.rows() / x.dim[0];
  for (int64_t i = 0; i < out.dim[0]; ++i) {
    const int64_t from = rows.as<const int32_t>()[i];
    HADAL_CHECK(from >= 0 && from < x.dim[0]);
    for (int64_t j = 0; j < inner; ++j)
      std::memcpy(row_address(out, i * inner + j), row_address(x, from * inner + j),
                  static_cast<size_t>(x.last() * dtype_bytes(x.dtype)));
  }
}

}  // namespace hadal
