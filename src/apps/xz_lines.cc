#include "apps/xz_lines.h"

#include <lzma.h>

#include <array>
#include <fstream>
#include <utility>

#include "base/error.h"

namespace hadal::apps {
namespace {

constexpr uint64_t kMostMemory = uint64_t{256} << 20;  // for decompressing; files of xz -9 need 65 MiB
constexpr size_t kBlock = 1 << 16;

}  // namespace

struct XzLines::Stream {
  std::filesystem::path path;
  std::ifstream file;
  lzma_stream lzma = LZMA_STREAM_INIT;
  bool is_xz = false, at_end = false;
  std::array<uint8_t, kBlock> in{}, out{};
  std::string text;  // that was read and not given out
  size_t taken = 0;

  ~Stream() { lzma_end(&lzma); }

  size_t read_file() {
    file.read(reinterpret_cast<char*>(in.data()), static_cast<std::streamsize>(in.size()));
    if (file.bad()) fail(ErrorCode::kIo, "{}: cannot be read", path.string());
    return static_cast<size_t>(file.gcount());
  }

  // Appends some more text; false at the end.
  bool more() {
    if (at_end) return false;
    text.erase(0, std::exchange(taken, 0));
    if (!is_xz) {
      const size_t n = read_file();
      text.append(reinterpret_cast<const char*>(in.data()), n);
      return !(at_end = n == 0);
    }
    lzma_action action = LZMA_RUN;
    if (lzma.avail_in == 0) {
      lzma.next_in = in.data();
      lzma.avail_in = read_file();
      if (lzma.avail_in == 0) action = LZMA_FINISH;
    }
    lzma.next_out = out.data();
    lzma.avail_out = out.size();
    const lzma_ret said = lzma_code(&lzma, action);
    if (said != LZMA_OK && said != LZMA_STREAM_END)
      fail(ErrorCode::kInvalidFile, "{}: damaged or cut off xz data", path.string());
    at_end = said == LZMA_STREAM_END;
    text.append(reinterpret_cast<const char*>(out.data()), out.size() - lzma.avail_out);
    return true;
  }
};

XzLines::XzLines(const std::filesystem::path& path) : stream_(std::make_unique<Stream>()) {
  stream_->path = path;
  stream_->file.open(path, std::ios::binary);
  if (!stream_->file) fail(ErrorCode::kNotFound, "{}: cannot be opened", path.string());
  stream_->is_xz = path.extension() == ".xz";
  if (stream_->is_xz && lzma_stream_decoder(&stream_->lzma, kMostMemory, LZMA_CONCATENATED) != LZMA_OK)
    fail(ErrorCode::kOutOfMemory, "{}: no memory to decompress it", path.string());
}

XzLines::~XzLines() = default;

bool XzLines::next(std::string& line) {
  Stream& stream = *stream_;
  size_t searched = stream.taken;
  while (true) {
    const size_t end = stream.text.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(stream.text, stream.taken, end - stream.taken);
      stream.taken = end + 1;
      break;
    }
    searched = stream.text.size() - stream.taken;
    if (!stream.more()) {
      if (stream.taken == stream.text.size()) return false;
      line.assign(stream.text, stream.taken);
      stream.taken = stream.text.size();
      break;
    }
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

}  // namespace hadal::apps
