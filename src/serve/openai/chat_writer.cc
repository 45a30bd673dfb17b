#include "serve/openai/chat_writer.h"

#include <optional>
#include <utility>

#include "serve/http/sse.h"

namespace hadal::serve {
namespace {

// Log-probabilities that wait for the text they belong to.
struct PendingProbs {
  std::string reasoning, content;  // entries, with commas between them

  void add(TokenPart part, const Tokenizer& tokenizer, const TokenProbs& probs) {
    if (part == TokenPart::kMarkup) return;
    std::string& list = part == TokenPart::kReasoning ? reasoning : content;
    if (!list.empty()) list.push_back(',');
    JsonOut json(list);
    write_token_probs(json, tokenizer, probs);
  }
  void write(JsonOut& json) {
    if (reasoning.empty() && content.empty()) {
      json.null_field("logprobs");
      return;
    }
    json.key("logprobs").begin('{');
    for (const auto& [name, list] :
         {std::pair("content", &content), std::pair("reasoning_content", &reasoning)}) {
      if (list->empty())
        json.null_field(name);
      else
        json.raw_field(name, "[" + std::exchange(*list, {}) + "]");
    }
    json.end('}');
  }
};

class ChatStream : public AnswerWriter {
 public:
  ChatStream(ChatForm form, const Tokenizer& tokenizer, int choices)
      : form_(std::move(form)),
        tokenizer_(tokenizer),
        probs_(static_cast<size_t>(choices)),
        begun_(static_cast<size_t>(choices)),
        head_(sse_head()) {
    for (const Header& header : form_.headers) head_.headers.push_back(header);
    JsonOut json(prefix_);
    begin_object(json, form_.name, "chat.completion.chunk");
  }

  void reasoning(int choice, std::string_view text) override {
    begin(choice);
    if (!form_.show_reasoning) return;
    const auto delta = [&](JsonOut& json) { json.null_field("content").field("reasoning_content", text); };
    write_chunk(choice, delta, nullptr, nullptr, true);
  }
  void content(int choice, std::string_view text) override {
    begin(choice);
    const auto delta = [&](JsonOut& json) {
      json.field("content", text);
      if (form_.thinking) json.null_field("reasoning_content");
    };
    write_chunk(choice, delta, nullptr, nullptr, true);
  }
  void call(int choice, int index, std::string_view name, std::string_view id) override {
    begin(choice);
    write_chunk(choice, [&](JsonOut& json) {
      json.key("tool_calls").begin('[').begin('{');
      json.field("index", index).field("id", id).field("type", "function");
      json.key("function").begin('{').field("name", name).field("arguments", "").end('}');
      json.end('}').end(']');
    });
  }
  void arguments(int choice, int index, std::string_view text) override {
    write_chunk(choice, [&](JsonOut& json) {
      json.key("tool_calls").begin('[').begin('{').field("index", index);
      json.key("function").begin('{').field("arguments", text).end('}');
      json.end('}').end(']');
    });
  }
  void token(int choice, TokenPart part, const TokenProbs& probs) override {
    if (part == TokenPart::kReasoning && !form_.show_reasoning) return;
    probs_[static_cast<size_t>(choice)].add(part, tokenizer_, probs);
  }

  // The very last chunk carries the usage of all choices, which is known when they have ended.
  void finished(int choice, const ChoiceEnd& end) override {
    begin(choice);
    if (last_) last_chunk(nullptr);
    last_ = Last{choice, end.reason};
  }
  void ended(const TokenUsage& total) override {
    last_chunk(form_.usage_in_own_chunk ? nullptr : &total);
    if (form_.usage_in_own_chunk && form_.include_usage) append_sse(out_, usage_chunk(prefix_, total));
    append_sse(out_, "[DONE]");
  }
  void failed(const ApiError& error) override {
    append_sse(out_, error_body(ApiStyle::kOpenAi, error));
    append_sse(out_, "[DONE]");
  }

  const HttpHead& head() const override { return head_; }
  std::string_view keep_alive() const override {
    return form_.keep_alive_comments ? kSseKeepAlive : std::string_view();
  }

 private:
  // The first chunk of a choice says its role.
  void begin(int choice) {
    if (std::exchange(begun_[static_cast<size_t>(choice)], char{1})) return;
    write_chunk(choice, [&](JsonOut& json) {
      json.field("role", "assistant");
      if (form_.thinking && form_.show_reasoning)
        json.null_field("content").field("reasoning_content", "");
      else
        json.field("content", "");
    });
  }

