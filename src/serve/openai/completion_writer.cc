#include "serve/openai/completion_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "serve/http/sse.h"
#include "serve/json_out.h"
#include "serve/openai/completion_probs.h"

namespace hadal::serve {
namespace {

// What both forms know of a choice.
struct Choice {
  explicit Choice(const Tokenizer& tokenizer) : probs(tokenizer) {}

  CompletionProbs probs;
  bool begun = false;      // the echo is behind us
  int64_t characters = 0;  // of text so far
  int64_t told = 0;        // tokens of the prompt
};

class CompletionWriter : public AnswerWriter {
 public:
  CompletionWriter(CompletionForm form, const Tokenizer& tokenizer)
      : form_(std::move(form)), tokenizer_(tokenizer) {
    for (int i = 0; i < form_.choices; ++i) choices_.emplace_back(tokenizer);
  }

  void reasoning(int choice, std::string_view text) override { content(choice, text); }
  void call(int, int, std::string_view, std::string_view) override {}
  void arguments(int, int, std::string_view) override {}
  void content(int choice, std::string_view text) override {
    begin(choice);
    if (form_.prompt_only) return;
    at(choice).characters += count_characters(text);
    show(choice, text);
  }
  void token(int choice, TokenPart, const TokenProbs& probs) override {
    begin(choice);
    const bool end = std::ranges::count(form_.end_ids, probs.chosen.id) > 0;
    if (form_.logprobs && !form_.prompt_only) at(choice).probs.add(probs, end);
  }
  void prompt_token(int choice, int64_t position, const TokenProbs& probs) override {
    Choice& one = at(choice);
    tell_first(choice);
    if (position <= form_.unseen) return;  // of the first token that the client sent nothing is said
    one.probs.add(probs);
    ++one.told;
  }
  void finished(int choice, const ChoiceEnd& end) override {
    begin(choice);
    if (!end.stop.empty()) at(choice).probs.drop_from(at(choice).characters);
    const FinishReason reason = form_.prompt_only ? FinishReason::kLength : end.reason;
    finish(choice, reason);
  }
  const HttpHead& head() const override { return head_; }

 protected:
  virtual void show(int choice, std::string_view text) = 0;
  virtual void finish(int choice, FinishReason reason) = 0;

  Choice& at(int choice) { return choices_[static_cast<size_t>(choice)]; }
  TokenUsage shown_usage(TokenUsage usage) const {
    if (form_.prompt_only) usage.completion = 0;
    return usage;
  }

  const CompletionForm form_;
  const Tokenizer& tokenizer_;
  HttpHead head_;

 private:
  // What is echoed comes before anything else of a choice.
  void begin(int choice) {
    Choice& one = at(choice);
    if (std::exchange(one.begun, true) || form_.echoed.empty()) return;
    tell_first(choice);
    one.probs.end_text();
    const std::vector<int32_t>& ids = form_.echoed[static_cast<size_t>(choice / form_.n)];
    const std::string text = tokenizer_.decode(ids);
    one.characters = count_characters(text);
    if (!text.empty()) show(choice, text);
  }
  void tell_first(int choice) {
    Choice& one = at(choice);
    const std::vector<int32_t>& ids = form_.echoed[static_cast<size_t>(choice / form_.n)];
    if (!form_.logprobs || one.told > 0 || ids.empty()) return;
    one.probs.add_unknown(ids[0]);
    one.told = 1;
  }

  std::vector<Choice> choices_;
};

class CompletionStream : public CompletionWriter {
 public:
  CompletionStream(CompletionForm form, const Tokenizer& tokenizer)
      : CompletionWriter(std::move(form), tokenizer) {
    head_ = sse_head();
    for (const Header& header : form_.headers) head_.headers.push_back(header);
    JsonOut json(prefix_);
    begin_object(json, form_.name, "text_completion");
  }

  void ended(const TokenUsage& total) override {
    const TokenUsage usage = shown_usage(total);
    write_last(form_.usage_in_own_chunk ? nullptr : &usage);
    if (form_.usage_in_own_chunk && form_.include_usage) append_sse(out_, usage_chunk(prefix_, usage));
    append_sse(out_, "[DONE]");
  }
  void failed(const ApiError& error) override {
    append_sse(out_, error_body(ApiStyle::kOpenAi, error));
    append_sse(out_, "[DONE]");
  }
  std::string_view keep_alive() const override {
    return form_.keep_alive_comments ? kSseKeepAlive : std::string_view();
  }

 protected:
  void show(int choice, std::string_view text) override { write_chunk(choice, text, nullptr, nullptr); }
  // The very last chunk carries the usage of all choices, which is known when they have ended.
  void finish(int choice, FinishReason reason) override {
    if (last_) write_last(nullptr);
    last_ = {choice, reason};
  }

 private:
  void write_last(const TokenUsage* usage) {
    write_chunk(last_->first, "", &last_->second, usage);
    last_.reset();
  }
  void write_chunk(int choice, std::string_view text, const FinishReason* reason, const TokenUsage* usage) {
    body_ = prefix_;
    JsonOut json(body_, true);
    json.key("choices").begin('[').begin('{').field("index", choice).field("text", text);
    if (reason != nullptr)
      at(choice).probs.write_all(json);
    else
      at(choice).probs.write(json, at(choice).characters);
    end_chunk(json, reason, usage, form_.include_usage);
    append_sse(out_, body_);
  }

  std::optional<std::pair<int, FinishReason>> last_;  // ended, and not yet told
  std::string prefix_, body_;
};

class WholeCompletion : public CompletionWriter {
 public:
  WholeCompletion(CompletionForm form, const Tokenizer& tokenizer)
      : CompletionWriter(std::move(form), tokenizer), answers_(static_cast<size_t>(form_.choices)) {
    head_.headers = form_.headers;
  }

  void ended(const TokenUsage& total) override {
    JsonOut json(out_);
    begin_object(json, form_.name, "text_completion");
    json.key("choices").begin('[');
    for (int i = 0; i < form_.choices; ++i) {
      const Answer& answer = answers_[static_cast<size_t>(i)];
      json.begin('{').field("index", i).field("text", answer.text);
      at(i).probs.write_all(json);
      json.field("finish_reason", finish_reason_name(answer.reason)).end('}');
    }
    json.end(']');
    write_usage(json, shown_usage(total));
    json.end('}');
  }
  void failed(const ApiError& error) override { out_ = error_body(ApiStyle::kOpenAi, error); }

 protected:
  void show(int choice, std::string_view text) override {
    answers_[static_cast<size_t>(choice)].text += text;
  }
  void finish(int choice, FinishReason reason) override {
    answers_[static_cast<size_t>(choice)].reason = reason;
  }

 private:
  struct Answer {
    std::string text;
    FinishReason reason = FinishReason::kStop;
  };
  std::vector<Answer> answers_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_completion_writer(CompletionForm form, const Tokenizer& tokenizer) {
  if (form.stream) return std::make_unique<CompletionStream>(std::move(form), tokenizer);
  return std::make_unique<WholeCompletion>(std::move(form), tokenizer);
}

}  // namespace hadal::serve
