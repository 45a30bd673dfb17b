// Stop strings in a stream (api.md A17.7): lets text pass as soon as it can no longer begin a stop string.
// Linear time, whatever the strings. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

class StopMatcher {
 public:
  // Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  // Takes one byte and appends what is now certain to `out`. True when a stop string ends with this byte (the
  // longest, if several do): the text before it has been passed, and nothing may be pushed afterwards.
  bool push(char byte, std::string& out);
  // The end of the text: passes everything held.
  void flush(std::string& out);

  const std::string& matched() const { return matched_; }

 private:
  struct Stop {
    std::string text;
    std::vector<size_t> border;  // border[i]: length of the longest proper border of the first i bytes
    size_t matched = 0;          // how many bytes of text the stream ends with
  };

  std::vector<Stop> stops_;
  std::string held_;  // from head_ on
  size_t head_ = 0;
  std::string matched_;
};

}  // namespace hadal
