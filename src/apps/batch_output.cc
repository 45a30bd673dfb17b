#include "apps/batch_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "apps/ids_file.h"
#include "base/error.h"
#include "chat/python_json.h"
#include "text/json_value.h"

namespace hadal::apps {
namespace {

constexpr std::string_view kLineStart = "{\"id\": ";  // of every line that is written

std::string id_of(const BatchLine& line) {
  return line.id.empty() ? "null" : line.id;
}

std::string message_json(const ParsedMessage& answer, bool thought) {
  std::string out = fmt::format("{{\"role\": \"assistant\", \"content\": {}", json_quoted(answer.content));
  if (thought || !answer.reasoning.empty())
    out += fmt::format(", \"reasoning_content\": {}", json_quoted(answer.reasoning));
  for (size_t i = 0; i < answer.calls.size(); ++i)
    out += fmt::format(
        "{}{{\"id\": \"call_{}\", \"type\": \"function\", \"function\": {{\"name\": {}, \"arguments\": "
        "{}}}}}",
        i == 0 ? ", \"tool_calls\": [" : ", ", i, json_quoted(answer.calls[i].name),
        json_quoted(answer.calls[i].arguments));
  if (!answer.calls.empty()) out += "]";
  return out + "}";
}

}  // namespace

std::string answer_line(const BatchLine& line, const BatchRequest& request, const ParsedMessage& answer,
                        const FinishInfo& info) {
  const bool thought = request.parser.start == ParserStart::kReasoning;
  return fmt::format(
      "{}{}, {}, \"finish_reason\": \"{}\", \"usage\": {{\"prompt_tokens\": {}, \"completion_tokens\": {}, "
      "\"total_tokens\": {}}}}}\n",
      kLineStart, id_of(line),
      request.chat ? "\"message\": " + message_json(answer, thought)
                   : "\"text\": " + json_quoted(answer.content),
      finish_reason_name(answer.reason), info.prompt_tokens, info.generated_tokens,
      info.prompt_tokens + info.generated_tokens);
}

std::string error_line(const BatchLine& line, const Problem& what) {
  return fmt::format("{}{}, \"line\": {}, \"error\": {{\"message\": {}, \"field\": {}}}}}\n", kLineStart,
                     id_of(line), line.number,
                     json_quoted(fmt::format("line {}: {}", line.number, what.to_string())),
                     what.where.empty() ? "null" : json_quoted(what.where));
}

BatchOutput::BatchOutput(const std::filesystem::path& path) : name_(path.string()) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0666);
  if (fd_ < 0) fail(ErrorCode::kIo, "{}: cannot be opened for writing: {}", name_, std::strerror(errno));
  struct stat status{};
  if (::fstat(fd_, &status) == 0 && !S_ISREG(status.st_mode)) return;  // a pipe or device keeps nothing
  try {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      fail(ErrorCode::kInvalidInput, "{}: another process is writing it", name_);
    read_back();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

BatchOutput::~BatchOutput() {
  ::close(fd_);
}

void BatchOutput::read_back() {
  const std::string text = read_file(name_);
  const auto refuse = [&](int64_t number) {
    fail(ErrorCode::kInvalidFile,
         "{}: line {} is no answer of `hadal batch`; a file of answers or the name of a new file is expected",
         name_, number);
  };
  const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  int64_t number = 0;
  for (size_t at = 0; at < whole;) {
    const size_t end = text.find('\n', at);
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    const auto value = hadal::parse_json(line);
    if (!line.starts_with(kLineStart) || !value || !value->is_object()) refuse(number);
    if (const JsonValue* id = value->find("id"))
      ids_.insert(python_json(*id));
    else if (const JsonValue* place = value->find("line"))
      anonymous_.insert(std::atoll(place->text.c_str()));
  }
  const std::string_view torn = std::string_view(text).substr(whole);
  if (torn.empty()) return;
  if (torn.substr(0, kLineStart.size()) != kLineStart.substr(0, torn.size())) refuse(number + 1);
  if (::ftruncate(fd_, static_cast<off_t>(whole)) != 0)
    fail(ErrorCode::kIo, "{}: the unfinished last line cannot be cut off: {}", name_, std::strerror(errno));
}

bool BatchOutput::has(const BatchLine& line) const {
  return line.id.empty() ? anonymous_.contains(line.number) : ids_.contains(line.id);
}

void BatchOutput::write(const std::string& lines) {
  for (std::string_view rest = lines; !rest.empty();) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      fail(ErrorCode::kIo, "{}: cannot be written: {}", name_, n < 0 ? std::strerror(errno) : "no progress");
    rest.remove_prefix(static_cast<size_t>(n));
  }
}

void BatchOutput::sync() {
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS)  // a pipe or device has nothing to make durable
    fail(ErrorCode::kIo, "{}: cannot be written: {}", name_, std::strerror(errno));
}

}  // namespace hadal::apps
