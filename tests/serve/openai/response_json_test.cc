#include "serve/openai/response_json.h"

#include <gtest/gtest.h>

namespace hadal::serve::responses {
namespace {

std::string item_json(const Item& item, bool empty = false) {
  std::string out;
  JsonOut json(out);
  write_item(json, item, empty);
  return out;
}

Item item_of(Item::Kind kind, std::string id, std::string text) {
  Item item;
  item.kind = kind;
  item.id = std::move(id);
  item.status = Status::kCompleted;
  item.text = std::move(text);
  return item;
}

TEST(ResponseJson, AResponseIsThatOfTheApi) {
  Item message = item_of(Item::Kind::kMessage, "msg_0f_1", "Hello!");
  message.phase = "final_answer";
  Item call = item_of(Item::Kind::kFunction, "fc_0f_2", R"({"cmd": "ls"})");
  call.call_id = "call_00_x";
  call.tool = {"shell", "", false};
  ResponseHead head;
  head.id = "0f";
  head.created = 1787000000;
  head.model = "deepseek-v4-flash";
  ResponseState state;
  state.status = Status::kCompleted;
  state.completed = 1787000003;
  state.usage = TokenUsage{22, 0, 29, 27};
  state.output = item_json(item_of(Item::Kind::kReasoning, "rs_0f_0", "...")) + "," + item_json(message) +
                 "," + item_json(call);
  std::string out;
  JsonOut json(out);
  write_response(json, head, state);
  EXPECT_EQ(
      out,
      R"({"id":"resp_0f","object":"response","created_at":1787000000,"completed_at":1787000003,"status":"completed","error":null,"incomplete_details":null,)"
      R"("instructions":null,"max_output_tokens":null,"model":"deepseek-v4-flash",)"
      R"("output":[)"
      R"({"type":"reasoning","id":"rs_0f_0","status":"completed","content":[{"type":"reasoning_text","text":"..."}],"summary":[]},)"
      R"({"type":"message","id":"msg_0f_1","status":"completed","role":"assistant","phase":"final_answer","content":[{"type":"output_text","text":"Hello!","annotations":[],"logprobs":[]}]},)"
      R"({"type":"function_call","id":"fc_0f_2","status":"completed","call_id":"call_00_x","name":"shell","arguments":"{\"cmd\": \"ls\"}"}],)"
      R"("parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":"high","summary":null},"store":false,"temperature":1.0,"top_p":1.0,)"
      R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"truncation":"disabled","metadata":{},)"
      R"("usage":{"input_tokens":22,"input_tokens_details":{"cached_tokens":0},"output_tokens":29,"output_tokens_details":{"reasoning_tokens":27},"total_tokens":51}})");
}

TEST(ResponseJson, WhatTheRequestSaidIsRepeated) {
  ResponseHead head;
  head.effort = "none";
  head.max_output_tokens = 7;
  head.temperature = 0.7f;
  head.top_p = 0.25f;
  head.instructions = "\"i\"";
  head.metadata = R"({"a": 1})";
  head.tool_choice = "\"none\"";
  std::string out;
  JsonOut json(out);
  write_response(json, head, {});
  for (const char* part :
       {R"("status":"in_progress")", R"("completed_at":null)", R"("effort":"none")",
        R"("max_output_tokens":7)", R"("temperature":0.7,"top_p":0.25)", R"("instructions":"i")",
        R"("metadata":{"a": 1})", R"("tool_choice":"none")", R"("output":[])", R"("usage":null)"})
    EXPECT_NE(out.find(part), std::string::npos) << part << " in " << out;
}

TEST(ResponseJson, EndsThatAreNotWhole) {
  ResponseState state;
  state.status = Status::kIncomplete;
  std::string out;
  JsonOut json(out);
  write_response(json, {}, state);
  EXPECT_NE(
      out.find(R"("status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"})"),
      std::string::npos);
  state.status = Status::kFailed;
  state.error_code = "server_error";
  state.error_message = "broken";
  out.clear();
  JsonOut failed(out);
  write_response(failed, {}, state);
  EXPECT_NE(
      out.find(
          R"("status":"failed","error":{"code":"server_error","message":"broken"},"incomplete_details":null)"),
      std::string::npos);
}

TEST(ResponseJson, ItemsBeforeAnythingHasComeOfThem) {
  Item item = item_of(Item::Kind::kReasoning, "rs_1_0", "hidden");
  item.status = Status::kInProgress;
  item.handle = "h";
  EXPECT_EQ(
      item_json(item, true),
      R"({"type":"reasoning","id":"rs_1_0","status":"in_progress","content":[],"summary":[],"encrypted_content":"h"})");
  item = item_of(Item::Kind::kMessage, "msg_1_0", "hidden");
  item.status = Status::kInProgress;
  EXPECT_EQ(item_json(item, true),
            R"({"type":"message","id":"msg_1_0","status":"in_progress","role":"assistant","content":[]})");
  item = item_of(Item::Kind::kCustom, "ctc_1_0", "hidden");
  item.call_id = "c";
  item.tool = {"apply_patch", "", true};
  EXPECT_EQ(
      item_json(item, true),
      R"({"type":"custom_tool_call","id":"ctc_1_0","status":"completed","call_id":"c","name":"apply_patch","input":""})");
  item.kind = Item::Kind::kFunction;
  item.tool = {"get", "web", false};
  EXPECT_EQ(
      item_json(item),
      R"({"type":"function_call","id":"ctc_1_0","status":"completed","call_id":"c","name":"get","namespace":"web","arguments":"hidden"})");
}

TEST(ResponseJson, Parts) {
  Item item = item_of(Item::Kind::kMessage, "", "x");
  item.logprobs = R"({"token":"x"})";
  std::string out;
  JsonOut json(out);
  write_part(json, item);
  EXPECT_EQ(out, R"({"type":"output_text","text":"x","annotations":[],"logprobs":[{"token":"x"}]})");
  out.clear();
  JsonOut empty(out);
  write_part(empty, item, true);
  EXPECT_EQ(out, R"({"type":"output_text","text":"","annotations":[],"logprobs":[]})");
}

}  // namespace
}  // namespace hadal::serve::responses
