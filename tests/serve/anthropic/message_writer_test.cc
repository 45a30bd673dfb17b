#include "serve/anthropic/message_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "text/json_value.h"

namespace hadal::serve::anthropic {
namespace {

constexpr const char* kId = "msg_01abcdef0123456789abcdef";

MessageForm make_form(bool stream, bool thinking = true) {
  MessageForm form;
  form.id = kId;
  form.model = "deepseek-v4-pro";
  form.thinking = thinking;
  form.stream = stream;
  return form;
}

ChoiceEnd make_end(FinishReason reason, std::string stop = {}) {
  ChoiceEnd end;
  end.reason = reason;
  end.stop = std::move(stop);
  end.usage = {366, 256, 61, 6};
  return end;
}

void finish(AnswerWriter& writer, const ChoiceEnd& end) {
  writer.finished(0, end);
  writer.ended(end.usage);
}

// The example of the contract.
void play_example(AnswerWriter& writer) {
  writer.handle(0, "c2lnOm1zZ18wMQ==");
  writer.started({366, 256, 0, 0});
  writer.reasoning(0, "I should call");
  writer.content(0, "Let me check.");
  writer.call(0, 0, "get_weather", "toolu_8f3a0c");
  writer.arguments(0, 0, R"({"location": "Hang)");
  writer.arguments(0, 0, R"(zhou"})");
  finish(writer, make_end(FinishReason::kToolCalls));
}

TEST(MessageWriter, AStreamToTheLetter) {
  const auto writer = make_message_writer(make_form(true));
  play_example(*writer);
  EXPECT_EQ(writer->take(), R"(event: message_start
data: {"type":"message_start","message":{"id":"msg_01abcdef0123456789abcdef","type":"message","role":"assistant","model":"deepseek-v4-pro","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":110,"cache_creation_input_tokens":0,"cache_read_input_tokens":256,"output_tokens":0,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"I should call"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2lnOm1zZ18wMQ=="}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me check."}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_8f3a0c","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"location\": \"Hang"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"zhou\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":110,"cache_creation_input_tokens":0,"cache_read_input_tokens":256,"output_tokens":61}}

event: message_stop
data: {"type":"message_stop"}

)");
}

TEST(MessageWriter, AWholeMessageToTheLetter) {
  const auto writer = make_message_writer(make_form(false));
  play_example(*writer);
  EXPECT_EQ(
      writer->take(),
      R"({"id":"msg_01abcdef0123456789abcdef","type":"message","role":"assistant","model":"deepseek-v4-pro",)"
      R"("content":[{"type":"thinking","thinking":"I should call","signature":"c2lnOm1zZ18wMQ=="},)"
      R"({"type":"text","text":"Let me check."},)"
      R"({"type":"tool_use","id":"toolu_8f3a0c","name":"get_weather","input":{"location": "Hangzhou"}}],)"
      R"("stop_reason":"tool_use","stop_sequence":null,)"
      R"("usage":{"input_tokens":110,"cache_creation_input_tokens":0,"cache_read_input_tokens":256,)"
      R"("output_tokens":61,"service_tier":"standard"}})");
  EXPECT_EQ(writer->head().status, 200);
  EXPECT_EQ(writer->head().content_type, "application/json");
}

