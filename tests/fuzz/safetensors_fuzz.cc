// Headers, shard indices and tensor names from hostile files: an Error or ranges inside the file, never
// anything else.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/name_map.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"

namespace {

using namespace hadal;

// Only what parses goes through a file: opening reads the same header again.
void open_as_file(const std::string& bytes) {
  const int fd = ::memfd_create("fuzz.safetensors", MFD_CLOEXEC);
  HADAL_CHECK(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  try {
    const auto checkpoint = Checkpoint::open("/proc/self/fd/" + std::to_string(fd));
    for (const auto& [name, info] : checkpoint->tensors()) {
      HADAL_CHECK(info.canonical_name == name && checkpoint->find(name) == &info);
      HADAL_CHECK(static_cast<int64_t>(info.bytes.size()) == info.elements() * dtype_bytes(info.dtype));
      if (info.shape.size() <= 4) HADAL_CHECK(info.view().elements() == info.elements());
    }
  } catch (const Error&) {
  }
  ::close(fd);
}

void parse_file(const std::string& bytes) {
  try {
    const SafetensorsHeader header = parse_safetensors_header(std::as_bytes(std::span(bytes)), "fuzz");
    for (const StoredTensor& tensor : header.tensors) {
      HADAL_CHECK(tensor.begin >= 8 && tensor.begin <= tensor.end);
      HADAL_CHECK(tensor.end <= static_cast<int64_t>(bytes.size()));
    }
  } catch (const Error&) {
    return;
  }
  open_as_file(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  parse_file(input);
  // The same bytes as the text of a header with the right length and a little data behind it.
  std::string file(8, '\0');
  const uint64_t length = size;
  std::memcpy(file.data(), &length, 8);
  parse_file(file + input + std::string(64, '\1'));
  try {
    parse_shard_index(input, "fuzz");
  } catch (const Error&) {
  }
  HADAL_CHECK(canonical_name(input).size() <= 2 * input.size() + 64);
  fused_experts(input);
  printable_name(input);
  return 0;
}
