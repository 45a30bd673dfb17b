#include "cpu/op_case.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/format.h"

namespace hadal {

// A 64-bit mixer over a counter.
uint64_t OpCase::random() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

float OpCase::number(Spread spread) {
  const auto unit = [&] { return static_cast<float>(random() >> 40) * 0x1p-24f; };
  const float normal = (unit() + unit() + unit() + unit() - 2.0f) * 1.7320508f;
  const float sign = (random() & 1) != 0 ? -1.0f : 1.0f;
  switch (spread) {
    case Spread::kNormal:
      return normal;
    case Spread::kWide:
      if (below(16) == 0) return sign * 0.0f;
      return sign * std::ldexp(1.0f + unit(), static_cast<int>(below(81)) - 40);
    case Spread::kTiny:
      return sign * std::ldexp(1.0f + unit(), -static_cast<int>(below(16)) - 56);
    case Spread::kSpecial: {
      constexpr float kSpecials[] = {std::numeric_limits<float>::quiet_NaN(),
                                     std::numeric_limits<float>::infinity(),
                                     std::numeric_limits<float>::max(),
                                     0x1p-130f,
                                     0x1p-126f,
                                     0.0f};
      if (below(24) != 0) return normal;
      return sign * kSpecials[below(6)];
    }
  }
  return 0;
}

std::byte* OpCase::owned(int64_t n) {
  storage_.emplace_back(n);
  return storage_.back().data();
}

View OpCase::gapped(DType dtype, const Shape& shape, int64_t gap) {
  View view(nullptr, dtype, shape);
  if (gap > 0 && shape.rank >= 2) {
    int64_t step = (shape.dim[shape.rank - 1] + gap) * dtype_bytes(dtype);
    for (int axis = shape.rank - 2; axis >= 0; --axis) {
      view.stride[axis] = step;
      // Uneven at the second border too, so that rows of different planes are no single sequence.
      step = step * shape.dim[axis] + gap * dtype_bytes(dtype);
    }
  }
  const int64_t outer = shape.rank == 0 ? dtype_bytes(dtype) : view.stride[0] * shape.dim[0];
  view.data = owned(outer);
  return view;
}

namespace {

// Calls f with the address of every row of the last dimension.
template <class F>
void for_rows(const View& view, F f) {
  for (int64_t i = 0; i < view.rows(); ++i) {
    int64_t index = i;
    std::byte* at = view.data;
    for (int axis = view.rank - 2; axis >= 0; --axis) {
      at += index % view.dim[axis] * view.stride[axis];
      index /= view.dim[axis];
    }
    f(at);
  }
}

}  // namespace

View OpCase::tensor(DType dtype, const Shape& shape, Spread spread, int64_t gap) {
  HADAL_CHECK(dtype == DType::kF32 || dtype == DType::kBF16);
  const View view = gapped(dtype, shape, gap);
  for_rows(view, [&](std::byte* row) {
    for (int64_t i = 0; i < view.last(); ++i) {
      const float value = number(spread);
      if (dtype == DType::kF32)
        reinterpret_cast<float*>(row)[i] = value;
      else
        reinterpret_cast<bf16*>(row)[i] = to_bf16(value);
    }
  });
  return view;
}

View OpCase::output(const std::string& name, DType dtype, const Shape& shape, int64_t gap) {
  const View view = gapped(dtype, shape, gap);
  const int64_t n = storage_.back().bytes();
  std::memset(view.data, 0x5a, static_cast<size_t>(n));
  outputs_.push_back({name, dtype, view.data, n});
  return view;
}

View OpCase::inout(const std::string& name, View view) {
  for (const Storage& storage : storage_)
    if (storage.data() == view.data) outputs_.push_back({name, view.dtype, view.data, storage.bytes()});
  return view;
}

View OpCase::integers(DType dtype, const Shape& shape, int64_t from, int64_t to) {
  const View view = gapped(dtype, shape, 0);
  for (int64_t i = 0; i < view.elements(); ++i) {
    const int64_t value = from + below(to - from);
    if (dtype == DType::kI64)
      view.as<int64_t>()[i] = value;
    else
      view.as<int32_t>()[i] = static_cast<int32_t>(value);
  }
  return view;
}

std::byte* OpCase::bytes(int64_t n) {
  return owned(n);
}

std::byte* OpCase::output_bytes(const std::string& name, int64_t n) {
  std::byte* data = owned(n);
  std::memset(data, 0x5a, static_cast<size_t>(n));
  outputs_.push_back({name, DType::kI8, data, n});
  return data;
}

Weight OpCase::weight(WeightFormat format, int64_t out, int64_t in, bool wide, int64_t gap) {
  Weight w;
  w.format = format;
  w.out = out;
  w.in = in;
  const Spread spread = wide ? Spread::kWide : Spread::kNormal;
  const auto codes = [&](DType dtype, int64_t columns) {
    const View view = gapped(dtype, {out, columns}, gap);
    for_rows(view, [&](std::byte* row) {
      for (int64_t i = 0; i < columns; ++i) {
        auto code = static_cast<uint8_t>(random() >> 16);
        if (dtype == DType::kF8E4M3 && (code & 0x7f) == 0x7f) code = static_cast<uint8_t>(code ^ 1);
        row[i] = std::byte{code};
      }
    });
    return view;
  };
  const auto scales = [&](int64_t rows, int64_t columns, int64_t low, int64_t high) {
    const View view = gapped(DType::kF8E8M0, {rows, columns}, 0);
    for (int64_t i = 0; i < rows * columns; ++i)
      view.data[i] = std::byte(static_cast<uint8_t>(wide ? low + below(high - low + 1) : 122 + below(8)));
    return view;
  };
  switch (format) {
    case WeightFormat::kF32:
      w.data = tensor(DType::kF32, {out, in}, spread, gap);
      break;
    case WeightFormat::kBF16:
      w.data = tensor(DType::kBF16, {out, in}, spread, gap);
      break;
    case WeightFormat::kFP8:
      w.data = codes(DType::kF8E4M3, in);
      w.scale = scales((out + 127) / 128, (in + 127) / 128, 1, 254);
      break;
    case WeightFormat::kFP4:
      w.data = codes(DType::kI8, in / 2);
      w.scale = scales(out, in / 32, 2, 252);
      break;
  }
  return w;
}

std::optional<std::string> OpCase::compare(const OpCase& expected, const OpCase& got) {
  HADAL_CHECK(expected.outputs_.size() == got.outputs_.size());
  for (size_t o = 0; o < expected.outputs_.size(); ++o) {
    const Recorded &a = expected.outputs_[o], &b = got.outputs_[o];
    HADAL_CHECK(a.name == b.name && a.bytes == b.bytes && a.dtype == b.dtype);
    const int size = dtype_bytes(a.dtype);
    for (int64_t i = 0; i < a.bytes / size; ++i) {
      if (std::memcmp(a.data + i * size, b.data + i * size, static_cast<size_t>(size)) == 0) continue;
      float x = 0, y = 0;
      if (a.dtype == DType::kF32) {
        x = reinterpret_cast<const float*>(a.data)[i];
        y = reinterpret_cast<const float*>(b.data)[i];
      } else if (a.dtype == DType::kBF16) {
        x = to_float(reinterpret_cast<const bf16*>(a.data)[i]);
        y = to_float(reinterpret_cast<const bf16*>(b.data)[i]);
      } else {
        int64_t u = 0, v = 0;
        std::memcpy(&u, a.data + i * size, static_cast<size_t>(size));
        std::memcpy(&v, b.data + i * size, static_cast<size_t>(size));
        return fmt::format("{}: element {} is {} and should be {}", a.name, i, v, u);
      }
      if (std::isnan(x) && std::isnan(y)) continue;
      return fmt::format("{}: element {} is {:a} ({}) and should be {:a} ({})", a.name, i, y, y, x, x);
    }
  }
  return std::nullopt;
}

}  // namespace hadal
