// What is put back into a conversation, and what is not.
#include "assistant/replay.h"

#include <gtest/gtest.h>

#include <thread>

#include "assistant/assistant_support.h"

namespace hadal {
namespace {

using namespace test;

const PromptTemplate& style() {
  return prompt_template(PromptGeneration::kV4Official);
}
const std::string kEnd(special::kEndThink);

Message said(std::string role, std::string content) {
  Message message;
  message.role = std::move(role);
  message.content = std::move(content);
  return message;
}

ChatRequest hello() {
  ChatRequest request;
  request.tools = {R"({"name": "f", "description": "", "parameters": {}})"};
  request.messages = {said("system", "Be brief."), said("user", "Hello")};
  return request;
}

std::vector<int32_t> ids_for(Replay& replay, const ChatRequest& request, std::string_view owner = "me") {
  const auto ids = replay.prompt_ids(owner, *encode_chat(request, style()));
  EXPECT_TRUE(ids);
  return ids.value_or(std::vector<int32_t>{});
}

std::vector<int32_t> usual(const ChatRequest& request) {
  return *prompt_ids(*encode_chat(request, style()), mini_tokenizer());
}

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool begins(const std::vector<int32_t>& ids, const std::vector<int32_t>& with) {
  return ids.size() >= with.size() && std::equal(with.begin(), with.end(), ids.begin());
}

// "Hm." and "Yes.", letter by letter.
const std::vector<std::string> kAnswer = {"H", "m", ".", kEnd, "Y", "e", "s", "."};

Message answer_message() {
  Message message = said("assistant", "Yes.");
  message.reasoning_content = "Hm.";
  return message;
}

class ReplayTest : public testing::Test {
 protected:
  // Asks, answers and goes on. Returns the ids up to the end of the answer.
  std::vector<int32_t> one_turn(const std::vector<std::string>& sampled, const Message& message,
                                bool whole = true) {
    const auto prompt = ids_for(replay_, request_);
    const auto answer = ids_of(sampled);
    handle_ = replay_.remember("me", {prompt, answer, message, request_.mode, whole});
    request_.messages.push_back(message);
    request_.messages.push_back(said("user", "And now?"));
    return joined(joined(prompt, answer), ids_of({std::string(special::kEos)}));
  }

