// The answers of `hadal batch`: a file that only grows, a line at a time, so that a run that was killed can
// go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "apps/batch_input.h"
#include "base/result.h"
#include "chat/collect.h"
#include "engine/request.h"

namespace hadal::apps {

// Lines with their newline. JSON, UTF-8.
std::string answer_line(const BatchLine& line, const BatchRequest& request, const ParsedMessage& answer,
                        const FinishInfo& info);
std::string error_line(const BatchLine& line, const Problem& what);

class BatchOutput {
 public:
  // Opens or creates the file, for this process alone. Complete lines of an earlier run stay, a torn last one
  // is cut off. Throws Error: kInvalidFile for a file with anything else in it, kIo.
  explicit BatchOutput(const std::filesystem::path& path);
  ~BatchOutput();
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  // Whether an earlier run has answered it.
  bool has(const BatchLine& line) const;
  // One or more whole lines. Throws Error{kIo}.
  void write(const std::string& lines);
  // Nothing written so far can be lost any more. Throws Error{kIo}.
  void sync();

 private:
  void read_back();

  std::string name_;
  int fd_ = -1;
  std::set<std::string> ids_;    // as JSON
  std::set<int64_t> anonymous_;  // numbers of lines without an id
};

}  // namespace hadal::apps
