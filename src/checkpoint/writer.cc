#include "checkpoint/writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "base/check.h"

namespace hadal {
namespace {

int64_t tensor_bytes(const TensorSpec& spec) {
  int64_t bytes = dtype_bytes(spec.dtype);
  for (const int64_t dim : spec.shape) {
    HADAL_CHECK(dim >= 0 && (dim == 0 || bytes <= std::numeric_limits<int64_t>::max() / dim), "{}",
                spec.name);
    bytes *= dim;
  }
  return bytes;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : tensors_(std::move(tensors)), ranges_(tensors_.size()), file_(path) {
  std::vector<size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int a_size = dtype_bytes(tensors_[a].dtype), b_size = dtype_bytes(tensors_[b].dtype);
    return a_size != b_size ? a_size > b_size : a < b;
  });

  // Written by hand: an ordered document looks for equal keys one by one, too slow for a hundred thousand
  // tensors.
  std::string text = "{";
  if (!metadata.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  std::set<std::string_view> names = {"__metadata__"};
  int64_t end = 0;
  for (const size_t index : order) {
    const TensorSpec& spec = tensors_[index];
    HADAL_CHECK(names.insert(spec.name).second, "tensor {} twice", spec.name);
    ranges_[index] = {end, end + tensor_bytes(spec)};
    end = ranges_[index].end;
    if (text.size() > 1) text += ',';
    text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        nlohmann::json(spec.name).dump(), dtype_name(spec.dtype), fmt::join(spec.shape, ","),
                        ranges_[index].next, ranges_[index].end);
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');

  const uint64_t length = text.size();
  std::byte prefix[8];
  std::memcpy(prefix, &length, sizeof prefix);
  file_.append(prefix);
  file_.append(std::as_bytes(std::span(text)));
  for (Range& range : ranges_) {
    range.next += 8 + static_cast<int64_t>(length);
    range.end += 8 + static_cast<int64_t>(length);
  }
}

void SafetensorsWriter::append(size_t index, std::span<const std::byte> bytes) {
  HADAL_CHECK(index < ranges_.size());
  Range& range = ranges_[index];
  HADAL_CHECK(static_cast<int64_t>(bytes.size()) <= range.end - range.next, "{}: {} bytes too many",
              tensors_[index].name, static_cast<int64_t>(bytes.size()) - (range.end - range.next));
  file_.write_at(range.next, bytes);
  range.next += static_cast<int64_t>(bytes.size());
}

void SafetensorsWriter::finish() {
  for (size_t i = 0; i < ranges_.size(); ++i)
    HADAL_CHECK(ranges_[i].next == ranges_[i].end, "{}: {} bytes missing", tensors_[i].name,
                ranges_[i].end - ranges_[i].next);
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSpec> specs;
  for (const TensorBytes& tensor : tensors) specs.push_back(tensor.spec);
  SafetensorsWriter writer(path, std::move(specs), metadata);
  for (size_t i = 0; i < tensors.size(); ++i) writer.append(i, tensors[i].bytes);
  writer.finish();
}

}  // namespace hadal
