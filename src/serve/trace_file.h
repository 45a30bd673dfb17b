// Chrome trace events (chrome://tracing, ui.perfetto.dev): what the server did when, as spans on tracks. The
// file is a JSON array that is written line by line, so one whose process was killed still opens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "engine/request.h"
#include "engine/stats.h"

namespace hadal::serve {

class LineWriter;

struct TraceArg {
  std::string_view name;
  std::variant<int64_t, double, std::string_view> value;
};

// Thread-safe. Calls put a line into a bounded queue that a thread writes out; what does not fit is dropped
// and counted. A disk that fails is logged once.
class TraceFile {
 public:
  // Replaces what was there. Times count from `origin`. Throws Error{kIo} when the file cannot be made.
  explicit TraceFile(const std::filesystem::path& path, TimePoint origin = std::chrono::steady_clock::now());
  ~TraceFile();  // writes what is left and closes the array
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  // Tracks are lines of the picture; an id is free to choose.
  void name_track(int64_t track, std::string_view name);
  void span(std::string_view name, std::string_view category, int64_t track, TimePoint start, TimePoint end,
            std::span<const TraceArg> args = {});
  // Values of a stacked graph from this moment on; all of them numbers.
  void counter(std::string_view name, TimePoint when, std::span<const TraceArg> values);

  void flush();  // waits until everything so far is in the file
  int64_t dropped() const;

 private:
  void event(std::string line);

  TimePoint origin_;
  std::unique_ptr<LineWriter> writer_;
};

// The life of one request on a track of its own: "queue", "prefill" and "decode", one behind the other, under
// one span with all of it.
struct RequestTrace {
  int64_t track = 0;  // unique for a while
  std::string_view request_id, route, model, finish_reason;
  TimePoint submitted, finished;
  FinishInfo info;
};
void trace_request(TraceFile& file, const RequestTrace& request);

// Queue, memory, tokens per second and what the engine's thread did with its time since the sample before, as
// counters. For one thread.
class EngineTrace {
 public:
  void sample(TraceFile& file, TimePoint when, const EngineStats& stats);

 private:
  std::optional<TimePoint> when_;
  EngineStats before_;
};

}  // namespace hadal::serve
