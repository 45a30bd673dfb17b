// A conversation on the engine: what the second turn need not compute again.
#include <gtest/gtest.h>

#include <algorithm>

#include "assistant/answer_stream.h"
#include "assistant/assistant_support.h"
#include "assistant/replay.h"
#include "assistant/text_model.h"
#include "cpu/cpu_ops.h"
#include "engine/engine.h"

namespace hadal {
namespace {

using namespace test;

class Sink : public EventSink {
 public:
  Sink(const Tokenizer& tokenizer, ParserOptions options) : stream(tokenizer, std::move(options), message) {}

  void on_start(int64_t from_cache, int64_t) override { cached = from_cache; }
  bool on_token(const TokenEvent& event) override {
    ids.push_back(event.id);
    stream.push(event.id);
    return !stream.finished();
  }
  void on_finish(const FinishInfo& end) override {
    stream.finish(end.reason == EndReason::kStop ? FinishCause::kEos : FinishCause::kLength);
    info = end;
  }

  CollectingSink message;
  AnswerStream stream;
  std::vector<int32_t> ids;
  int64_t cached = -1;
  FinishInfo info;
};

class Talk {
 public:
  explicit Talk(bool replays) : replays_(replays) {
    PrefixCacheOptions options;
    options.identity = {{1, 2}, "release", "v4-official", text_.model()->state_layout().block_bytes};
    KvPool pool(ops_);
    engine_ = std::make_unique<Engine>(
        text_.model(), ops_, pool, EngineConfig{},
        std::make_unique<PrefixCache>(text_.model()->state_layout(), pool, std::move(options)));
    // Tokens of at most two bytes: never the usual ones.
    short_ids_ = std::make_shared<std::vector<uint32_t>>((text_.model()->config().vocab_size + 31) / 32);
    for (int32_t id = 0; id < text_.tokenizer().vocab_size(); ++id)
      if (text_.tokenizer().has_token(id) && !text_.tokenizer().is_added(id) &&
          text_.tokenizer().token_bytes(id).size() <= 2)
        (*short_ids_)[static_cast<size_t>(id / 32)] |= 1u << (id % 32);
    request_.mode = Mode::kChat;
  }

  struct Turn {
    int64_t prompt = 0, cached = 0, generated = 0;
  };
  Turn say(const std::string& text, int64_t tokens) {
    Message user;
    user.role = "user";
    user.content = text;
    request_.messages.push_back(user);
    const auto items = *text_.items(request_);
    Request work;
    work.prompt = replays_ ? *replay_.prompt_ids("me", items) : *prompt_ids(items, text_.tokenizer());
    work.sampling.seed = 7;
    work.max_tokens = tokens;
    work.end_ids = text_.end_ids();
    work.allowed = short_ids_;
    ParserOptions parser;
    parser.start = parser_start(items);
    const std::vector<int32_t> prompt = work.prompt;
    const auto sink = std::make_shared<Sink>(text_.tokenizer(), parser);
    EXPECT_TRUE(engine_->submit(std::move(work), sink));
    engine_->drain();
    Message answer;
    answer.role = "assistant";
    answer.content = sink->message.message.content;
    replay_.remember("me", {prompt, sink->ids, answer, request_.mode, sink->info.reason == EndReason::kStop});
    request_.messages.push_back(answer);
    EXPECT_EQ(sink->cached, sink->info.cached_tokens);
    return {static_cast<int64_t>(prompt.size()), sink->cached, sink->info.generated_tokens};
  }

 private:
  const bool replays_;
  TextModel text_{Model::open(kMini, Numerics::kRelease), kMini};
  CpuOps ops_{CpuOptions{1, ""}};
  std::unique_ptr<Engine> engine_;
  Replay replay_{text_.tokenizer(), text_.style()};
  std::shared_ptr<std::vector<uint32_t>> short_ids_;
  ChatRequest request_;
};

// All of the turn before comes out of the cache but for what is beyond the last multiple of 128, where state
// can be taken up again (docs/state.md).
TEST(ReplayEngine, TheSecondTurnIsOnlyTheNewText) {
  Talk with(true), without(false);
  int64_t before = 0;
  for (const int64_t tokens : {140, 20, 130, 5}) {
    const Talk::Turn turn = with.say("Tell me a story about a fox and a star.", tokens);
    EXPECT_EQ(turn.cached, std::max<int64_t>(before - 1, 0) / kBlockTokens * kBlockTokens);
    EXPECT_EQ(turn.generated, tokens);  // a mask without EOS
    before = turn.prompt + turn.generated;
  }
  EXPECT_GT(before, 300);
  // Tokenised anew, the answers are other ids, and nothing after the first of them is found.
  without.say("Tell me a story about a fox and a star.", 140);
  EXPECT_EQ(without.say("Tell me a story about a fox and a star.", 10).cached, 0);
}

}  // namespace
}  // namespace hadal