// What a client makes of a stream, and whether the stream kept the rules.
struct Seen {
  JsonValue message;
  std::vector<std::string> blocks;  // "thinking TEXT SIGNATURE", "text TEXT", "tool_use NAME INPUT"
  std::string stop_reason, stop_sequence, error;
  int pings = 0;
  bool over = false;
};
std::string text_at(const JsonValue& value, std::initializer_list<const char*> path) {
  const JsonValue* here = &value;
  for (const char* key : path)
    if ((here = here->find(key)) == nullptr) return {};
  return here->text;
}
Seen see(const std::string& stream) {
  Seen seen;
  std::string open;  // of the block that is open
  int index = -1;
  for (size_t at = 0; at < stream.size();) {
    const size_t end = stream.find("\n\n", at);
    const std::string event = stream.substr(at, end - at);
    at = end + 2;
    const size_t line = event.find('\n');
    EXPECT_EQ(event.find('\n', line + 1), std::string::npos) << "one line of data";
    const std::string name = event.substr(7, line - 7);
    const auto data = parse_json(event.substr(line + 7));
    EXPECT_TRUE(data && event.starts_with("event: ") && event.substr(line + 1, 6) == "data: ") << event;
    if (!data) return seen;
    EXPECT_EQ(text_at(*data, {"type"}), name);
    EXPECT_FALSE(seen.over) << "nothing comes after the end";
    if (name == "message_start") seen.message = *data->find("message");
    if (name == "ping") {
      ++seen.pings;
      EXPECT_EQ(index, 0) << "after the first block start";
      EXPECT_TRUE(data->keys.size() == 1);
    }
    if (name == "content_block_start") {
      EXPECT_TRUE(open.empty()) << "one block at a time";
      EXPECT_EQ(text_at(*data, {"index"}), std::to_string(++index));
      open = text_at(*data, {"content_block", "type"});
      seen.blocks.push_back(open + " " + text_at(*data, {"content_block", "name"}));
    }
    if (name == "content_block_delta") {
      EXPECT_EQ(text_at(*data, {"index"}), std::to_string(index));
      const std::string type = text_at(*data, {"delta", "type"});
      const std::string& block = seen.blocks.back();
      if (type == "signature_delta") {
        EXPECT_EQ(open, "thinking");
        EXPECT_EQ(stream.substr(at, 25), "event: content_block_stop");
        EXPECT_FALSE(text_at(*data, {"delta", "signature"}).empty());
      } else {
        EXPECT_EQ(type, open == "thinking" ? "thinking_delta"
                        : open == "text"   ? "text_delta"
                                           : "input_json_delta")
            << block;
      }
      for (const char* member : {"thinking", "text", "partial_json", "signature"})
        seen.blocks.back() += text_at(*data, {"delta", member});
    }
    if (name == "content_block_stop") {
      EXPECT_EQ(text_at(*data, {"index"}), std::to_string(index));
      EXPECT_FALSE(open.empty());
      open.clear();
    }
    if (name == "message_delta") {
      EXPECT_TRUE(open.empty());
      seen.stop_reason = text_at(*data, {"delta", "stop_reason"});
      seen.stop_sequence = text_at(*data, {"delta", "stop_sequence"});
      for (const char* count :
           {"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"})
        EXPECT_FALSE(text_at(*data, {"usage", count}).empty()) << count;
    }
    if (name == "error") seen.error = text_at(*data, {"error", "type"});
    seen.over = name == "message_stop" || name == "error";
  }
  return seen;
}

