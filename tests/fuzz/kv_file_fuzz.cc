// Payload files from hostile folders: refused, or rows and tails that lie inside the file and match their
// checksums.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "kv/disk_folder.h"
#include "kv/kv_reader.h"

namespace {

using namespace hadal;

void read_all(const KvReader& file) {
  const KvHeader& header = file.header();
  HADAL_CHECK(header.blocks() == (static_cast<int64_t>(header.ids.size()) + 127) / 128);
  HADAL_CHECK(header.block_offset(header.blocks()) <= header.file_bytes);
  int64_t end = header.block_offset(header.blocks());
  for (const KvTail& tail : header.tails) {
    HADAL_CHECK(tail.offset >= end && tail.bytes > 0 && tail.bytes <= header.file_bytes - tail.offset);
    end = tail.offset + tail.bytes;
  }
  HADAL_CHECK(end == header.file_bytes);
  if (const auto name = payload_name(header, file.header_checksum())) HADAL_CHECK(is_payload_name(*name));

  std::vector<std::vector<std::byte>> rows(static_cast<size_t>(header.blocks()));
  std::vector<std::byte*> blocks;
  for (auto& row : rows) {
    row.resize(static_cast<size_t>(header.identity.block_bytes));
    blocks.push_back(row.data());
  }
  std::vector<std::vector<std::byte>> tails;
  for (const KvTail& tail : header.tails) tails.emplace_back(static_cast<size_t>(tail.bytes));
  KvRead read;
  read.add_blocks(file, 0, blocks);
  for (size_t i = 0; i < tails.size(); ++i) read.add_tail(file, i, tails[i]);
  const bool whole = read.run(1).empty();
  HADAL_CHECK(whole == verify_kv_file(file).has_value());
}

void open_bytes(const std::string& bytes) {
  const int fd = ::memfd_create("fuzz.hkv", MFD_CLOEXEC);
  HADAL_CHECK(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (const auto file = KvReader::open(path)) {
    read_all(**file);
    HADAL_CHECK((*KvReader::open(path, false))->header() == (*file)->header());
  } else {
    HADAL_CHECK(!file.error().what.empty());
  }
  ::close(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  open_bytes(bytes);
  // Past the checksum and the sizes, which no mutation gets right: the header as far as it is whole pages,
  // signed.
  constexpr size_t kFixed = 128;
  if (bytes.size() < kFixed) return 0;
  const uint64_t file_bytes = bytes.size();
  std::memcpy(bytes.data() + 24, &file_bytes, 8);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data() + 16, 8);
  if (header_bytes < kFixed || header_bytes > bytes.size()) return 0;
  sign_kv_header(std::as_writable_bytes(std::span(bytes)).first(header_bytes));
  open_bytes(bytes);
  return 0;
}
