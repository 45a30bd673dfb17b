#include "serve/anthropic/message_writer.h"

#include <optional>
#include <utility>

#include "chat/python_json.h"
#include "serve/http/sse.h"
#include "serve/json_out.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {
namespace {

constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

enum class Kind { kNone, kThinking, kText, kCall };

std::string_view stop_reason(const ChoiceEnd& end) {
  switch (end.reason) {
    case FinishReason::kToolCalls:
      return "tool_use";
    case FinishReason::kLength:
      return "max_tokens";
    default:
      return end.stop.empty() ? "end_turn" : "stop_sequence";
  }
}

void write_stop(JsonOut& json, const ChoiceEnd& end) {
  json.field("stop_reason", stop_reason(end));
  if (end.stop.empty())
    json.null_field("stop_sequence");
  else
    json.field("stop_sequence", end.stop);
}

// The three input counters add up to the prompt.
void write_usage(JsonOut& json, const TokenUsage& usage, bool with_tier) {
  json.key("usage").begin('{').field("input_tokens", usage.prompt - usage.cached);
  json.field("cache_creation_input_tokens", 0).field("cache_read_input_tokens", usage.cached);
  json.field("output_tokens", usage.completion);
  if (with_tier) json.field("service_tier", "standard");
  json.end('}');
}

void begin_message(JsonOut& json, const MessageForm& form) {
  json.begin('{').field("id", form.id).field("type", "message").field("role", "assistant");
  json.field("model", form.model);
}

// The API has no reason to stop for an answer that broke off.
ApiError broken_off() {
  return server_busy("The server could not finish the answer.");
}

class MessageWriter : public AnswerWriter {
 public:
  explicit MessageWriter(MessageForm form) : form_(std::move(form)), signature_(form_.id) {}

  void handle(int, std::string_view name) override {
    if (!name.empty()) signature_ = name;
  }
  ApiStyle style() const override { return ApiStyle::kAnthropic; }
  std::string new_call_id(int) const override { return "toolu_" + random_base62(24); }
  const HttpHead& head() const override { return head_; }

 protected:
  const MessageForm form_;
  std::string signature_;  // by which the client gives the thinking back
  HttpHead head_;
};

class MessageStream : public MessageWriter {
 public:
  explicit MessageStream(MessageForm form) : MessageWriter(std::move(form)) {
    head_ = sse_head();
    for (const Header& header : form_.headers) head_.headers.push_back(header);
  }

  void started(const TokenUsage& usage) override {
    started_ = true;
    event("message_start", [&](JsonOut& json) {
      json.key("message");
      begin_message(json, form_);
      json.key("content").begin('[').end(']').null_field("stop_reason").null_field("stop_sequence");
      write_usage(json, {usage.prompt, usage.cached, 0, 0}, true);
      json.end('}');
    });
    if (form_.thinking) open(Kind::kThinking);
  }
  void reasoning(int, std::string_view text) override {
    if (kind_ != Kind::kThinking) open(Kind::kThinking);
    if (form_.show_thinking) delta("thinking_delta", "thinking", text);
  }
  void content(int, std::string_view text) override {
    if (kind_ != Kind::kText) open(Kind::kText);
    delta("text_delta", "text", text);
  }
  void call(int, int, std::string_view name, std::string_view id) override { open(Kind::kCall, name, id); }
  void arguments(int, int, std::string_view json) override {
    empty_ = false;
    delta("input_json_delta", "partial_json", json);
  }
  void finished(int, const ChoiceEnd& end) override {
    if (end.reason == FinishReason::kInsufficientResource) return failed(broken_off());
    close();
    end_ = end;
  }
  void ended(const TokenUsage& total) override {
    if (!end_) return;  // it failed
    event("message_delta", [&](JsonOut& json) {
      json.key("delta").begin('{');
      write_stop(json, *end_);
      json.end('}');
      write_usage(json, total, false);
    });
    event("message_stop", [](JsonOut&) {});
    started_ = false;
  }
  void failed(const ApiError& error) override {
    append_sse(out_, "error", error_body(ApiStyle::kAnthropic, error));
    started_ = false;
  }
  std::string_view keep_alive() const override {
    if (started_) return kPing;
    return form_.keep_alive_comments ? kSseKeepAlive : std::string_view();
  }

 private:
  // An event has its name as its type, too.
  template <class Rest>
  void event(std::string_view type, Rest&& rest) {
    body_.clear();
    JsonOut json(body_);
    json.begin('{').field("type", type);
    rest(json);
    json.end('}');
    append_sse(out_, type, body_);
  }

