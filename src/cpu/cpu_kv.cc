// Compressors and packed rows of the state (spec/model.md sections 5 and 10.1).
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"
#include "tensor/format.h"

namespace hadal {
namespace {

constexpr int64_t kPoolChannels = 64;  // channels of an entry that one task pools

// Scale of a block of a packed row: a power of two.
float block_scale(const float* x, int n, bool fp4) {
  float amax = fp4 ? 6 * 0x1p-126f : 1e-4f;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > amax) amax = std::fabs(x[i]);
  return pow2ceil(amax * (fp4 ? 1.0f / 6.0f : 1.0f / 448.0f));
}

uint8_t scale_code(float scale) {
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(scale) >> 23);
}

}  // namespace

void CpuOps::compress(const CompressArgs& args) {
  HADAL_CHECK(args.ratio > 0 && args.dim > 0 && args.pos >= 0);
  const int64_t n = args.kv.dim[0], width = int64_t{args.dim} * (args.overlap ? 2 : 1);
  const int64_t capacity = args.carry_kv.dim[0], ratio = args.ratio, pos = args.pos;
  const int64_t first = pos / ratio, last = (pos + n) / ratio;
  for (const View* view : {&args.kv, &args.score, &args.ape, &args.carry_kv, &args.carry_score})
    HADAL_CHECK(view->rank == 2 && view->dtype == DType::kF32 && view->dim[1] == width, "rows of {}",
                view->dim[1]);
  HADAL_CHECK(args.score.dim[0] == n && args.ape.dim[0] == ratio && args.carry_score.dim[0] == capacity &&
                  capacity >= ratio * (args.overlap ? 2 : 1),
              "carry of {} rows", capacity);
  HADAL_CHECK(args.out.dim[0] == last - first);
  if (last > first) HADAL_CHECK(is_activation(args.out) && args.out.last() == args.dim);

  const int64_t items = ratio * (args.overlap ? 2 : 1);
  const int64_t parts = (args.dim + kPoolChannels - 1) / kPoolChannels;
  const Rows out(args.out);
  each((last - first) * parts, items * kPoolChannels * 32, [&](int64_t begin, int64_t end, int worker) {
    Worker& mine = workers_[static_cast<size_t>(worker)];
    auto** score = mine.slot[0].get<const float*>(3 * items);
    const float **bias = score + items, **kv = score + 2 * items;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t entry = first + task / parts, channel = task % parts * kPoolChannels;
      int64_t count = 0;
      const auto add = [&](int64_t p, int64_t at) {
        const bool fresh = p >= pos;
        score[count] =
            (fresh ? args.score.row<const float>(p - pos) : args.carry_score.row<const float>(p % capacity)) +
            at;
        kv[count] =
            (fresh ? args.kv.row<const float>(p - pos) : args.carry_kv.row<const float>(p % capacity)) + at;
        bias[count] = fresh ? args.ape.row<const float>(p % ratio) + at : nullptr;
        ++count;
      };
      // The earlier window gives the first half of its channels, the current one the second.
      if (args.overlap && entry >= 1)
        for (int64_t p = (entry - 1) * ratio; p < entry * ratio; ++p) add(p, channel);
      for (int64_t p = entry * ratio; p < (entry + 1) * ratio; ++p)
        add(p, channel + (args.overlap ? args.dim : 0));
      float pooled[kPoolChannels];
      const int64_t channels = std::min<int64_t>(kPoolChannels, args.dim - channel);
      kernels_.pool({pooled, score, bias, kv, count, channels});
      const MutRow row = out.row(entry - first);
      kernels_.convert({row.data + channel * (row.bf16 ? 2 : 4), row.bf16},
                       {reinterpret_cast<const std::byte*>(pooled), false}, channels);
    }
  });

  const int64_t kept = std::min(n, capacity);
  each(kept, width, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t p = pos + n - kept + i;
      std::memcpy(args.carry_kv.row<float>(p % capacity), args.kv.row<const float>(p - pos),
                  static_cast<size_t>(width) * sizeof(float));
      kernels_.add({reinterpret_cast<std::byte*>(args.carry_score.row<float>(p % capacity)), false},
                   {reinterpret_cast<const std::byte*>(args.score.row<const float>(p - pos)), false},
                   {reinterpret_cast<const std::byte*>(args.ape.row<const float>(p % ratio)), false}, width);
    }
  });
}

void CpuOps::pack_row(std::byte* out, ConstRow row, const RowLayout& layout, Worker& worker) {
  const int dim = layout.dim, nope = dim - layout.rope_dim;
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  auto* x = worker.slot[0].get<float>(dim);
  kernels_.convert({reinterpret_cast<std::byte*>(x), false}, row, dim);
  switch (layout.format) {
    case RowFormat::kF32:
      std::memcpy(out, x, static_cast<size_t>(dim) * sizeof(float));
      break;
    case RowFormat::kPackedKv: {
      uint8_t* scales = bytes + nope + 2 * layout.rope_dim;
      std::memset(scales, 0, static_cast<size_t>(layout.bytes() - (scales - bytes)));
      for (int from = 0; from < nope; from += 64) {
        const int n = std::min(64, nope - from);
        const float scale = block_scale(x + from, n, false), inverse = 1.0f / scale;
        for (int i = 0; i < n; ++i) bytes[from + i] = encode_e4m3(x[from + i] * inverse);
        scales[from / 64] = scale_code(scale);
      }
      for (int i = 0; i < layout.rope_dim; ++i) {
        const bf16 rounded = to_bf16(x[nope + i]);
        std::memcpy(bytes + nope + 2 * i, &rounded, sizeof rounded);
      }
      break;
    }
    case RowFormat::kPackedIndex:
      for (int from = 0; from < dim; from += 32) {
        const float scale = block_scale(x + from, 32, true), inverse = 1.0f / scale;
        for (int i = from; i < from + 32; i += 2)
          bytes[i / 2] =
              static_cast<uint8_t>(encode_e2m1(x[i] * inverse) | encode_e2m1(x[i + 1] * inverse) << 4);
        bytes[dim / 2 + from / 32] = scale_code(scale);
      }
      break;
  }
}

void CpuOps::pack_rows(std::byte* out, View rows, const RowLayout& layout) {
  check_layout(layout);
  HADAL_CHECK(is_activation(rows) && rows.last() == layout.dim);
  const Rows from(rows);
  each(from.count(), int64_t{16} * layout.dim, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i)
      pack_row(out + i * layout.bytes(), from.in(i), layout, workers_[static_cast<size_t>(worker)]);
  });
}

void CpuOps::append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) {
  check_layout(layout);
  HADAL_CHECK(is_activation(rows) && (rows.rows() == 0 || rows.last() == layout.dim) && first >= 0 &&
              table.row_bytes >= layout.bytes() && table.rows_per_block > 0);
  const Rows from(rows);
  each(from.count(), int64_t{16} * layout.dim, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i)
      pack_row(table.row(first + i), from.in(i), layout, workers_[static_cast<size_t>(worker)]);
  });
}

void CpuOps::ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) {
  HADAL_CHECK(ring.capacity > 0 && ring.row_bytes > 0 && pos >= 0 && n >= 0);
  for (int64_t i = std::max<int64_t>(0, n - ring.capacity); i < n; ++i)
    std::memcpy(ring.row(pos + i), rows + i * ring.row_bytes, static_cast<size_t>(ring.row_bytes));
}

}  // namespace hadal