  void last_chunk(const TokenUsage* usage) {
    const auto delta = [&](JsonOut& json) {
      json.field("content", "");
      if (form_.thinking) json.null_field("reasoning_content");
    };
    write_chunk(last_->choice, delta, &last_->reason, usage, true);
    last_.reset();
  }

  template <class Delta>
  void write_chunk(int choice, Delta&& delta, const FinishReason* reason = nullptr,
                   const TokenUsage* usage = nullptr, bool with_probs = false) {
    body_ = prefix_;
    JsonOut json(body_, true);
    json.key("choices").begin('[').begin('{').field("index", choice);
    json.key("delta").begin('{');
    delta(json);
    json.end('}');
    if (with_probs)
      probs_[static_cast<size_t>(choice)].write(json);
    else
      json.null_field("logprobs");
    end_chunk(json, reason, usage, form_.include_usage);
    append_sse(out_, body_);
  }

  struct Last {
    int choice = 0;
    FinishReason reason = FinishReason::kStop;
  };

  const ChatForm form_;
  const Tokenizer& tokenizer_;
  std::vector<PendingProbs> probs_;  // by choice
  std::vector<char> begun_;
  std::optional<Last> last_;  // ended, and not yet told
  HttpHead head_;
  std::string prefix_, body_;
};

class WholeChat : public AnswerWriter {
 public:
  WholeChat(ChatForm form, const Tokenizer& tokenizer, int choices)
      : form_(std::move(form)), tokenizer_(tokenizer), choices_(static_cast<size_t>(choices)) {
    head_.headers = form_.headers;
  }

  void reasoning(int choice, std::string_view text) override { at(choice).message.on_reasoning(text); }
  void content(int choice, std::string_view text) override { at(choice).message.on_content(text); }
  void call(int choice, int index, std::string_view name, std::string_view id) override {
    at(choice).message.on_call(index, name);
    at(choice).call_ids.emplace_back(id);
  }
  void arguments(int choice, int index, std::string_view json) override {
    at(choice).message.on_arguments(index, json);
  }
  void token(int choice, TokenPart part, const TokenProbs& probs) override {
    if (part == TokenPart::kReasoning && !form_.show_reasoning) return;
    at(choice).probs.add(part, tokenizer_, probs);
  }
  void finished(int choice, const ChoiceEnd& end) override { at(choice).reason = end.reason; }

  void ended(const TokenUsage& total) override {
    JsonOut json(out_);
    begin_object(json, form_.name, "chat.completion");
    json.key("choices").begin('[');
    for (size_t i = 0; i < choices_.size(); ++i) write_choice(json, i);
    json.end(']');
    write_usage(json, total);
    json.end('}');
  }
  void failed(const ApiError& error) override { out_ = error_body(ApiStyle::kOpenAi, error); }
  const HttpHead& head() const override { return head_; }

 private:
  struct Choice {
    CollectingSink message;
    std::vector<std::string> call_ids;
    PendingProbs probs;
    FinishReason reason = FinishReason::kStop;
  };
  Choice& at(int choice) { return choices_[static_cast<size_t>(choice)]; }

  void write_choice(JsonOut& json, size_t index) {
    Choice& choice = choices_[index];
    const ParsedMessage& message = choice.message.message;
    json.begin('{').field("index", index);
    json.key("message").begin('{').field("role", "assistant").field("content", message.content);
    if (form_.thinking && form_.show_reasoning) json.field("reasoning_content", message.reasoning);
    if (!message.calls.empty()) {
      json.key("tool_calls").begin('[');
      for (size_t i = 0; i < message.calls.size(); ++i) {
        json.begin('{').field("index", i).field("id", choice.call_ids[i]).field("type", "function");
        json.key("function").begin('{').field("name", message.calls[i].name);
        json.field("arguments", without_repeated_keys(message.calls[i].arguments)).end('}').end('}');
      }
      json.end(']');
    }
    json.end('}');
    choice.probs.write(json);
    json.field("finish_reason", finish_reason_name(choice.reason)).end('}');
  }

  const ChatForm form_;
  const Tokenizer& tokenizer_;
  std::vector<Choice> choices_;
  HttpHead head_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_chat_writer(ChatForm form, const Tokenizer& tokenizer, int choices) {
  if (form.stream) return std::make_unique<ChatStream>(std::move(form), tokenizer, choices);
  return std::make_unique<WholeChat>(std::move(form), tokenizer, choices);
}

}  // namespace hadal::serve
