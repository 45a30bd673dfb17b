#include "model/tail_record.h"

#include <algorithm>
#include <cstring>

namespace hadal {
namespace {

// Visits every piece of a record in order: a run of `count` rows of `bytes` each, of which the first `used`
// belong to positions first, first + 1, ...; row(position) is where such a row lies in a state.
template <class Visit>
void for_each_run(const SequenceState& state, int64_t length, int64_t mtp_length, const Visit& visit) {
  const StateLayout& layout = state.layout();
  const int64_t window = std::min(length, layout.window);
  const auto carry = [&](const StateLayout::Carry& c) {
    if (c.ratio == 0) return;
    const int64_t first = c.first_needed(length);
    for (const View& rows : {state.carry_kv(c), state.carry_score(c)})
      visit(first, length - first, length - first, c.row_bytes(),
            [&](int64_t p) { return reinterpret_cast<std::byte*>(rows.row<float>(p % c.capacity)); });
  };
  for (size_t i = 0; i < layout.layers.size(); ++i) {
    const bool mtp = layout.has_mtp && i + 1 == layout.layers.size();
    const int64_t end = mtp ? mtp_length : length;
    const RowRing ring = state.window(static_cast<int>(i));
    const int64_t used = std::min(window, end);
    visit(end - used, used, window, ring.row_bytes, [&](int64_t p) { return ring.row(p); });
    carry(layout.layers[i].main);
    carry(layout.layers[i].index);
  }
  if (layout.has_mtp && length > 0)
    visit(length - 1, 1, 1, layout.stream_row_bytes, [&](int64_t p) { return state.stream(p); });
}

int64_t carry_bytes(const StateLayout::Carry& carry, int64_t length) {
  return carry.ratio == 0 ? 0 : 2 * (length - carry.first_needed(length)) * carry.row_bytes();
}

}  // namespace

int64_t tail_bytes(const StateLayout& layout, int64_t length) {
  int64_t bytes = length > 0 ? layout.stream_row_bytes : 0;
  for (const StateLayout::Layer& layer : layout.layers)
    bytes += std::min(length, layout.window) * layout.kv_row.bytes() + carry_bytes(layer.main, length) +
             carry_bytes(layer.index, length);
  return bytes;
}

int64_t tail_mtp_length(const SequenceState& state, int64_t length) {
  return std::min(state.mtp_length(), std::max<int64_t>(length - 1, 0));
}

void pack_tail(const SequenceState& state, int64_t length, std::span<std::byte> out) {
  HADAL_CHECK(static_cast<int64_t>(out.size()) == tail_bytes(state.layout(), length));
  std::byte* at = out.data();
  for_each_run(state, length, tail_mtp_length(state, length),
               [&](int64_t first, int64_t used, int64_t count, int64_t bytes, const auto& row) {
                 for (int64_t i = 0; i < used; ++i)
                   std::memcpy(at + i * bytes, row(first + i), static_cast<size_t>(bytes));
                 std::fill(at + used * bytes, at + count * bytes, std::byte{});
                 at += count * bytes;
               });
}

void unpack_tail(std::span<const std::byte> record, int64_t length, int64_t mtp_length,
                 const SequenceState& state) {
  HADAL_CHECK(static_cast<int64_t>(record.size()) == tail_bytes(state.layout(), length));
  const std::byte* at = record.data();
  for_each_run(state, length, mtp_length,
               [&](int64_t first, int64_t used, int64_t count, int64_t bytes, const auto& row) {
                 for (int64_t i = 0; i < used; ++i)
                   std::memcpy(row(first + i), at + i * bytes, static_cast<size_t>(bytes));
                 at += count * bytes;
               });
}

}  // namespace hadal