TEST(MessageWriter, EveryOrderOfPartsGivesBlocksInARow) {
  // r: reasoning, c: content, f: a call with arguments, e: one without. Every word of up to four of them.
  std::vector<std::string> words = {""};
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i].size() < 4)
      for (const char part : {'r', 'c', 'f', 'e'}) words.push_back(words[i] + part);
  EXPECT_EQ(words.size(), 341u);
  for (const std::string& word : words) {
    for (const bool thinking : {true, false}) {
      const auto stream = make_message_writer(make_form(true, thinking));
      const auto whole = make_message_writer(make_form(false, thinking));
      std::vector<std::string> expected;
      if (thinking) expected.push_back("thinking ");
      int calls = 0;
      for (AnswerWriter* writer : {stream.get(), whole.get()}) writer->started({3, 1, 0, 0});
      for (const char part : word) {
        for (AnswerWriter* writer : {stream.get(), whole.get()}) {
          if (part == 'r') writer->reasoning(0, "hm");
          if (part == 'c') writer->content(0, "so");
          if (part == 'f' || part == 'e') writer->call(0, calls, "f", "id");
          if (part == 'f') writer->arguments(0, calls, R"({"a": 1})");
        }
        const std::string kind = part == 'r' ? "thinking " : part == 'c' ? "text " : "tool_use f";
        if (part == 'f' || part == 'e') {
          ++calls;
          expected.push_back(kind + (part == 'f' ? R"({"a": 1})" : "{}"));
        } else {
          if (expected.empty() || !expected.back().starts_with(kind)) expected.push_back(kind);
          expected.back() += part == 'r' ? "hm" : "so";
        }
      }
      for (std::string& block : expected)
        if (block.starts_with("thinking ")) block += kId;
      const ChoiceEnd end = make_end(FinishReason::kStop);
      finish(*stream, end);
      finish(*whole, end);
      const Seen seen = see(stream->take());
      EXPECT_EQ(seen.blocks, expected) << word;
      EXPECT_EQ(seen.pings, expected.empty() ? 0 : 1) << word;
      EXPECT_EQ(seen.stop_reason, "end_turn");
      EXPECT_TRUE(seen.over);
      const auto message = parse_json(whole->take());
      ASSERT_TRUE(message);
      std::vector<std::string> blocks;
      for (const JsonValue& block : message->find("content")->items) {
        const std::string type = text_at(block, {"type"});
        blocks.push_back(type + " " + text_at(block, {"name"}) + text_at(block, {"thinking"}) +
                         text_at(block, {"text"}) + text_at(block, {"signature"}));
        if (const JsonValue* input = block.find("input"))
          blocks.back() += input->keys.empty() ? "{}" : R"({"a": )" + text_at(*input, {"a"}) + "}";
      }
      EXPECT_EQ(blocks, expected) << word;
    }
  }
}

TEST(MessageWriter, WhyItStopped) {
  const std::tuple<FinishReason, std::string, std::string> cases[] = {
      {FinishReason::kStop, "", "end_turn"},
      {FinishReason::kStop, "END\n", "stop_sequence"},
      {FinishReason::kLength, "", "max_tokens"},
      {FinishReason::kToolCalls, "", "tool_use"},
  };
  for (const auto& [reason, stop, name] : cases) {
    const auto stream = make_message_writer(make_form(true));
    const auto whole = make_message_writer(make_form(false));
    for (AnswerWriter* writer : {stream.get(), whole.get()}) {
      writer->started({3, 1, 0, 0});
      writer->content(0, "x");
      finish(*writer, make_end(reason, stop));
    }
    const Seen seen = see(stream->take());
    EXPECT_EQ(seen.stop_reason, name);
    EXPECT_EQ(seen.stop_sequence, stop);
    const auto message = parse_json(whole->take());
    EXPECT_EQ(text_at(*message, {"stop_reason"}), name);
    EXPECT_EQ(text_at(*message, {"stop_sequence"}), stop);
  }
}

TEST(MessageWriter, ThinkingMayStayHidden) {
  for (const bool stream : {true, false}) {
    MessageForm form = make_form(stream);
    form.show_thinking = false;
    const auto writer = make_message_writer(std::move(form));
    writer->handle(0, "key");
    writer->started({3, 1, 0, 0});
    writer->reasoning(0, "secret");
    writer->content(0, "x");
    finish(*writer, make_end(FinishReason::kStop));
    const std::string out = writer->take();
    EXPECT_EQ(out.find("secret"), std::string::npos);
    if (stream)
      EXPECT_EQ(see(out).blocks, (std::vector<std::string>{"thinking key", "text x"}));
    else
      EXPECT_NE(out.find(R"([{"type":"thinking","thinking":"","signature":"key"},{"type":"text")"),
                std::string::npos);
  }
}

