// One line for every finished request: who, what, how long. Never a key, and no text of prompts or answers
// unless asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "serve/accounts/money.h"

namespace hadal::serve {

class LineWriter;

// What a client can choose (ids, names, texts) is escaped when it is written; anything may be empty.
struct RequestRecord {
  std::string request_id, key, peer, route, model;  // key: its name; route: "POST /v1/chat/completions"
  int status = 200;
  std::string finish_reason;  // "stop", "length", "tool_calls", "cancelled", ...
  std::string error;          // of an answer that is one: its message
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  double queue_seconds = 0, total_seconds = 0;
  std::optional<double> first_token_seconds;  // from the request's arrival
  double decode_seconds = 0;                  // from the first token to the last
  std::optional<Money> cost;
  std::string prompt, answer;  // written only with log_prompts
};

struct RequestLogOptions {
  std::optional<std::filesystem::path> file;  // appended to; none: standard error
  bool json = false;                          // JSON lines instead of logfmt
  bool log_prompts = false;
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;
};

// Thread-safe. Lines go through a bounded queue to a thread that writes them, whole; when the disk cannot
// follow, lines are dropped and a line says how many.
class RequestLog {
 public:
  // Throws Error{kIo} when the file cannot be opened.
  explicit RequestLog(RequestLogOptions options);
  ~RequestLog();  // writes what is left
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  // Whether the texts of prompts and answers are worth collecting.
  bool wants_prompts() const { return options_.log_prompts; }
  void write(const RequestRecord& record);
  // Opens the file by its name again, for log rotation. Not for signal handlers. A file that cannot be opened
  // is logged and the old one stays.
  void reopen();
  void flush();

 private:
  RequestLogOptions options_;
  std::unique_ptr<LineWriter> writer_;
};

// The line itself, without its end.
std::string format_request_line(const RequestRecord& record, std::chrono::system_clock::time_point when,
                                bool json, bool with_prompts);

}  // namespace hadal::serve
