// Lines of a text file that may be compressed with xz.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace hadal::apps {

class XzLines {
 public:
  // Throws Error: the file and why it cannot be opened.
  explicit XzLines(const std::filesystem::path& path);
  ~XzLines();

  // The next line without its end; false behind the last. Throws Error for a damaged file.
  bool next(std::string& line);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace hadal::apps