TEST(MessageWriter, ArgumentsThatAreNoObjectAreKept) {
  const auto input = [](const std::string& arguments) {
    const auto writer = make_message_writer(make_form(false, false));
    writer->started({3, 1, 0, 0});
    writer->call(0, 0, "f", "id");
    for (const char c : arguments) writer->arguments(0, 0, std::string_view(&c, 1));
    finish(*writer, make_end(FinishReason::kLength));
    const std::string out = writer->take();
    EXPECT_TRUE(parse_json(out)) << out;
    const size_t at = out.find(R"("input":)") + 8;
    return out.substr(at, out.find(R"(],"stop_reason")") - at - 1);
  };
  EXPECT_EQ(input(""), "{}");
  EXPECT_EQ(input("{}"), "{}");
  EXPECT_EQ(input(R"({"a":"x", "a":"y"})"), R"({"a": "y"})");
  EXPECT_EQ(input("{\"a\":\n1}"), R"({"a": 1})");
  EXPECT_EQ(input(R"({"a": "cut)"), R"({"arguments": "{\"a\": \"cut"})");
  EXPECT_EQ(input("[1]"), R"({"arguments": "[1]"})");
}

TEST(MessageWriter, AStreamThatCutsACallLeavesItCut) {
  const auto writer = make_message_writer(make_form(true, false));
  writer->started({3, 1, 0, 0});
  writer->call(0, 0, "f", "id");
  writer->arguments(0, 0, R"({"a": "cu)");
  finish(*writer, make_end(FinishReason::kLength));
  const Seen seen = see(writer->take());
  EXPECT_EQ(seen.blocks, std::vector<std::string>{R"(tool_use f{"a": "cu)"});
  EXPECT_EQ(seen.stop_reason, "max_tokens");
}

TEST(MessageWriter, AnErrorAfterTheStartEndsTheStream) {
  const auto writer = make_message_writer(make_form(true));
  writer->started({3, 1, 0, 0});
  writer->reasoning(0, "hm");
  writer->take();
  writer->failed({.status = 503, .message = "The server is \"shutting\" down."});
  EXPECT_EQ(writer->take(),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"The server is \\\"shutting\\\" "
            "down.\",\"type\":\"overloaded_error\",\"param\":null,\"code\":null}}\n\n");
  EXPECT_NE(writer->keep_alive(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

TEST(MessageWriter, AnAnswerThatBrokeOffIsAnError) {
  for (const bool stream : {true, false}) {
    const auto writer = make_message_writer(make_form(stream));
    writer->started({3, 1, 0, 0});
    writer->content(0, "half");
    finish(*writer, make_end(FinishReason::kInsufficientResource));
    const std::string out = writer->take();
    if (stream) {
      const Seen seen = see(out);
      EXPECT_EQ(seen.error, "overloaded_error");
      EXPECT_EQ(seen.stop_reason, "");
    } else {
      EXPECT_EQ(writer->head().status, 503);
      EXPECT_EQ(text_at(*parse_json(out), {"error", "type"}), "overloaded_error");
      EXPECT_EQ(text_at(*parse_json(out), {"type"}), "error");
    }
  }
}

TEST(MessageWriter, WhatShowsThatTheStreamLives) {
  const auto writer = make_message_writer(make_form(true));
  EXPECT_EQ(writer->keep_alive(), ": keep-alive\n\n");
  writer->started({3, 1, 0, 0});
  EXPECT_EQ(writer->keep_alive(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  MessageForm quiet = make_form(true);
  quiet.keep_alive_comments = false;
  EXPECT_EQ(make_message_writer(std::move(quiet))->keep_alive(), "");
  EXPECT_EQ(make_message_writer(make_form(false))->keep_alive(), "");
}

TEST(MessageWriter, HeadAndNames) {
  MessageForm form = make_form(true);
  form.headers = {{"Deprecation", "true"}};
  const auto stream = make_message_writer(form);
  EXPECT_TRUE(stream->head().content_type.starts_with("text/event-stream"));
  EXPECT_TRUE(
      std::ranges::any_of(stream->head().headers, [](const Header& h) { return h.name == "Deprecation"; }));
  form.stream = false;
  EXPECT_EQ(make_message_writer(form)->head().headers.size(), 1u);
  EXPECT_EQ(stream->style(), ApiStyle::kAnthropic);
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    ids.insert(stream->new_call_id(0));
    EXPECT_TRUE(ids.rbegin()->starts_with("toolu_"));
    EXPECT_EQ(ids.rbegin()->size(), 30u);
  }
  EXPECT_EQ(ids.size(), 50u);
}

}  // namespace
}  // namespace hadal::serve::anthropic
