#include "serve/openai/response_writer.h"

#include <gtest/gtest.h>

#include <map>

#include "chat/python_json.h"
#include "serve/service_fixture.h"

namespace hadal::serve::responses {
namespace {

using test::at;

const Tokenizer& tokenizer() {
  static const Tokenizer all = Tokenizer::load(test::bundled_model());
  return all;
}

ResponseForm form(bool stream = true) {
  ResponseForm out;
  out.head.id = "0f";
  out.head.created = 1787000000;
  out.head.model = "m";
  out.stream = stream;
  out.clock = [] { return int64_t{1787000003}; };
  out.tools = *Tools::read(
      *parse_json(R"([{"type":"custom","name":"apply_patch"},{"type":"namespace","name":"web","tools":[)"
                  R"({"type":"function","name":"get"}]}])"));
  return out;
}

ChoiceEnd end_with(FinishReason reason) {
  ChoiceEnd end;
  end.reason = reason;
  return end;
}

struct Event {
  std::string name;
  JsonValue data;
  const std::string& type() const { return name; }
};

// The events of a stream; checks what is true of all of them.
std::vector<Event> events_of(const std::string& stream) {
  std::vector<Event> out;
  size_t at_byte = 0;
  while (at_byte < stream.size()) {
    const size_t end = stream.find("\n\n", at_byte);
    EXPECT_NE(end, std::string::npos);
    if (end == std::string::npos) break;
    const std::string text = stream.substr(at_byte, end - at_byte);
    at_byte = end + 2;
    EXPECT_TRUE(text.starts_with("event: ")) << text;
    const size_t line = text.find("\ndata: ");
    EXPECT_NE(line, std::string::npos) << text;
    const auto data = parse_json(text.substr(line + 7));
    EXPECT_TRUE(data) << text;
    if (!data) break;
    out.push_back({text.substr(7, line - 7), *data});
    EXPECT_EQ(at(*data, "type").text, out.back().name);
    EXPECT_EQ(at(*data, "sequence_number").text, std::to_string(out.size() - 1));
  }
  return out;
}

// What the deltas of each item add up to is what its ends say, and the items are those of the response.
void check_whole(const std::vector<Event>& events) {
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(events[0].name, "response.created");
  EXPECT_EQ(events[1].name, "response.in_progress");
  std::map<std::string, std::string> deltas, ids;
  std::vector<JsonValue> items;
  int terminal = 0;
  bool open = false;
  for (const Event& event : events) {
    const std::string index = at(event.data, "output_index").text;
    if (event.name == "response.output_item.added") {
      EXPECT_FALSE(open) << "one item after the other";
      open = true;
      EXPECT_EQ(index, std::to_string(items.size()));
      ids[index] = at(event.data, "item.id").text;
      EXPECT_EQ(at(event.data, "item.status").text, "in_progress");
    } else if (event.name.ends_with(".delta")) {
      EXPECT_TRUE(open);
      EXPECT_FALSE(at(event.data, "delta").text.empty());
      EXPECT_EQ(at(event.data, "item_id").text, ids[index]);
      deltas[index] += at(event.data, "delta").text;
    } else if (event.name == "response.output_item.done") {
      open = false;
      const JsonValue item = at(event.data, "item");
      EXPECT_EQ(at(item, "id").text, ids[index]);
      const std::string text =
          at(item, "content.0.text").text + at(item, "arguments").text + at(item, "input").text;
      EXPECT_EQ(text, deltas[index]);
      items.push_back(item);
    } else if (event.name == "response.content_part.done") {
      EXPECT_EQ(at(event.data, "part.text").text, deltas[index]);
    } else if (event.name.ends_with(".done")) {
      const JsonValue& data = event.data;
      EXPECT_EQ(at(data, "text").text + at(data, "arguments").text + at(data, "input").text, deltas[index]);
    }
    const JsonValue response = at(event.data, "response");
    if (response.is_null()) continue;
    if (at(response, "status").text == "in_progress") {
      EXPECT_TRUE(at(response, "output").items.empty());
      EXPECT_TRUE(at(response, "usage").is_null());
    } else {
      ++terminal;
      EXPECT_EQ(&event, &events.back());
      const JsonValue output = at(response, "output");
      ASSERT_EQ(output.items.size(), items.size());
      for (size_t i = 0; i < items.size(); ++i)
        EXPECT_EQ(python_json(output.items[i]), python_json(items[i]));
    }
  }
  EXPECT_FALSE(open);
  EXPECT_EQ(terminal, 1);
}

// An answer with everything in it.
void say_everything(AnswerWriter& writer) {
  writer.started({22, 0, 0, 0});
  writer.handle(0, "abc");
  writer.reasoning(0, "I need ");
  writer.reasoning(0, "the weather.");
  writer.content(0, "Let me ");
  writer.content(0, "see.");
  writer.call(0, 0, "web::get", "call_00_a");
  writer.arguments(0, 0, R"({"url": ")");
  writer.arguments(0, 0, R"(x"})");
  writer.call(0, 1, "apply_patch", "call_01_b");
  writer.arguments(0, 1, R"({"input": "*** Begin)");
  writer.arguments(0, 1, R"( Patch\n)");
  writer.arguments(0, 1, R"(\"é\""})");
  writer.call(0, 2, "unknown", "call_02_c");
  writer.arguments(0, 2, "{}");
  writer.finished(0, end_with(FinishReason::kToolCalls));
  writer.ended({22, 0, 29, 27});
}

