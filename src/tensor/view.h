// A non-owning, trivially copyable window on tensor bytes: what every op takes. Logical dimensions outermost
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "base/check.h"
#include "tensor/dtype.h"

namespace hadal {

// Up to four dimensions. Values are counts of elements.
struct Shape {
  int rank = 0;
  int64_t dim[4] = {1, 1, 1, 1};

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    HADAL_CHECK(dims.size() <= 4);
    for (const int64_t d : dims) dim[rank++] = d;
  }
  int64_t elements() const { return dim[0] * dim[1] * dim[2] * dim[3]; }
};

// stride[] in bytes; the innermost dimension is always dense. Does not own its bytes: whoever made the
// storage (a mapped checkpoint, an arena, a state) outlives the view.
struct View {
  std::byte* data = nullptr;
  DType dtype = DType::kF32;
  int rank = 0;
  int64_t dim[4] = {1, 1, 1, 1};
  int64_t stride[4] = {0, 0, 0, 0};

  View() = default;
  View(void* bytes, DType type, const Shape& shape)
      : data(static_cast<std::byte*>(bytes)), dtype(type), rank(shape.rank) {
    int64_t step = dtype_bytes(type);
    for (int axis = 3; axis >= 0; --axis) {
      dim[axis] = shape.dim[axis];
      stride[axis] = step;
      step *= shape.dim[axis];
    }
  }

  bool empty() const { return data == nullptr; }
  int64_t elements() const { return dim[0] * dim[1] * dim[2] * dim[3]; }
  bool dense() const {
    int64_t step = dtype_bytes(dtype);
    for (int axis = rank - 1; axis >= 0; --axis) {
      if (dim[axis] != 1 && stride[axis] != step) return false;
      step *= dim[axis];
    }
    return true;
  }
  int64_t last() const { return rank == 0 ? 1 : dim[rank - 1]; }  // the innermost count
  int64_t rows() const { return last() == 0 ? 0 : elements() / last(); }

  // Elements [from, from + n) of one axis; shares the bytes.
  View slice(int axis, int64_t from, int64_t n) const {
    HADAL_CHECK(axis < rank && from >= 0 && n >= 0 && from + n <= dim[axis], "slice {}+{} of {}", from, n,
                dim[axis]);
    View out = *this;
    out.data += from * stride[axis];
    out.dim[axis] = n;
    return out;
  }
  // The same dense bytes under another shape.
  View reshape(const Shape& shape) const {
    HADAL_CHECK(dense() && shape.elements() == elements(), "reshape of {} elements to {}", elements(),
                shape.elements());
    return View(data, dtype, shape);
  }

  template <class T>
  T* as() const {
    HADAL_DCHECK(static_cast<int>(sizeof(T)) == dtype_bytes(dtype));
    return reinterpret_cast<T*>(data);
  }
  // First element of row i of the leading dimension.
  template <class T>
  T* row(int64_t i) const {
    HADAL_DCHECK(i >= 0 && i < dim[0]);
    return reinterpret_cast<T*>(data + i * stride[0]);
  }
};

}  // namespace hadal
