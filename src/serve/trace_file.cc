#include "serve/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

#include "serve/line_writer.h"
#include "serve/log_text.h"

namespace hadal::serve {
namespace {

std::chrono::steady_clock::duration from_seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

double microseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

// The beginning of every event: which kind, which name, whose.
std::string begin(char phase, std::string_view name, int64_t track) {
  std::string out = R"({"name":)";
  append_quoted(out, name);
  fmt::format_to(std::back_inserter(out), R"(,"ph":"{}","pid":1,"tid":{})", phase, track);
  return out;
}

void append_time(std::string& out, std::string_view field, double value) {
  fmt::format_to(std::back_inserter(out), R"(,"{}":)", field);
  append_number(out, value, 3);
}

void append_args(std::string& out, std::span<const TraceArg> args) {
  out += R"(,"args":{)";
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, args[i].name);
    out += ':';
    if (const auto* const integer = std::get_if<int64_t>(&args[i].value))
      fmt::format_to(std::back_inserter(out), "{}", *integer);
    else if (const auto* const real = std::get_if<double>(&args[i].value))
      append_number(out, *real, 6);
    else
      append_quoted(out, std::get<std::string_view>(args[i].value));
  }
  out += '}';
}

LineWriterOptions replacing(const std::filesystem::path& path) {
  LineWriterOptions out;
  out.file = path;
  out.replace = true;
  return out;
}

}  // namespace

TraceFile::TraceFile(const std::filesystem::path& path, TimePoint origin)
    : origin_(origin), writer_(std::make_unique<LineWriter>(replacing(path))) {
  writer_->write("[\n");
  std::string line = begin('M', "process_name", 0);
  append_args(line, std::array{TraceArg{"name", std::string_view("hadal")}});
  event(std::move(line));
}

TraceFile::~TraceFile() {
  // JSON allows no comma before the end of an array, so the last event is one that has none.
  std::string line = begin('M', "trace_end", 0);
  append_args(line, std::array{TraceArg{"dropped_events", writer_->dropped()}});
  writer_->write(line + "}\n]\n");
}

void TraceFile::event(std::string line) {
  writer_->write(line + "},\n");
}

void TraceFile::name_track(int64_t track, std::string_view name) {
  std::string line = begin('M', "thread_name", track);
  append_args(line, std::array{TraceArg{"name", name}});
  event(std::move(line));
}

void TraceFile::span(std::string_view name, std::string_view category, int64_t track, TimePoint start,
                     TimePoint end, std::span<const TraceArg> args) {
  std::string line = begin('X', name, track);
  line += R"(,"cat":)";
  append_quoted(line, category);
  append_time(line, "ts", microseconds(start - origin_));
  append_time(line, "dur", microseconds(std::max(end, start) - start));
  if (!args.empty()) append_args(line, args);
  event(std::move(line));
}

void TraceFile::counter(std::string_view name, TimePoint when, std::span<const TraceArg> values) {
  std::string line = begin('C', name, 0);
  append_time(line, "ts", microseconds(when - origin_));
  append_args(line, values);
  event(std::move(line));
}

void TraceFile::flush() {
  writer_->flush();
}

int64_t TraceFile::dropped() const {
  return writer_->dropped();
}

void trace_request(TraceFile& file, const RequestTrace& request) {
  const FinishInfo& info = request.info;
  file.name_track(request.track, request.request_id);
  file.span(
      "request", "request", request.track, request.submitted, request.finished,
      std::array{TraceArg{"id", request.request_id}, TraceArg{"route", request.route},
                 TraceArg{"model", request.model}, TraceArg{"finish_reason", request.finish_reason},
                 TraceArg{"prompt_tokens", info.prompt_tokens}, TraceArg{"cached_tokens", info.cached_tokens},
                 TraceArg{"generated_tokens", info.generated_tokens},
                 TraceArg{"preemptions", int64_t{info.preemptions}}});
  TimePoint start = request.submitted;
  const auto part = [&](std::string_view name, double seconds, std::span<const TraceArg> args = {}) {
    if (!(seconds > 0)) return;
    const TimePoint end = std::min(start + from_seconds(seconds), request.finished);
    file.span(name, "request", request.track, start, end, args);
    start = end;
  };
  part("queue", info.queue_seconds);
  part("prefill", info.prefill_seconds,
       std::array{TraceArg{"computed_tokens", info.prompt_tokens - info.cached_tokens}});
  part("decode", info.decode_seconds, std::array{TraceArg{"generated_tokens", info.generated_tokens}});
}

void EngineTrace::sample(TraceFile& file, TimePoint when, const EngineStats& stats) {
  file.counter("requests", when,
               std::array{TraceArg{"running", stats.running}, TraceArg{"waiting", stats.waiting}});
  file.counter("memory bytes", when,
               std::array{TraceArg{"running", stats.running_bytes},
                          TraceArg{"kept", std::max<int64_t>(0, stats.memory_used - stats.running_bytes)}});
  if (when_ && when > *when_) {
    const double passed = std::chrono::duration<double>(when - *when_).count();
    const auto share = [&](double PhaseSeconds::* phase) {
      return std::max(0.0, stats.seconds.*phase - before_.seconds.*phase) / passed;
    };
    file.counter("engine time", when,
                 std::array{TraceArg{"forward", share(&PhaseSeconds::forward)},
                            TraceArg{"cache", share(&PhaseSeconds::cache)},
                            TraceArg{"schedule", share(&PhaseSeconds::schedule)},
                            TraceArg{"mask", share(&PhaseSeconds::mask)},
                            TraceArg{"sample", share(&PhaseSeconds::sample)},
                            TraceArg{"emit", share(&PhaseSeconds::emit)}});
    const auto rate = [&](int64_t EngineStats::* tokens) {
      return static_cast<double>(stats.*tokens - before_.*tokens) / passed;
    };
    file.counter("tokens per second", when,
                 std::array{TraceArg{"prefilled", rate(&EngineStats::prefilled_tokens)},
                            TraceArg{"decoded", rate(&EngineStats::decoded_tokens)}});
  }
  when_ = when;
  before_ = stats;
}

}  // namespace hadal::serve
