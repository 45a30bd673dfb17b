#include "serve/openai/response_writer.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "chat/collect.h"
#include "serve/http/sse.h"
#include "serve/openai/chat_json.h"
#include "serve/openai/patch_input.h"

namespace hadal::serve::responses {
namespace {

// The events of each kind of item, and what begins its id.
struct Kind {
  std::string_view prefix, delta, done;
  std::string_view field;  // of the text, in `done`
};
const Kind& kind_of(const Item& item) {
  static constexpr std::array<Kind, 4> kKinds = {
      {{"rs", "response.reasoning_text.delta", "response.reasoning_text.done", "text"},
       {"msg", "response.output_text.delta", "response.output_text.done", "text"},
       {"fc", "response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments"},
       {"ctc", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input"}}};
  return kKinds[static_cast<size_t>(item.kind)];
}

bool has_parts(const Item& item) {
  return item.kind == Item::Kind::kReasoning || item.kind == Item::Kind::kMessage;
}

void add_entries(std::string& list, std::string more) {
  if (!list.empty() && !more.empty()) list += ',';
  list += more;
}

std::string_view error_code(int status) {
  return status == 429 ? "rate_limit_exceeded" : status == 400 ? "invalid_prompt" : "server_error";
}

// One item after the other: the next begins when the last is whole. The whole form is the end of the
// streamed one.
class ResponseWriter : public AnswerWriter {
 public:
  ResponseWriter(ResponseForm form, const Tokenizer& tokenizer)
      : form_(std::move(form)), tokenizer_(tokenizer) {
    if (form_.stream) http_head_ = sse_head();
    for (const Header& header : form_.headers) http_head_.headers.push_back(header);
  }

  void started(const TokenUsage&) override { begin(); }
  void handle(int, std::string_view name) override {
    if (form_.encrypted_reasoning) handle_ = name;
  }
  void reasoning(int, std::string_view text) override {
    enter(Item::Kind::kReasoning);
    add(text);
  }
  void content(int, std::string_view text) override {
    enter(Item::Kind::kMessage);
    add(text);
  }
  void call(int, int, std::string_view name, std::string_view id) override {
    Item item;
    item.tool = form_.tools.name_of(name);
    item.kind = item.tool.custom ? Item::Kind::kCustom : Item::Kind::kFunction;
    item.call_id = id;
    patch_ = {};
    open(std::move(item));
  }
  void arguments(int, int, std::string_view json) override {
    if (!item_) return;
    if (item_->kind == Item::Kind::kCustom)
      add(patch_.push(json));
    else
      add(json);
  }
  void token(int, TokenPart part, const TokenProbs& probs) override {
    if (part != TokenPart::kContent) return;
    std::string entry;
    JsonOut json(entry);
    write_token_probs(json, tokenizer_, probs);
    add_entries(pending_probs_, std::move(entry));
  }

  void finished(int, const ChoiceEnd& end) override {
    begin();
    switch (end.reason) {
      case FinishReason::kStop:
      case FinishReason::kToolCalls:
        state_.status = Status::kCompleted;
        break;
      case FinishReason::kLength:
        state_.status = Status::kIncomplete;
        break;
      case FinishReason::kInsufficientResource:
        fail_with("server_error", "The server could not complete the answer.");
        break;
    }
    close(state_.status == Status::kCompleted ? Status::kCompleted : Status::kIncomplete);
  }
  void ended(const TokenUsage& total) override {
    state_.usage = total;
    if (state_.status == Status::kCompleted) state_.completed = form_.clock();
    if (form_.stream) return tell_state("response." + std::string(status_name(state_.status)));
    JsonOut json(out_);
    write_response(json, form_.head, state_);
  }
  void failed(const ApiError& error) override {
    if (!form_.stream) {
      out_ = error_body(ApiStyle::kOpenAi, error);
      return;
    }
    begin();
    close(Status::kIncomplete);
    fail_with(error.code.empty() ? error_code(error.status) : std::string_view(error.code), error.message);
    tell_state("response.failed");
  }

  const HttpHead& head() const override { return http_head_; }
  std::string_view keep_alive() const override {
    return form_.stream && form_.keep_alive_comments ? kSseKeepAlive : std::string_view();
  }

 private:
  void begin() {
    if (std::exchange(begun_, true)) return;
    tell_state("response.created");
    tell_state("response.in_progress");
  }

  // Text of this kind comes: it belongs to the item under way or begins one.
  void enter(Item::Kind kind) {
    if (item_ && item_->kind == kind) return;
    Item item;
    item.kind = kind;
    if (kind == Item::Kind::kReasoning) item.handle = handle_;
    open(std::move(item));
  }

  void open(Item item) {
    begin();
    const bool call = !has_parts(item);
    close(Status::kCompleted, call);
    item_ = std::move(item);
    item_->id = fmt::format("{}_{}_{}", kind_of(*item_).prefix, form_.head.id, index_);
    tell("response.output_item.added", [&](JsonOut& json) {
      json.field("output_index", index_).key("item");
      write_item(json, *item_, true);
    });
    if (call) return;
    tell("response.content_part.added", [&](JsonOut& json) {
      name_part(json);
      json.key("part");
      write_part(json, *item_, true);
    });
  }

  void add(std::string_view text) {
    if (text.empty()) return;
    item_->text += text;
    tell(kind_of(*item_).delta, [&](JsonOut& json) {
      name_part(json);
      json.field("delta", text);
      if (item_->kind == Item::Kind::kMessage) json.raw_field("logprobs", "[" + pending_probs_ + "]");
    });
    if (item_->kind == Item::Kind::kMessage) add_entries(item_->logprobs, std::exchange(pending_probs_, {}));
  }

  // The item under way is over, if there is one. A call behind it makes it no final answer.
  void close(Status status, bool call_follows = false) {
    if (!item_) return;
    if (item_->kind == Item::Kind::kCustom) add(patch_.finish());
    // What was streamed cannot be taken back; otherwise the last of repeated keys counts.
    if (item_->kind == Item::Kind::kFunction && !form_.stream)
      item_->text = without_repeated_keys(item_->text);
    if (item_->kind == Item::Kind::kMessage) {
      item_->phase = call_follows ? "commentary" : "final_answer";
      add_entries(item_->logprobs, std::exchange(pending_probs_, {}));
    }
    item_->status = status;
    const Kind& kind = kind_of(*item_);
    tell(kind.done, [&](JsonOut& json) {
      name_part(json);
      json.field(kind.field, item_->text);
      if (item_->kind == Item::Kind::kMessage) json.raw_field("logprobs", "[" + item_->logprobs + "]");
    });
    if (has_parts(*item_))
      tell("response.content_part.done", [&](JsonOut& json) {
        name_part(json);
        json.key("part");
        write_part(json, *item_);
      });
    std::string whole;
    JsonOut whole_json(whole);
    write_item(whole_json, *item_);
    tell("response.output_item.done",
         [&](JsonOut& json) { json.field("output_index", index_).raw_field("item", whole); });
    add_entries(state_.output, std::move(whole));
    item_.reset();
    ++index_;
  }

  void fail_with(std::string_view code, std::string_view message) {
    state_.status = Status::kFailed;
    state_.error_code = code;
    state_.error_message = message;
  }

  // Where an event belongs.
  void name_part(JsonOut& json) const {
    json.field("item_id", item_->id).field("output_index", index_);
    if (has_parts(*item_)) json.field("content_index", 0);
  }

  void tell_state(std::string_view type) {
    tell(type, [&](JsonOut& json) {
      json.key("response");
      write_response(json, form_.head, state_);
    });
  }
  template <class Members>
  void tell(std::string_view type, Members&& members) {
    if (!form_.stream) return;
    std::string body;
    JsonOut json(body);
    json.begin('{').field("type", type).field("sequence_number", sequence_++);
    members(json);
    json.end('}');
    append_sse(out_, type, body);
  }

  const ResponseForm form_;
  const Tokenizer& tokenizer_;
  HttpHead http_head_;
  ResponseState state_;
  bool begun_ = false;
  int64_t sequence_ = 0;
  int index_ = 0;             // of the item under way, or the next
  std::optional<Item> item_;  // under way
  std::string handle_;
  std::string pending_probs_;  // of tokens whose text has not come
  PatchInput patch_;           // of a custom call under way
};

}  // namespace

std::unique_ptr<AnswerWriter> make_response_writer(ResponseForm form, const Tokenizer& tokenizer) {
  return std::make_unique<ResponseWriter>(std::move(form), tokenizer);
}

}  // namespace hadal::serve::responses
