// A view of any rank as a list of its innermost rows.
#pragma once

#include "cpu/kernel_table.h"
#include "tensor/view.h"

namespace hadal {

inline bool is_activation(const View& x) {
  return x.dtype == DType::kBF16 || x.dtype == DType::kF32;
}

// Row i counts over all leading dimensions. Borrows the view's bytes.
class Rows {
 public:
  explicit Rows(const View& x) : data_(x.data), bf16_(x.dtype == DType::kBF16) {
    HADAL_CHECK(x.rank >= 1 && (x.dim[x.rank - 1] <= 1 || x.stride[x.rank - 1] == dtype_bytes(x.dtype)),
                "a row that is not dense");
    count_ = x.rows();
    if (x.rank >= 2) {
      inner_ = x.dim[x.rank - 2];
      stride_ = x.stride[x.rank - 2];
    }
    if (x.rank >= 3) {
      middle_ = x.dim[x.rank - 3];
      middle_stride_ = x.stride[x.rank - 3];
    }
    if (x.rank >= 4) outer_stride_ = x.stride[x.rank - 4];
    uniform_ = x.rank <= 2 || (middle_stride_ == inner_ * stride_ &&
                               (x.rank <= 3 || outer_stride_ == middle_ * middle_stride_));
  }

  int64_t count() const { return count_; }
  bool bf16() const { return bf16_; }
  std::byte* at(int64_t i) const {
    if (uniform_) return data_ + i * stride_;
    const int64_t outer = i / inner_;
    return data_ + i % inner_ * stride_ + outer % middle_ * middle_stride_ + outer / middle_ * outer_stride_;
  }
  MutRow row(int64_t i) const { return {at(i), bf16_}; }
  ConstRow in(int64_t i) const { return {at(i), bf16_}; }

 private:
  std::byte* data_;
  bool bf16_;
  bool uniform_ = true;
  int64_t count_ = 0;
  int64_t inner_ = 1, stride_ = 0, middle_ = 1, middle_stride_ = 0, outer_stride_ = 0;
};

}  // namespace hadal