  void delta(std::string_view type, std::string_view member, std::string_view text) {
    event("content_block_delta", [&](JsonOut& json) {
      json.field("index", index_).key("delta").begin('{').field("type", type).field(member, text).end('}');
    });
  }

  void open(Kind kind, std::string_view name = {}, std::string_view id = {}) {
    close();
    kind_ = kind;
    empty_ = true;
    ++index_;
    event("content_block_start", [&](JsonOut& json) {
      json.field("index", index_).key("content_block").begin('{');
      if (kind == Kind::kThinking)
        json.field("type", "thinking").field("thinking", "").field("signature", "");
      else if (kind == Kind::kText)
        json.field("type", "text").field("text", "");
      else
        json.field("type", "tool_use").field("id", id).field("name", name).raw_field("input", "{}");
      json.end('}');
    });
    if (index_ == 0) out_ += kPing;
  }

  void close() {
    if (kind_ == Kind::kNone) return;
    if (kind_ == Kind::kThinking) delta("signature_delta", "signature", signature_);
    if (kind_ == Kind::kCall && empty_) delta("input_json_delta", "partial_json", "{}");
    event("content_block_stop", [&](JsonOut& json) { json.field("index", index_); });
    kind_ = Kind::kNone;
  }

  Kind kind_ = Kind::kNone;  // of the open block
  int index_ = -1;
  bool empty_ = true;     // the open call has no arguments yet
  bool started_ = false;  // and not over
  std::optional<ChoiceEnd> end_;
  std::string body_;
};

class WholeMessage : public MessageWriter {
 public:
  explicit WholeMessage(MessageForm form) : MessageWriter(std::move(form)) {
    head_.headers = form_.headers;
    if (form_.thinking) parts_.push_back({Kind::kThinking, {}, {}, {}});
  }

  void reasoning(int, std::string_view text) override { at(Kind::kThinking).text += text; }
  void content(int, std::string_view text) override { at(Kind::kText).text += text; }
  void call(int, int, std::string_view name, std::string_view id) override {
    parts_.push_back({Kind::kCall, {}, std::string(name), std::string(id)});
  }
  void arguments(int, int, std::string_view json) override { parts_.back().text += json; }
  void finished(int, const ChoiceEnd& end) override {
    if (end.reason == FinishReason::kInsufficientResource) return failed(broken_off());
    end_ = end;
  }
  void ended(const TokenUsage& total) override {
    if (!end_) return;  // it failed
    JsonOut json(out_);
    begin_message(json, form_);
    json.key("content").begin('[');
    for (const Part& part : parts_) write_part(json, part);
    json.end(']');
    write_stop(json, *end_);
    write_usage(json, total, true);
    json.end('}');
  }
  void failed(const ApiError& error) override {
    out_ = error_body(ApiStyle::kAnthropic, error);
    head_ = error_head(error);
  }

 private:
  struct Part {
    Kind kind = Kind::kNone;
    std::string text;  // of a call: its arguments
    std::string name, id;
  };
  // The part that text of this kind goes to.
  Part& at(Kind kind) {
    if (parts_.empty() || parts_.back().kind != kind) parts_.push_back({kind, {}, {}, {}});
    return parts_.back();
  }

  void write_part(JsonOut& json, const Part& part) {
    json.begin('{');
    if (part.kind == Kind::kThinking) {
      json.field("type", "thinking").field("thinking", form_.show_thinking ? part.text : "");
      json.field("signature", signature_);
    } else if (part.kind == Kind::kText) {
      json.field("type", "text").field("text", part.text);
    } else {
      json.field("type", "tool_use").field("id", part.id).field("name", part.name);
      json.raw_field("input", arguments_object(part.text));
    }
    json.end('}');
  }

  // The arguments as an object; what is none is kept as text within one.
  static std::string arguments_object(const std::string& text) {
    if (text.empty()) return "{}";
    if (const auto value = parse_json(text); value && value->is_object()) return python_json(*value);
    return "{\"arguments\": " + json_string(text) + "}";
  }

  std::vector<Part> parts_;
  std::optional<ChoiceEnd> end_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_message_writer(MessageForm form) {
  if (form.stream) return std::make_unique<MessageStream>(std::move(form));
  return std::make_unique<WholeMessage>(std::move(form));
}

}  // namespace hadal::serve::anthropic
