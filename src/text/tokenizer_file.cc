// Finding and reading a tokenizer file; see tokenizer_json.h.
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "text/tokenizer_json.h"

namespace hadal {

namespace {

namespace fs = std::filesystem;

// Many times the largest tokenizer.json in use; stops a small .gz that unpacks to no end.
constexpr size_t kMaxBytes = size_t{128} << 20;

fs::path find_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorCode::kNotFound, "{}: no such file or folder", path.string());
  if (!fs::is_directory(status)) return path;
  for (const char* name : {"tokenizer.json", "tokenizer.json.gz"}) {
    if (fs::exists(path / name, error)) return path / name;
  }
  fail(ErrorCode::kNotFound, "{}: the folder has no tokenizer.json and no tokenizer.json.gz", path.string());
}

}  // namespace

std::pair<std::string, std::string> read_tokenizer_file(const fs::path& path) {
  const std::string name = find_file(path).string();
  // zlib passes a file that is not gzipped through as it is.
  const auto close = [](gzFile f) { gzclose(f); };
  const std::unique_ptr<gzFile_s, decltype(close)> file(gzopen(name.c_str(), "rb"), close);
  if (file == nullptr) fail(ErrorCode::kIo, "{}: cannot be opened: {}", name, std::strerror(errno));
  gzbuffer(file.get(), 1 << 18);
  std::string content;
  while (true) {
    constexpr size_t kStep = 1 << 20;
    const size_t have = content.size();
    content.resize(have + kStep);
    const int got = gzread(file.get(), content.data() + have, kStep);
    // A gzip stream that ends early reads short without an error of gzread itself.
    int error = Z_OK;
    const char* message = gzerror(file.get(), &error);
    if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
      if (error == Z_ERRNO) fail(ErrorCode::kIo, "{}: cannot be read: {}", name, std::strerror(errno));
      fail(ErrorCode::kInvalidFile, "{}: not a complete gzip file: {}", name, message);
    }
    content.resize(have + static_cast<size_t>(got));
    if (got == 0) break;
    if (content.size() > kMaxBytes) {
      fail(ErrorCode::kInvalidFile, "{}: more than {} MiB; a tokenizer.json is smaller", name,
           kMaxBytes >> 20);
    }
  }
  return {name, std::move(content)};
}

}  // namespace hadal
