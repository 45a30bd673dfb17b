#include "serve/ollama/answer_lines.h"

#include <cmath>
#include <optional>
#include <utility>

#include "chat/python_json.h"
#include "serve/http/sse.h"
#include "serve/json_out.h"
#include "serve/openai/chat_json.h"
#include "text/json_value.h"

namespace hadal::serve::ollama {
namespace {

// A call, which is told when it is complete.
struct Call {
  int index = 0;
  std::string name, id, arguments;
};

// What one object says.
struct Part {
  std::string_view thinking, content;
  std::string calls = {};  // JSON, with commas between them
};

int64_t nanoseconds(double seconds) {
  return std::llround(seconds * 1e9);
}

class LineWriter : public AnswerWriter {
 public:
  LineWriter(LineForm form, const Tokenizer& tokenizer) : form_(std::move(form)), tokenizer_(tokenizer) {}

  void token(int, TokenPart part, const TokenProbs& probs) override {
    if (part == TokenPart::kMarkup) return;
    if (!probs_.empty()) probs_.push_back(',');
    JsonOut json(probs_);
    write_token_probs(json, tokenizer_, probs);
  }
  ApiStyle style() const override { return ApiStyle::kOllama; }
  const HttpHead& head() const override { return head_; }

 protected:
  static std::string call_json(const Call& call, bool cut) {
    std::string arguments = call.arguments.empty() ? "{}" : call.arguments;
    if (const auto value = parse_json(arguments); value && value->is_object())
      arguments = python_json(*value);
    else if (cut)
      return {};  // nobody may act on half a call
    else
      arguments = "{\"arguments\": " + json_string(arguments) + "}";
    std::string out;
    JsonOut json(out);
    json.begin('{').field("id", call.id).key("function").begin('{').field("index", call.index);
    json.field("name", call.name).raw_field("arguments", arguments).end('}').end('}');
    return out;
  }

  // An object up to `done`, without the closing brace.
  void begin(JsonOut& json, const Part& part, bool done) {
    json.begin('{').field("model", form_.model).field("created_at", form_.now());
    if (form_.chat)
      json.key("message").begin('{').field("role", "assistant").field("content", part.content);
    else
      json.field("response", part.content);
    if (!part.thinking.empty()) json.field("thinking", part.thinking);
    if (!part.calls.empty()) json.raw_field("tool_calls", "[" + part.calls + "]");
    if (form_.chat) json.end('}');
    json.field("done", done);
  }
  void write_probs(JsonOut& json) {
    if (!probs_.empty()) json.raw_field("logprobs", "[" + std::exchange(probs_, {}) + "]");
  }
  // The rest of the last object.
  void write_end(JsonOut& json, const ChoiceEnd& end) {
    const int64_t prompt = nanoseconds(end.prompt_seconds), answer = nanoseconds(end.answer_seconds);
    json.field("done_reason", end.reason == FinishReason::kLength ? "length" : "stop");
    write_probs(json);
    json.field("total_duration", prompt + answer).field("load_duration", 0);
    json.field("prompt_eval_count", end.usage.prompt).field("prompt_eval_duration", prompt);
    json.field("eval_count", end.usage.completion).field("eval_duration", answer).end('}');
  }

  const LineForm form_;
  HttpHead head_;

 private:
  const Tokenizer& tokenizer_;
  std::string probs_;  // entries, with commas between them, that wait for the text they belong to
};

// The API has no reason to stop for an answer that broke off.
ApiError broken_off() {
  return server_busy("The server could not finish the answer.");
}

class LineStream : public LineWriter {
 public:
  LineStream(LineForm form, const Tokenizer& tokenizer) : LineWriter(std::move(form), tokenizer) {
    head_ = ndjson_head();
    for (const Header& header : form_.headers) head_.headers.push_back(header);
  }

  void reasoning(int, std::string_view text) override { line({.thinking = text, .content = ""}); }
  void content(int, std::string_view text) override { line({.thinking = "", .content = text}); }
  void call(int, int index, std::string_view name, std::string_view id) override {
    close_call(false);
    call_ = Call{index, std::string(name), std::string(id), {}};
  }
  void arguments(int, int, std::string_view json) override { call_->arguments += json; }
  void finished(int, const ChoiceEnd& end) override {
    if (end.reason == FinishReason::kInsufficientResource) return failed(broken_off());
    close_call(end.reason == FinishReason::kLength);
    body_.clear();
    JsonOut json(body_);
    begin(json, {}, true);
    write_end(json, end);
    append_ndjson(out_, body_);
  }
  void ended(const TokenUsage&) override {}
  void failed(const ApiError& error) override { append_ndjson(out_, error_body(ApiStyle::kOllama, error)); }

 private:
  void line(const Part& part) {
    if (part.calls.empty()) close_call(false);
    body_.clear();
    JsonOut json(body_);
    begin(json, part, false);
    write_probs(json);
    json.end('}');
    append_ndjson(out_, body_);
  }
  // cut: the answer had to stop here.
  void close_call(bool cut) {
    if (!call_) return;
    const std::string json = call_json(*std::exchange(call_, std::nullopt), cut);
    if (!json.empty()) line({.thinking = "", .content = "", .calls = json});
  }

  std::optional<Call> call_;  // that is not complete yet
  std::string body_;
};

class WholeLine : public LineWriter {
 public:
  WholeLine(LineForm form, const Tokenizer& tokenizer) : LineWriter(std::move(form), tokenizer) {
    head_.headers = form_.headers;
  }

  void reasoning(int, std::string_view text) override { thinking_ += text; }
  void content(int, std::string_view text) override { content_ += text; }
  void call(int, int index, std::string_view name, std::string_view id) override {
    calls_.push_back({index, std::string(name), std::string(id), {}});
  }
  void arguments(int, int, std::string_view json) override { calls_.back().arguments += json; }
  void finished(int, const ChoiceEnd& end) override {
    if (end.reason == FinishReason::kInsufficientResource) return failed(broken_off());
    Part part{.thinking = thinking_, .content = content_};
    for (const Call& call : calls_) {
      const bool last = &call == &calls_.back();
      const std::string json = call_json(call, last && end.reason == FinishReason::kLength);
      if (!part.calls.empty() && !json.empty()) part.calls.push_back(',');
      part.calls += json;
    }
    JsonOut json(out_);
    begin(json, part, true);
    write_end(json, end);
  }
  void ended(const TokenUsage&) override {}
  void failed(const ApiError& error) override {
    out_ = error_body(ApiStyle::kOllama, error);
    head_ = error_head(error);
  }

 private:
  std::string thinking_, content_;
  std::vector<Call> calls_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_line_writer(LineForm form, const Tokenizer& tokenizer) {
  if (form.stream) return std::make_unique<LineStream>(std::move(form), tokenizer);
  return std::make_unique<WholeLine>(std::move(form), tokenizer);
}

std::string loaded_answer(const LineForm& form, bool unload) {
  std::string out;
  JsonOut json(out);
  json.begin('{').field("model", form.model).field("created_at", form.now());
  if (form.chat)
    json.key("message").begin('{').field("role", "assistant").field("content", "").end('}');
  else
    json.field("response", "");
  json.field("done", true).field("done_reason", unload ? "unload" : "load").end('}');
  return out;
}

}  // namespace hadal::serve::ollama
