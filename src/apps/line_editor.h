// Reading lines from a person: editing, history across sessions, several lines when one ends in a backslash.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace hadal::apps {

// A terminal is required. History is kept in a file; a file that cannot be read or written is no error.
class LineEditor {
 public:
  explicit LineEditor(std::filesystem::path history_file);
  ~LineEditor();

  // Nothing at the end of input (Ctrl-D); an empty string when Ctrl-C threw the line away.
  std::optional<std::string> read(const std::string& prompt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hadal::apps
