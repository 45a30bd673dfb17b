#include "serve/generation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "assistant/answer_stream.h"
#include "base/check.h"
#include "chat/collect.h"
#include "serve/ids.h"
#include "serve/plain_stream.h"
#include "serve/token_feed.h"
#include "text/json_value.h"

namespace hadal::serve {

// One of the answers: its tokens on their way to the writer.
class Generation::Choice : public ParserSink {
 public:
  Choice(const GenerationContext& context, const Ask& ask, int index, AnswerWriter& writer, const Wake& wake)
      : prompt_index(static_cast<size_t>(index / ask.n)),
        feed(std::make_shared<TokenFeed>(
            wake, ask.top_logprobs,
            ask.prompt_logprobs ? ask.prompts[prompt_index] : std::vector<int32_t>())),
        index_(index),
        writer_(writer),
        shown_end_ids_(ask.show_end ? ask.end_ids : std::vector<int32_t>()) {
    prompt_usage.prompt = static_cast<int64_t>(ask.prompts[prompt_index].size());
    if (ask.plain_text)
      plain_.emplace(context.text.tokenizer(), ask.parser.stops, *this);
    else
      chat_.emplace(context.text.tokenizer(), ask.parser, *this);
  }

  void push(int32_t id, std::optional<TokenProbs> probs) {
    if (std::ranges::count(shown_end_ids_, id) > 0) {
      if (probs) writer_.token(index_, TokenPart::kContent, *probs);
      return finish(FinishCause::kEos);
    }
    ids.push_back(id);
    if (probs) probs_.push_back(std::move(*probs));
    if (plain_)
      plain_->push(id);
    else
      chat_->push(id);
    tell();
  }
  void finish(FinishCause cause) {
    if (plain_)
      plain_->finish(cause);
    else
      chat_->finish(cause);
    tell();
  }
  // What the engine would have told of an answer that ended, with the token of `last`, before it knew.
  FinishInfo cut_short(TimePoint last) const {
    const auto seconds = [](TimePoint from, TimePoint to) {
      return std::chrono::duration<double>(to - from).count();
    };
    FinishInfo info;
    info.prompt_tokens = prompt_usage.prompt;
    info.cached_tokens = prompt_usage.cached;
    info.generated_tokens = static_cast<int64_t>(ids.size());
    info.queue_seconds = seconds(submitted, admitted);
    info.prefill_seconds = seconds(admitted, prefilled);
    info.decode_seconds = seconds(prefilled, last);
    return info;
  }
  int repairs() const { return chat_ ? chat_->repairs() : 0; }
  // Blocks that are no call and calls that nobody can act on; one that a limit cut off is not to blame.
  int failures() const {
    if (!chat_) return 0;
    const auto& calls = message.message.calls;
    const bool cut = end_->reason != FinishReason::kToolCalls;
    int count = chat_->failures();
    for (size_t i = 0; i < calls.size(); ++i) {
      if (cut && i + 1 == calls.size()) break;
      const auto arguments = parse_json(calls[i].arguments);
      count += !arguments || !arguments->is_object();
    }
    return count;
  }
  // By itself: a stop string, or the end of a turn.
  bool finished() const { return end_.has_value(); }

  TokenUsage usage() const {
    TokenUsage all = prompt_usage;
    all.completion = chat_ ? chat_->completion_tokens() : static_cast<int64_t>(ids.size());
    all.reasoning = chat_ ? chat_->reasoning_tokens() : 0;
    return all;
  }
  void report(const FinishInfo& info) {
    end_->usage = usage();
    end_->prompt_seconds = info.queue_seconds + info.prefill_seconds;
    end_->answer_seconds = info.decode_seconds;
    writer_.finished(index_, *end_);
  }
  const ChoiceEnd& end() const { return *end_; }

  void on_reasoning(std::string_view text) override {
    message.on_reasoning(text);
    texts_.push_back({TokenPart::kReasoning, std::string(text)});
  }
  void on_content(std::string_view text) override {
    message.on_content(text);
    texts_.push_back({TokenPart::kContent, std::string(text)});
  }
  void on_call(int call, std::string_view name) override {
    message.on_call(call, name);
    tell();
    call_ids.push_back(writer_.new_call_id(call));
    writer_.call(index_, call, name, call_ids.back());
  }
  void on_arguments(int call, std::string_view json) override {
    message.on_arguments(call, json);
    writer_.arguments(index_, call, json);
  }
  void on_finish(FinishReason reason, std::string_view stop) override {
    message.on_finish(reason, stop);
    end_.emplace();
    end_->reason = reason;
    end_->stop = stop;
  }

  const size_t prompt_index;
  const std::shared_ptr<TokenFeed> feed;
  std::optional<RequestId> request;  // once submitted
  TimePoint submitted, admitted, prefilled;
  bool over = false;  // nothing more comes of it
  const std::string handle = random_hex(32);
  std::vector<int32_t> ids;
  std::vector<std::string> call_ids;
  CollectingSink message;
  TokenUsage prompt_usage;
  int64_t prompt_position = 0;

