#include "serve/anthropic/blocks.h"

#include <gtest/gtest.h>

namespace hadal::serve::anthropic {
namespace {

TEST(AnthropicBlocks, ABlockHasAType) {
  const JsonValue value = *parse_json(R"({"type":"text","text":"a"})");
  const auto block = read_block(value, "messages.0.content.1");
  ASSERT_TRUE(block);
  EXPECT_EQ(block->type, "text");
  EXPECT_EQ(block->where, "messages.0.content.1");
  EXPECT_EQ(block->value, &value);
  EXPECT_EQ(block->fields().where("text"), "messages.0.content.1.text");
  for (const char* wrong : {"null", "[]", "\"text\"", "{}", R"({"type":[]})", R"({"type":null})"})
    EXPECT_FALSE(read_block(*parse_json(wrong), "x")) << wrong;
}

TEST(AnthropicBlocks, WhatTheModelIsShown) {
  const auto shown = [](const char* json) {
    const JsonValue value = *parse_json(json);
    const auto text = text_of(*read_block(value, "here"));
    return text ? *text : text.error().param + "! " + text.error().message;
  };
  EXPECT_EQ(shown(R"({"type":"text","text":"a"})"), "a");
  EXPECT_EQ(shown(R"({"type":"tool_reference","tool_name":"grep"})"), "grep");
  EXPECT_EQ(shown(R"({"type":"document"})"), "[Unsupported Document]");
  EXPECT_EQ(shown(R"({"type":"search_result"})"), "[Unsupported Document]");
  EXPECT_EQ(shown(R"({"type":"hologram"})"), "[Unsupported hologram]");
  EXPECT_EQ(shown(R"({"type":"image"})"), "here! This model does not support image");
  EXPECT_EQ(shown(R"({"type":"text","text":null})"), "here.text! here.text: expected a string");
}

TEST(AnthropicBlocks, TextsAreJoinedByAnEmptyLine) {
  const auto text = [](const char* json) { return read_text(*parse_json(json), "w"); };
  EXPECT_EQ(*text("\"a\""), "a");
  EXPECT_EQ(*text("[]"), "");
  EXPECT_EQ(*text(R"([{"type":"text","text":"a"},{"type":"text","text":""},{"type":"text","text":"b"}])"),
            "a\n\n\n\nb");
  EXPECT_EQ(text("{}").error().message, "w: expected a string or an array of content blocks");
  EXPECT_EQ(text(R"([{"type":"text","text":"a"},7])").error().param, "w.1");
}

}  // namespace
}  // namespace hadal::serve::anthropic
