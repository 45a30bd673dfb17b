#include "serve/request_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "serve/line_writer.h"
#include "serve/log_text.h"

namespace hadal::serve {
namespace {

// Appends fields one by one, in either form. Empty texts are left out.
class Line {
 public:
  explicit Line(bool json) : json_(json) {
    if (json_) out_ = '{';
  }

  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    begin(name);
    if (json_ || !is_plain(value))
      append_quoted(out_, value);
    else
      out_ += value;
  }
  void number(std::string_view name, int64_t value) {
    begin(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void number(std::string_view name, double value) {
    begin(name);
    append_number(out_, value, 3);
  }

  std::string take() {
    if (json_) out_ += '}';
    return std::move(out_);
  }

 private:
  static bool is_plain(std::string_view value) {
    return std::ranges::all_of(
        value, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\'; });
  }

  void begin(std::string_view name) {
    if (json_)
      fmt::format_to(std::back_inserter(out_), "{}\"{}\":", out_.size() > 1 ? "," : "", name);
    else
      fmt::format_to(std::back_inserter(out_), "{}{}=", out_.empty() ? "" : " ", name);
  }

  bool json_;
  std::string out_;
};

// RFC 3339 in UTC with milliseconds.
std::string time_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<milliseconds>(when - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

}  // namespace

std::string format_request_line(const RequestRecord& record, std::chrono::system_clock::time_point when,
                                bool json, bool with_prompts) {
  Line line(json);
  line.text("time", time_text(when));
  line.text("id", record.request_id);
  line.text("key", record.key);
  line.text("peer", record.peer);
  line.text("route", record.route);
  line.text("model", record.model);
  line.number("status", int64_t{record.status});
  line.text("finish_reason", record.finish_reason);
  line.number("prompt_tokens", record.prompt_tokens);
  line.number("cached_tokens", record.cached_tokens);
  line.number("completion_tokens", record.completion_tokens);
  line.number("reasoning_tokens", record.reasoning_tokens);
  line.number("queue_ms", 1e3 * record.queue_seconds);
  if (record.first_token_seconds) line.number("first_token_ms", 1e3 * *record.first_token_seconds);
  line.number("total_ms", 1e3 * record.total_seconds);
  // The first token comes out of the prompt; the time after it belongs to the others.
  if (record.completion_tokens > 1 && record.decode_seconds > 0)
    line.number("tokens_per_second",
                static_cast<double>(record.completion_tokens - 1) / record.decode_seconds);
  if (record.cost) line.text("cost", format_money(*record.cost));
  line.text("error", record.error);
  if (with_prompts) {
    line.text("prompt", record.prompt);
    line.text("answer", record.answer);
  }
  return line.take();
}

RequestLog::RequestLog(RequestLogOptions options) : options_(std::move(options)) {
  LineWriterOptions lines;
  lines.file = options_.file;
  lines.lost = [clock = options_.clock, json = options_.json](int64_t count) {
    Line line(json);
    line.text("time", time_text(clock()));
    line.number("lost_lines", count);
    return line.take() + "\n";
  };
  writer_ = std::make_unique<LineWriter>(std::move(lines));
}

RequestLog::~RequestLog() = default;

void RequestLog::write(const RequestRecord& record) {
  writer_->write(format_request_line(record, options_.clock(), options_.json, options_.log_prompts) + "\n");
}

void RequestLog::reopen() {
  writer_->reopen();
}

void RequestLog::flush() {
  writer_->flush();
}

}  // namespace hadal::serve