TEST(ResponseWriter, TheEventsOfAnAnswer) {
  const auto writer = make_response_writer(form(), tokenizer());
  say_everything(*writer);
  const std::vector<Event> events = events_of(writer->take());
  check_whole(events);
  std::vector<std::string> names;
  for (const Event& event : events) names.push_back(event.name.substr(9));
  EXPECT_EQ(names, (std::vector<std::string>{"created",
                                             "in_progress",  //
                                             "output_item.added",
                                             "content_part.added",
                                             "reasoning_text.delta",
                                             "reasoning_text.delta",
                                             "reasoning_text.done",
                                             "content_part.done",
                                             "output_item.done",
                                             "output_item.added",
                                             "content_part.added",
                                             "output_text.delta",
                                             "output_text.delta",
                                             "output_text.done",
                                             "content_part.done",
                                             "output_item.done",  //
                                             "output_item.added",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.done",
                                             "output_item.done",  //
                                             "output_item.added",
                                             "custom_tool_call_input.delta",
                                             "custom_tool_call_input.delta",
                                             "custom_tool_call_input.delta",
                                             "custom_tool_call_input.done",
                                             "output_item.done",
                                             "output_item.added",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.done",
                                             "output_item.done",
                                             "completed"}));
  const JsonValue output = at(events.back().data, "response.output");
  EXPECT_EQ(at(output, "0.id").text, "rs_0f_0");
  EXPECT_EQ(at(output, "1.id").text, "msg_0f_1");
  EXPECT_EQ(at(output, "1.phase").text, "commentary");
  EXPECT_EQ(at(output, "2.id").text, "fc_0f_2");
  EXPECT_EQ(at(output, "2.name").text, "get");
  EXPECT_EQ(at(output, "2.namespace").text, "web");
  EXPECT_EQ(at(output, "2.call_id").text, "call_00_a");
  EXPECT_EQ(at(output, "2.arguments").text, R"({"url": "x"})");
  EXPECT_EQ(at(output, "3.id").text, "ctc_0f_3");
  EXPECT_EQ(at(output, "3.type").text, "custom_tool_call");
  EXPECT_EQ(at(output, "3.input").text, "*** Begin Patch\n\"é\"");
  EXPECT_EQ(at(output, "4.name").text, "unknown");
  EXPECT_EQ(at(events.back().data, "response.completed_at").text, "1787000003");
  EXPECT_EQ(at(events.back().data, "response.usage.total_tokens").text, "51");
  EXPECT_TRUE(writer->head().content_type.starts_with("text/event-stream"));
  EXPECT_EQ(writer->keep_alive(), ": keep-alive\n\n");
}