  Replay replay_{mini_tokenizer(), style()};
  ChatRequest request_ = hello();
  std::string handle_;
};

TEST_F(ReplayTest, WithoutAMemoryEverythingIsUsual) {
  EXPECT_EQ(ids_for(replay_, request_), usual(request_));
  request_.messages.push_back(answer_message());
  request_.messages.push_back(said("user", "And now?"));
  EXPECT_EQ(ids_for(replay_, request_), usual(request_));
  EXPECT_EQ(replay_.stats().replayed, 0);
  EXPECT_TRUE(replay_.prompt_ids("me", {})->empty());
}

TEST_F(ReplayTest, TheNextTurnGoesOnFromWhatWasSampled) {
  const auto first = one_turn(kAnswer, answer_message());
  const auto second = ids_for(replay_, request_);
  EXPECT_NE(second, usual(request_));
  EXPECT_EQ(text_of(second), text_of(usual(request_)));
  EXPECT_TRUE(begins(second, first));
  // And so does the one after it.
  const auto third = one_turn(kAnswer, answer_message());
  EXPECT_TRUE(begins(third, second));
  EXPECT_TRUE(begins(ids_for(replay_, request_), third));
  EXPECT_EQ(replay_.stats().turns, 2);
  // An earlier place of the conversation too.
  request_.messages.resize(4);
  request_.messages.back().content = "Something else.";
  EXPECT_TRUE(begins(ids_for(replay_, request_), first));
}

TEST_F(ReplayTest, NewlinesThatTheParserSwallowedAreStillThere) {
  const auto first = one_turn({"\n", "H", "m", ".", "\n\n", kEnd, "\n\n", "Yes."}, answer_message());
  EXPECT_TRUE(begins(ids_for(replay_, request_), first));
}

TEST_F(ReplayTest, WhatAClientChangedIsAsItSays) {
  one_turn(kAnswer, answer_message());
  const auto changed = [&](auto&& change) {
    ChatRequest request = request_;
    change(request);
    EXPECT_EQ(ids_for(replay_, request), usual(request));
  };
  changed([](ChatRequest& r) { r.messages[2].content = "Yes"; });
  changed([](ChatRequest& r) { r.messages[2].reasoning_content = "Hmm."; });
  changed([](ChatRequest& r) { r.messages[2].reasoning_content = "", r.messages[2].content = "Yes"; });
  changed([](ChatRequest& r) { r.messages[2].tool_calls = {{"c", "f", "{}"}}; });
  changed([](ChatRequest& r) { r.messages[1].content = "Hello!"; });  // another prompt before it
  changed([](ChatRequest& r) { r.messages[0].content = ""; });
  changed([](ChatRequest& r) { r.mode = Mode::kChat; });
  changed([](ChatRequest& r) { r.tools.clear(); });  // its reasoning is dropped then
  changed([](ChatRequest& r) { r.messages[2].prefix = true, r.messages.resize(3); });  // it has no end
}

TEST_F(ReplayTest, ReasoningThatIsLeftOutIsStillThere) {
  const auto first = one_turn(kAnswer, answer_message());
  request_.messages[2].reasoning_content = "";
  EXPECT_TRUE(begins(ids_for(replay_, request_), first));
  EXPECT_EQ(replay_.stats().reasonings, 1);
  EXPECT_EQ(ids_for(replay_, request_, "you"), usual(request_));
  ChatRequest bare = request_;
  bare.tools.clear();  // where reasoning is dropped, none comes back
  EXPECT_EQ(ids_for(replay_, bare), usual(bare));
  // The turn after it is found too, whatever it lacks.
  const auto second = one_turn(kAnswer, answer_message());
  EXPECT_TRUE(begins(ids_for(replay_, request_), second));
  request_.messages[4].reasoning_content = "";
  EXPECT_TRUE(begins(ids_for(replay_, request_), second));
}

// An answer that was given without reasoning is that one, not another one's rest.
TEST_F(ReplayTest, AnAnswerWithoutReasoningIsItself) {
  const ChatRequest asked = request_;
  one_turn(kAnswer, answer_message());
  request_ = asked;
  const auto first = one_turn({kEnd, "Ye", "s."}, said("assistant", "Yes."));
  EXPECT_TRUE(begins(ids_for(replay_, request_), first));
  EXPECT_EQ(replay_.stats().reasonings, 0);
}

TEST_F(ReplayTest, NobodySeesWhatOthersSaid) {
  Message message = answer_message();
  message.tool_calls = {{"call_1", "f", R"({"a": 1})"}};
  one_turn(kAnswer, message);
  EXPECT_EQ(ids_for(replay_, request_, "you"), usual(request_));
  EXPECT_EQ(ids_for(replay_, request_, ""), usual(request_));
  std::vector<Message> messages = request_.messages;
  messages[2].reasoning_content = "";
  messages[2].tool_calls[0].arguments = R"({"a":1})";
  replay_.restore("you", messages);
  EXPECT_EQ(messages[2].reasoning_content, "");
  EXPECT_EQ(messages[2].tool_calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(replay_.reasoning("you", handle_), std::nullopt);
  EXPECT_EQ(replay_.reasoning("me", handle_), "Hm.");
}

TEST_F(ReplayTest, HandlesThatMeanNothing) {
  one_turn(kAnswer, answer_message());
  EXPECT_EQ(handle_.size(), 32u);
  for (const std::string handle : {"", "x", "00000000000000000000000000000000"})
    EXPECT_EQ(replay_.reasoning("me", handle), std::nullopt);
  EXPECT_EQ(replay_.reasoning("me", handle_ + "0"), std::nullopt);
}

TEST_F(ReplayTest, AnswersThatAreNoTurn) {
  const auto ids = ids_of({std::string(special::kBos), "x"});
  EXPECT_EQ(replay_.remember("me", {ids, ids, answer_message(), Mode::kChat, true}), "");
  EXPECT_EQ(replay_.stats().turns, 0);
}

TEST_F(ReplayTest, ACutAnswerKeepsTheIdsOfItsText) {
  // By a limit in the reasoning: "</think>" comes from the message.
  Message message = said("assistant", "");
  message.reasoning_content = "Hm";
  auto first = one_turn({"H", "m"}, message, false);
  first.pop_back();
  auto second = ids_for(replay_, request_);
  EXPECT_TRUE(begins(second, first));
  EXPECT_EQ(text_of(second), text_of(usual(request_)));

  // By a stop string, of which the client has nothing.
  request_ = hello();
  request_.messages[1].content = "Stop";
  const auto prompt = ids_for(replay_, request_);
  message = said("assistant", "Ye");
  one_turn({kEnd, "Y", "e", "s", "."}, message, false);
  second = ids_for(replay_, request_);
  EXPECT_TRUE(begins(second, joined(prompt, ids_of({kEnd, "Y", "e", std::string(special::kEos)}))));
  EXPECT_EQ(text_of(second), text_of(usual(request_)));

  // The stop string ended inside a token.
  request_ = hello();
  request_.messages[1].content = "Inside";
  one_turn({kEnd, "Y", "es", "."}, message, false);
  EXPECT_EQ(text_of(ids_for(replay_, request_)), text_of(usual(request_)));
}

TEST_F(ReplayTest, ACutCallIsAsTheClientHasIt) {
  Message message = said("assistant", "");
  message.tool_calls = {{"call_1", "f", R"({"a": "b)"}};
  const std::string dsml(special::kDsml);
  one_turn({kEnd, "\n\n", "<", dsml, "tool_calls>\n", "<", dsml, "invoke name=\"f\">\n", "<", dsml,
            "parameter name=\"a\" string=\"true\">b"},
           message, false);
  EXPECT_EQ(text_of(ids_for(replay_, request_)), text_of(usual(request_)));
}

TEST_F(ReplayTest, AContinuedMessageIsOneTurn) {
  request_.messages.push_back(said("assistant", "Y"));
  request_.messages.back().prefix = true;
  request_.mode = Mode::kChat;
  const auto prompt = ids_for(replay_, request_);
  const auto answer = ids_of({"e", "s", "."});
  request_.messages.pop_back();
  replay_.remember("me", {prompt, answer, said("assistant", "Yes."), request_.mode, true});
  request_.messages.push_back(said("assistant", "Yes."));
  request_.messages.push_back(said("user", "Go on."));
  EXPECT_TRUE(begins(ids_for(replay_, request_), joined(prompt, answer)));
}

TEST_F(ReplayTest, AForcedCallIsOneTurn) {
  request_.mode = Mode::kChat;
  request_.forced_tool = true;
  const auto prompt = ids_for(replay_, request_);
  const std::string dsml(special::kDsml);
  const auto answer =
      ids_of({"<", dsml, "invoke", " name=\"f\">\n\n</", dsml, "invoke>\n\n", "</", dsml, "tool_calls>"});
  Message message = said("assistant", "");
  message.tool_calls = {{"call_1", "f", "{}"}};
  replay_.remember("me", {prompt, answer, message, request_.mode, true});
  request_.forced_tool = false;
  request_.messages.push_back(message);
  request_.messages.push_back(said("tool", "done"));
  EXPECT_TRUE(begins(ids_for(replay_, request_), joined(prompt, answer)));
}

class Restore : public ReplayTest {
 protected:
  void SetUp() override {
    Message message = answer_message();
    message.tool_calls = {{"call_1", "f", R"({"path": "a/b", "n": 1.0, "o": {"x": [1, 2], "y": "é"}})"},
                          {"call_2", "f", "{broken"}};
    first_ = one_turn(kAnswer, message);
    request_.messages.back() = said("tool", "done");
    given_ = request_.messages;
  }
  std::vector<Message> restored(auto&& change) {
    std::vector<Message> messages = given_;
    change(messages);
    replay_.restore("me", messages);
    return messages;
  }
  std::vector<int32_t> first_;
  std::vector<Message> given_;
};

TEST_F(Restore, ArgumentsThatSayTheSame) {
  for (const char* spelling : {R"({"o":{"y":"\u00e9","x":[1,2]},"n":1,"path":"a\/b"})",
                               R"({ "n": 1e0, "path": "a/b", "o": {"x": [1.0, 2], "y": "é"} })"}) {
    const auto messages = restored([&](auto& m) { m[2].tool_calls[0].arguments = spelling; });
    EXPECT_EQ(messages[2].tool_calls[0].arguments, given_[2].tool_calls[0].arguments);
    request_.messages = messages;
    EXPECT_TRUE(begins(ids_for(replay_, request_), first_));
  }
  EXPECT_EQ(replay_.stats().arguments, 2);
}

TEST_F(Restore, ArgumentsThatDiffer) {
  for (const char* other : {R"({"path": "a/c", "n": 1.0, "o": {"x": [1, 2], "y": "é"}})", "{}", "", "{broken",
                            R"({"path": "a/b", "n": 1.0})"}) {
    const auto messages = restored([&](auto& m) { m[2].tool_calls[0].arguments = other; });
    EXPECT_EQ(messages[2].tool_calls[0].arguments, other);
  }
  // Of another function, and what was no JSON.
  auto messages =
      restored([&](auto& m) { m[2].tool_calls[0].name = "g", m[2].tool_calls[0].arguments = "{}"; });
  EXPECT_EQ(messages[2].tool_calls[0].arguments, "{}");
  messages = restored([&](auto& m) { m[2].tool_calls[1].arguments = "{}"; });
  EXPECT_EQ(messages[2].tool_calls[1].arguments, "{}");
  EXPECT_EQ(replay_.stats().arguments, 0);
}

TEST_F(Restore, ReasoningThatIsMissing) {
  auto messages = restored([](auto& m) { m[2].reasoning_content = ""; });
  EXPECT_EQ(messages[2].reasoning_content, "Hm.");
  EXPECT_EQ(replay_.stats().reasonings, 1);
  messages = restored([](auto& m) { m[2].reasoning_content = "Mine."; });
  EXPECT_EQ(messages[2].reasoning_content, "Mine.");
  messages = restored([](auto& m) {
    m[2].reasoning_content = "";
    m[2].tool_calls.erase(m[2].tool_calls.begin());  // one known call is enough
  });
  EXPECT_EQ(messages[2].reasoning_content, "Hm.");
  messages = restored([](auto& m) {
    m[2].reasoning_content = "";
    for (ToolCall& call : m[2].tool_calls) call.id += "x";
  });
  EXPECT_EQ(messages[2].reasoning_content, "");
  messages = restored([](auto& m) { m[2].reasoning_content = "", m[2].role = "user"; });
  EXPECT_EQ(messages[2].reasoning_content, "");
  EXPECT_EQ(replay_.stats().reasonings, 2);
}

// A turn that comes in pieces: its reasoning is put back once, and not where a piece has it.
TEST_F(Restore, ATurnInSeveralMessages) {
  const auto split = [](auto& m) {
    m.insert(m.begin() + 2, said("assistant", m[2].content));
    m[3].content = "";
    m[3].reasoning_content = "";
  };
  auto messages = restored(split);
  EXPECT_EQ(messages[2].reasoning_content + messages[3].reasoning_content, "Hm.");
  messages = restored([&](auto& m) {
    split(m);
    m[2].reasoning_content = "Hm.";
  });
  EXPECT_EQ(messages[3].reasoning_content, "");
  request_.messages = messages;
  EXPECT_TRUE(begins(ids_for(replay_, request_), first_));
}

TEST(ReplayLimit, TheLeastRecentlyUsedAreForgotten) {
  Replay replay(mini_tokenizer(), style(), {int64_t{1} << 20, 3});
  const auto prompt = usual(hello());
  const auto remember = [&](const std::string& id) {
    Message message = answer_message();
    message.content = id;
    message.tool_calls = {{id, "f", "{}"}};
    return replay.remember("me", {prompt, ids_of(kAnswer), message, Mode::kThinking, true});
  };
  const auto knows = [&](const std::string& id) {
    std::vector<Message> messages = {said("assistant", "")};
    messages[0].tool_calls = {{id, "f", "{}"}};
    replay.restore("me", messages);
    return !messages[0].reasoning_content.empty();
  };
  const std::string a = remember("a");
  remember("b");
  remember("c");
  EXPECT_EQ(replay.stats().turns, 3);
  EXPECT_TRUE(knows("a"));  // used again
  remember("d");
  EXPECT_EQ(replay.stats().turns, 3);
  EXPECT_FALSE(knows("b"));
  EXPECT_TRUE(knows("a") && knows("c") && knows("d"));
  EXPECT_EQ(replay.reasoning("me", a), "Hm.");
  for (int i = 0; i < 100; ++i) remember(std::to_string(i));
  EXPECT_EQ(replay.stats().turns, 3);
  EXPECT_EQ(replay.reasoning("me", a), std::nullopt);
}

TEST(ReplayLimit, BytesAreCounted) {
  Replay replay(mini_tokenizer(), style(), {20'000, 1000});
  const auto prompt = usual(hello());
  Message message = answer_message();
  for (int i = 0; i < 200; ++i) {
    message.content = std::string(static_cast<size_t>(i % 50) * 20, 'x') + std::to_string(i);
    EXPECT_NE(replay.remember("me", {prompt, ids_of(kAnswer), message, Mode::kThinking, true}), "");
    EXPECT_LE(replay.stats().bytes, 20'000);
    EXPECT_GT(replay.stats().bytes, 0);
  }
  EXPECT_GT(replay.stats().turns, 5);
  message.content = std::string(30'000, 'x');  // more than there is room for
  const int64_t turns = replay.stats().turns;
  EXPECT_EQ(replay.remember("me", {prompt, ids_of(kAnswer), message, Mode::kThinking, true}), "");
  EXPECT_EQ(replay.stats().turns, turns);
}

// The same answer again, with other ids for its calls: both are known, and both go in the end.
TEST(ReplayLimit, AnAnswerThatComesAgain) {
  Replay replay(mini_tokenizer(), style(), {int64_t{1} << 20, 2});
  const auto prompt = usual(hello());
  const auto remember = [&](const std::string& id) {
    Message message = answer_message();
    message.tool_calls = {{id, "f", "{}"}};
    return replay.remember("me", {prompt, ids_of(kAnswer), message, Mode::kThinking, true});
  };
  const std::string handle = remember("a");
  EXPECT_EQ(remember("b"), handle);
  for (const char* id : {"a", "b"}) {
    std::vector<Message> messages = {said("assistant", "")};
    messages[0].tool_calls = {{id, "f", "{}"}};
    replay.restore("me", messages);
    EXPECT_EQ(messages[0].reasoning_content, "Hm.") << id;
  }
  EXPECT_EQ(replay.reasoning("me", handle), "Hm.");
  remember("c");
  remember("d");
  EXPECT_EQ(replay.stats().turns, 2);
  EXPECT_EQ(replay.reasoning("me", handle), "Hm.");
}

TEST(ReplayThreads, ManyAtOnce) {
  Replay replay(mini_tokenizer(), style(), {100'000, 20});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&replay, t] {
      const std::string owner = std::to_string(t % 2);
      for (int i = 0; i < 50; ++i) {
        ChatRequest request = hello();
        request.messages[1].content = std::to_string(i % 10);
        const auto prompt = ids_for(replay, request, owner);
        Message message = answer_message();
        message.tool_calls = {{owner + "/" + std::to_string(i % 10), "f", "{}"}};
        std::vector<int32_t> answer =
            *prompt_ids(*turn_items(message, request.mode, style()), mini_tokenizer());
        answer.erase(answer.begin());  // "<think>", which is in the prompt
        const std::string handle = replay.remember(owner, {prompt, answer, message, request.mode, true});
        message.reasoning_content = "";
        request.messages.push_back(message);
        replay.restore(owner, request.messages);
        request.messages.push_back(said("tool", "done"));
        EXPECT_EQ(text_of(ids_for(replay, request, owner)), text_of(usual(request)));
        replay.reasoning(owner, handle);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(replay.stats().turns, 20);
}

}  // namespace
}  // namespace hadal