 private:
  struct Text {
    TokenPart part = TokenPart::kContent;
    std::string text;
  };

  // Tokens go before the text they brought, so what the parser lets out waits here for a moment.
  void tell() {
    const size_t known = plain_ ? ids.size() : chat_->parts().size();
    for (; told_ < std::min(known, probs_.size()); ++told_)
      writer_.token(index_, plain_ ? TokenPart::kContent : chat_->parts()[told_], probs_[told_]);
    for (const Text& text : std::exchange(texts_, {})) {
      if (text.part == TokenPart::kReasoning)
        writer_.reasoning(index_, text.text);
      else
        writer_.content(index_, text.text);
    }
  }

  const int index_;
  AnswerWriter& writer_;
  const std::vector<int32_t> shown_end_ids_;  // that the engine takes for tokens like any other
  std::optional<AnswerStream> chat_;          // one of the two
  std::optional<PlainStream> plain_;
  std::optional<ChoiceEnd> end_;
  std::vector<TokenProbs> probs_;  // of ids; empty when not asked for
  size_t told_ = 0;                // of probs_, that the writer has
  std::vector<Text> texts_;
};

Generation::Generation(const GenerationContext& context, Ask ask, std::unique_ptr<AnswerWriter> writer,
                       Wake wake, std::shared_ptr<RequestScope> scope)
    : context_(context),
      ask_(std::move(ask)),
      writer_(std::move(writer)),
      wake_(std::move(wake)),
      scope_(std::move(scope)) {
  const size_t count = ask_.prompts.size() * static_cast<size_t>(ask_.n);
  for (size_t i = 0; i < count; ++i)
    choices_.push_back(std::make_unique<Choice>(context_, ask_, static_cast<int>(i), *writer_, wake_));
  open_ = count;
}

Asked<std::unique_ptr<Generation>> Generation::start(const GenerationContext& context, Ask ask,
                                                     std::unique_ptr<AnswerWriter> writer, Wake wake,
                                                     std::shared_ptr<RequestScope> scope) {
  HADAL_CHECK(!ask.prompts.empty() && ask.n > 0);
  std::unique_ptr<Generation> generation(
      new Generation(context, std::move(ask), std::move(writer), std::move(wake), std::move(scope)));
  // The other choices of a prompt wait until it has been read once, and then find it in the cache.
  for (size_t first = 0; first < generation->choices_.size();
       first += static_cast<size_t>(generation->ask_.n))
    if (const auto sent = generation->submit(first); !sent) return tl::make_unexpected(sent.error());
  generation->scope_->facts.generates = true;
  return generation;
}

Generation::~Generation() {
  for (const auto& choice : choices_) {
    choice->feed->close();
    if (choice->request && !choice->over) context_.engine.cancel(*choice->request);
  }
  if (!done_) finish_record();
}

Asked<void> Generation::submit(size_t index) {
  Choice& choice = *choices_[index];
  Request request;
  request.prompt = ask_.prompts[index / static_cast<size_t>(ask_.n)];
  request.sampling = ask_.sampling;
  request.sequence = index % static_cast<size_t>(ask_.n);
  request.max_tokens = ask_.max_tokens;
  if (ask_.context_tokens > 0)
    request.max_tokens = std::min(ask_.max_tokens, ask_.context_tokens - choice.prompt_usage.prompt);
  if (!ask_.show_end) request.end_ids = ask_.end_ids;
  request.allowed = context_.text.allowed();
  request.constraint = ask_.constraint;
  request.token_logits = ask_.top_logprobs >= 0;
  request.prompt_logits = ask_.prompt_logprobs;
  request.cache_scope = ask_.cache_scope;
  choice.submitted = std::chrono::steady_clock::now();
  const Result<RequestId> id = context_.engine.submit(std::move(request), choice.feed);
  if (!id) return refuse(id.error());
  choice.request = *id;
  return {};
}

void Generation::submit_copies(size_t first) {
  for (size_t i = first + 1; i < first + static_cast<size_t>(ask_.n); ++i)
    if (const auto sent = submit(i); !sent) {
      fail(sent.error());
      return;
    }
}

bool Generation::pull(std::string& out) {
  for (size_t i = 0; i < choices_.size() && !done_; ++i) follow(i);
  if (!done_ && open_ == 0) {
    writer_->ended(total_);
    done_ = true;
    finish_record();
  }
  out += failure_ ? error_body(writer_->style(), *failure_, scope_->facts.id) : writer_->take();
  return done_;
}

// Everything that is new about one choice, in the order in which it happened.
void Generation::follow(size_t index) {
  Choice& choice = *choices_[index];
  if (choice.over) return;
  TokenFeed::News news = choice.feed->take();
  if (news.admitted) choice.admitted = choice.prefilled = *news.admitted;
  if (news.prefilled) choice.prefilled = *news.prefilled;
  if (news.cached) {
    choice.prompt_usage.cached = *news.cached;
    if (!std::exchange(started_, true)) writer_->started(choice.prompt_usage);
    writer_->handle(static_cast<int>(index), choice.handle);
  }
  for (const TokenProbs& probs : news.prompt_probs)
    writer_->prompt_token(static_cast<int>(index), ++choice.prompt_position, probs);
  if (news.prefilled && index % static_cast<size_t>(ask_.n) == 0) submit_copies(index);
  if (index == 0) note_times(news.tokens);
  TimePoint last = choice.prefilled;
  for (size_t i = 0; i < news.tokens.size() && !choice.finished(); ++i) {
    last = news.tokens[i].at;
    choice.push(news.tokens[i].id,
                news.probs.empty() ? std::nullopt : std::optional(std::move(news.probs[i])));
  }
  if (done_) return;

  if (!news.end && !choice.finished()) return;
  if (!news.end) context_.engine.cancel(*choice.request);  // a stop string: what it still makes is not wanted
  const FinishInfo info = news.end ? *news.end : choice.cut_short(last);
  if (!choice.finished()) {
    const bool broken = info.reason != EndReason::kStop && info.reason != EndReason::kLength;
    if (broken && choice.ids.empty() && !head_shown_) {
      if (info.reason == EndReason::kError) return fail({.status = 500, .message = info.error});
      return fail(server_busy(waited_too_long_
                                  ? "The server is too busy: the request could not begin in time."
                                  : "The server is shutting down."));
    }
    choice.finish(broken                            ? FinishCause::kFailure
                  : info.reason == EndReason::kStop ? FinishCause::kEos
                                                    : FinishCause::kLength);
  }
  choice.over = true;
  choice.report(info);
  context_.metrics.count(ServerEvent::kToolCalls, static_cast<int64_t>(choice.call_ids.size()));
  context_.metrics.count(ServerEvent::kToolRepairs, choice.repairs());
  context_.metrics.count(ServerEvent::kToolFailures, choice.failures());
  TokenUsage usage = choice.usage();
  if (index % static_cast<size_t>(ask_.n) != 0) usage.prompt = usage.cached = 0;  // a prompt counts once
  total_ += usage;
  --open_;
  if (index == 0) {
    RequestFacts& facts = scope_->facts;
    facts.finish_reason = finish_reason_name(choice.end().reason);
    facts.info = info;
    if (context_.keep_text) facts.answer = choice.message.message.reasoning + choice.message.message.content;
  }
  if (ask_.chat) remember(choice, info);
}

// So that the next request of this conversation finds its tokens again.
void Generation::remember(const Choice& choice, const FinishInfo& info) {
  const ParsedMessage& parsed = choice.message.message;
  FinishedTurn turn;
  turn.prompt = ask_.prompts[choice.prompt_index];
  turn.answer = choice.ids;
  turn.mode = ask_.chat->mode;
  turn.handle = choice.handle;
  turn.whole = info.reason == EndReason::kStop && info.end_id >= 0;
  turn.message.role = "assistant";
  turn.message.reasoning_content = parsed.reasoning;
  turn.message.content = parsed.content;
  for (size_t i = 0; i < parsed.calls.size(); ++i)
    turn.message.tool_calls.push_back({choice.call_ids[i], parsed.calls[i].name, parsed.calls[i].arguments});
  // A continued message: what the client had sent of it comes back with the rest.
  const Message& last = ask_.chat->messages.back();
  if (last.role == "assistant" && (last.prefix || ask_.chat->continue_last)) {
    turn.message.reasoning_content.insert(0, last.reasoning_content);
    turn.message.content.insert(0, last.content);
  }
  context_.replay.remember(ask_.cache_scope, turn);
}

void Generation::note_times(const std::vector<TokenFeed::Token>& tokens) {
  RequestFacts& facts = scope_->facts;
  for (const TokenFeed::Token& token : tokens) {
    if (!facts.first_token)
      facts.first_token = token.at;
    else
      context_.metrics.token_gap(std::chrono::duration<double>(token.at - *facts.last_token).count());
    facts.last_token = token.at;
  }
}

void Generation::fail(const ApiError& error) {
  done_ = true;
  if (head_shown_) {
    writer_->failed(error);
  } else {
    failure_ = error;
    failure_head_ = error_head(error);
  }
  finish_record();
}

void Generation::finish_record() {
  RequestFacts& facts = scope_->facts;
  facts.usage = total_;
  for (const auto& choice : choices_)
    if (!choice->over) facts.usage += choice->usage();
  if (failure_) facts.error = failure_->message;
  if (head_shown_ || done_) facts.status = failure_ ? failure_->status : writer_->head().status;
}

const HttpHead& Generation::head() {
  head_shown_ = true;
  return failure_ ? failure_head_ : writer_->head();
}

// Also the moment to look at the clock: a request that still waits for the engine may have waited enough.
std::string_view Generation::keep_alive() {
  const double waited =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - scope_->facts.came).count();
  if (!started_ && !done_ && waited > context_.queue_seconds && !std::exchange(waited_too_long_, true))
    for (const auto& choice : choices_)
      if (choice->request) context_.engine.cancel(*choice->request);
  return writer_->keep_alive();
}

}  // namespace hadal::serve