TEST(ResponseWriter, EventsToTheByte) {
  const auto writer = make_response_writer(form(), tokenizer());
  writer->started({22, 0, 0, 0});
  writer->take();
  writer->content(0, "Hi");
  writer->finished(0, end_with(FinishReason::kStop));
  EXPECT_EQ(
      writer->take(),
      "event: response.output_item.added\n"
      R"(data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"type":"message","id":"msg_0f_0","status":"in_progress","role":"assistant","content":[]}})"
      "\n\n"
      "event: response.content_part.added\n"
      R"(data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_0f_0","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}})"
      "\n\n"
      "event: response.output_text.delta\n"
      R"(data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_0f_0","output_index":0,"content_index":0,"delta":"Hi","logprobs":[]})"
      "\n\n"
      "event: response.output_text.done\n"
      R"(data: {"type":"response.output_text.done","sequence_number":5,"item_id":"msg_0f_0","output_index":0,"content_index":0,"text":"Hi","logprobs":[]})"
      "\n\n"
      "event: response.content_part.done\n"
      R"(data: {"type":"response.content_part.done","sequence_number":6,"item_id":"msg_0f_0","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hi","annotations":[],"logprobs":[]}})"
      "\n\n"
      "event: response.output_item.done\n"
      R"(data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"type":"message","id":"msg_0f_0","status":"completed","role":"assistant","phase":"final_answer","content":[{"type":"output_text","text":"Hi","annotations":[],"logprobs":[]}]}})"
      "\n\n");
}

TEST(ResponseWriter, TheWholeFormIsTheEndOfTheStream) {
  const auto stream = make_response_writer(form(true), tokenizer());
  const auto whole = make_response_writer(form(false), tokenizer());
  say_everything(*stream);
  say_everything(*whole);
  const std::vector<Event> events = events_of(stream->take());
  const auto response = parse_json(whole->take());
  ASSERT_TRUE(response);
  EXPECT_EQ(python_json(*response), python_json(at(events.back().data, "response")));
  EXPECT_EQ(whole->head().content_type, "application/json");
  EXPECT_EQ(whole->keep_alive(), "");
}

TEST(ResponseWriter, ReasoningHasANameWhereTheClientWantsOne) {
  for (const bool wanted : {true, false}) {
    ResponseForm asked = form();
    asked.encrypted_reasoning = wanted;
    const auto writer = make_response_writer(asked, tokenizer());
    say_everything(*writer);
    const std::vector<Event> events = events_of(writer->take());
    check_whole(events);
    EXPECT_EQ(at(events.back().data, "response.output.0.encrypted_content").text, wanted ? "abc" : "");
    EXPECT_EQ(at(events.back().data, "response.output.1.encrypted_content").text, "");
  }
}

TEST(ResponseWriter, ALimitLeavesTheLastItemIncomplete) {
  const auto writer = make_response_writer(form(), tokenizer());
  writer->started({});
  writer->content(0, "Once");
  writer->call(0, 0, "f", "call_00_a");
  writer->arguments(0, 0, R"({"x": "y)");
  writer->finished(0, end_with(FinishReason::kLength));
  writer->ended({});
  const std::vector<Event> events = events_of(writer->take());
  check_whole(events);
  EXPECT_EQ(events.back().name, "response.incomplete");
  const JsonValue response = at(events.back().data, "response");
  EXPECT_EQ(at(response, "incomplete_details.reason").text, "max_output_tokens");
  EXPECT_TRUE(at(response, "completed_at").is_null());
  EXPECT_EQ(at(response, "output.0.status").text, "completed");
  EXPECT_EQ(at(response, "output.1.status").text, "incomplete");
  EXPECT_EQ(at(response, "output.1.arguments").text, R"({"x": "y)");
}

