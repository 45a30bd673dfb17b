#include "checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "base/error.h"
#include "checkpoint/header_reader.h"

namespace hadal {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and is never converted");

constexpr int64_t kMaxBytes = std::numeric_limits<int64_t>::max();

// The bytes that shape and dtype ask for; none when a dimension or the product does not fit in 63 bits.
std::optional<int64_t> shape_bytes(const std::vector<uint64_t>& shape, DType dtype) {
  // A zero makes the tensor empty, whatever the others are; they are still kept within range.
  uint64_t product = static_cast<uint64_t>(dtype_bytes(dtype));
  bool empty = false;
  for (const uint64_t dim : shape) {
    if (dim > static_cast<uint64_t>(kMaxBytes)) return std::nullopt;
    if (dim == 0)
      empty = true;
    else if (product > static_cast<uint64_t>(kMaxBytes) / dim)
      return std::nullopt;
    else
      product *= dim;
  }
  return empty ? 0 : static_cast<int64_t>(product);
}

StoredTensor check_entry(HeaderEntry& entry, int64_t data_begin, int64_t file_bytes, std::string_view file) {
  const std::string tensor = printable_name(entry.name);
  const std::optional<DType> dtype = dtype_from_name(entry.dtype);
  if (!dtype)
    fail(ErrorCode::kInvalidFile,
         "{}: tensor {}: dtype {} is not one of F32, BF16, F8_E4M3, F8_E8M0, I8, I32, I64", file, tensor,
         printable_name(entry.dtype));
  const std::optional<int64_t> bytes = shape_bytes(entry.shape, *dtype);
  if (!bytes)
    fail(ErrorCode::kInvalidFile, "{}: tensor {}: shape [{}] overflows, expected a size below 2^63 bytes",
         file, tensor, fmt::join(entry.shape, ", "));
  const uint64_t begin = entry.offsets[0], end = entry.offsets[1];
  const int64_t data_bytes = file_bytes - data_begin;
  if (begin > end)
    fail(ErrorCode::kInvalidFile, "{}: tensor {}: data_offsets [{}, {}] run backwards", file, tensor, begin,
         end);
  if (end > static_cast<uint64_t>(data_bytes))
    fail(ErrorCode::kInvalidFile,
         "{}: tensor {}: data_offsets [{}, {}] end past the {} bytes of data in the file (is it truncated?)",
         file, tensor, begin, end, data_bytes);
  if (end - begin != static_cast<uint64_t>(*bytes))
    fail(ErrorCode::kInvalidFile, "{}: tensor {}: data_offsets [{}, {}] span {} bytes, {} [{}] needs {}",
         file, tensor, begin, end, end - begin, entry.dtype, fmt::join(entry.shape, ", "), *bytes);
  StoredTensor out;
  out.name = std::move(entry.name);
  out.dtype = *dtype;
  out.shape.assign(entry.shape.begin(), entry.shape.end());
  out.begin = data_begin + static_cast<int64_t>(begin);
  out.end = data_begin + static_cast<int64_t>(end);
  return out;
}

void check_overlaps(const std::vector<StoredTensor>& tensors, int64_t data_begin, std::string_view file) {
  std::vector<const StoredTensor*> order;
  for (const StoredTensor& tensor : tensors)
    if (tensor.end > tensor.begin) order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const StoredTensor* a, const StoredTensor* b) { return a->begin < b->begin; });
  for (size_t i = 1; i < order.size(); ++i) {
    const StoredTensor &a = *order[i - 1], &b = *order[i];
    if (a.end > b.begin)
      fail(ErrorCode::kInvalidFile,
           "{}: the bytes of tensor {} [{}, {}] and of tensor {} [{}, {}] overlap, expected separate ranges",
           file, printable_name(a.name), a.begin - data_begin, a.end - data_begin, printable_name(b.name),
           b.begin - data_begin, b.end - data_begin);
  }
}

}  // namespace

std::string printable_name(std::string_view name) {
  constexpr size_t kLongest = 160;
  std::string out;
  for (const char c : name.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", byte);
  }
  if (name.size() > kLongest) out += fmt::format("... ({} bytes)", name.size());
  return out;
}

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, std::string_view name) {
  if (file.size() < 8)
    fail(ErrorCode::kInvalidFile,
         "{}: {} bytes, a safetensors file has at least 8 and a header (is it truncated?)", name,
         file.size());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), 8);
  if (header_bytes > static_cast<uint64_t>(kMaxHeaderBytes))
    fail(ErrorCode::kInvalidFile,
         "{}: the header claims {} bytes, at most {} are allowed (is this a safetensors file?)", name,
         header_bytes, kMaxHeaderBytes);
  if (header_bytes > file.size() - 8)
    fail(ErrorCode::kInvalidFile, "{}: the header claims {} bytes, the file has {} (is it truncated?)", name,
         header_bytes, file.size() - 8);
  const auto* text = reinterpret_cast<const char*>(file.data()) + 8;
  HeaderText read = read_header(std::string_view(text, header_bytes), name);

  const auto data_begin = static_cast<int64_t>(8 + header_bytes);
  SafetensorsHeader header;
  header.metadata = std::move(read.metadata);
  header.tensors.reserve(read.entries.size());
  for (HeaderEntry& entry : read.entries)
    header.tensors.push_back(check_entry(entry, data_begin, static_cast<int64_t>(file.size()), name));
  check_overlaps(header.tensors, data_begin, name);
  return header;
}

}  // namespace hadal