TEST(ResponseWriter, AnEngineThatCouldNotGoOnIsAFailure) {
  for (const bool stream : {true, false}) {
    const auto writer = make_response_writer(form(stream), tokenizer());
    writer->started({});
    writer->content(0, "Once");
    writer->finished(0, end_with(FinishReason::kInsufficientResource));
    writer->ended({});
    const std::string out = writer->take();
    JsonValue response;
    if (stream) {
      const std::vector<Event> events = events_of(out);
      check_whole(events);
      EXPECT_EQ(events.back().name, "response.failed");
      response = at(events.back().data, "response");
    } else {
      response = *parse_json(out);
    }
    EXPECT_EQ(at(response, "status").text, "failed");
    EXPECT_EQ(at(response, "error.code").text, "server_error");
    EXPECT_FALSE(at(response, "error.message").text.empty());
    EXPECT_EQ(at(response, "output.0.status").text, "incomplete");
  }
}

TEST(ResponseWriter, AFailureOnTheWayIsTold) {
  for (const bool begun : {true, false}) {
    const auto writer = make_response_writer(form(), tokenizer());
    if (begun) {
      writer->started({});
      writer->reasoning(0, "Hm");
    }
    writer->failed(server_busy("The server is shutting down."));
    const std::vector<Event> events = events_of(writer->take());
    check_whole(events);
    EXPECT_EQ(events.back().name, "response.failed");
    EXPECT_EQ(at(events.back().data, "response.error.code").text, "server_error");
    EXPECT_EQ(at(events.back().data, "response.error.message").text, "The server is shutting down.");
    EXPECT_EQ(at(events.back().data, "response.output").items.size(), begun ? 1u : 0u);
  }
  const auto whole = make_response_writer(form(false), tokenizer());
  whole->failed({.status = 500, .message = "broken"});
  EXPECT_TRUE(whole->take().starts_with(R"({"error":{"message":"broken")"));
}

TEST(ResponseWriter, AnAnswerMayBeEmpty) {
  const auto writer = make_response_writer(form(), tokenizer());
  writer->finished(0, end_with(FinishReason::kStop));
  writer->ended({});
  const std::vector<Event> events = events_of(writer->take());
  check_whole(events);
  EXPECT_EQ(events.size(), 3u);
  EXPECT_EQ(events.back().name, "response.completed");
}

TEST(ResponseWriter, ProbabilitiesComeWithTheirText) {
  const auto writer = make_response_writer(form(), tokenizer());
  const std::vector<int32_t> ids = tokenizer().encode(" cat sat");
  ASSERT_EQ(ids.size(), 2u);
  writer->token(0, TokenPart::kReasoning, {{ids[0], -9}, {}});
  writer->token(0, TokenPart::kContent, {{ids[0], -1}, {{ids[0], -1}}});
  writer->content(0, " cat");
  writer->token(0, TokenPart::kContent, {{ids[1], -2}, {}});
  writer->content(0, " sat");
  writer->token(0, TokenPart::kContent, {{ids[1], -3}, {}});
  writer->finished(0, end_with(FinishReason::kLength));
  writer->ended({});
  const std::vector<Event> events = events_of(writer->take());
  check_whole(events);
  std::vector<std::string> per_delta;
  for (const Event& event : events)
    if (event.name.ends_with("text.delta")) per_delta.push_back(at(event.data, "logprobs.0.token").text);
  EXPECT_EQ(per_delta, (std::vector<std::string>{" cat", " sat"}));
  const JsonValue all = at(events.back().data, "response.output.0.content.0.logprobs");
  ASSERT_EQ(all.items.size(), 3u);
  EXPECT_EQ(at(all, "0.top_logprobs.0.token").text, " cat");
  EXPECT_EQ(at(all, "2.logprob").text, "-3");
}

TEST(ResponseWriter, RepeatedKeysCountOnceWhereNothingWasStreamed) {
  const auto writer = make_response_writer(form(false), tokenizer());
  writer->call(0, 0, "f", "call_00_a");
  writer->arguments(0, 0, R"({"a": 1, "a": 2})");
  writer->finished(0, end_with(FinishReason::kToolCalls));
  writer->ended({});
  EXPECT_EQ(at(*parse_json(writer->take()), "output.0.arguments").text, R"({"a": 2})");
}

}  // namespace
}  // namespace hadal::serve::responses
