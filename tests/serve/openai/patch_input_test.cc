#include "serve/openai/patch_input.h"

#include <gtest/gtest.h>

namespace hadal::serve::responses {
namespace {

// The input of these arguments, whichever way they are cut.
std::string input_of(const std::string& json) {
  std::string first;
  for (size_t piece = 1; piece <= json.size() + 1; ++piece) {
    PatchInput input;
    std::string text;
    for (size_t at = 0; at < json.size(); at += piece) text += input.push(json.substr(at, piece));
    text += input.finish();
    if (piece == 1)
      first = text;
    else
      EXPECT_EQ(text, first) << "in pieces of " << piece << ": " << json;
  }
  return first;
}

TEST(PatchInput, IsTheTextOfItsJson) {
  EXPECT_EQ(input_of(R"({"input": "*** Begin Patch\n*** End Patch"})"), "*** Begin Patch\n*** End Patch");
  EXPECT_EQ(input_of(R"({"input":""})"), "");
  EXPECT_EQ(input_of(R"( { "input" : "a" } )"), "a");
  EXPECT_EQ(input_of(R"({"input": "\"\\\/\b\f\n\r\t"})"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(input_of(R"({"input": "é中😀"})"), "é中😀");
  EXPECT_EQ(input_of(R"({"input": "\u0041\u00e9\u4e2d\ud83d\ude00"})"), "Aé中😀");
}

TEST(PatchInput, BrokenEscapesLoseNothing) {
  EXPECT_EQ(input_of(R"({"input": "\ud83dx"})"), "\uFFFDx");
  EXPECT_EQ(input_of(R"({"input": "\ude00x"})"), "\uFFFDx");
  EXPECT_EQ(input_of(R"({"input": "\ud83d\ud83d\ude00"})"), "\uFFFD😀");
  EXPECT_EQ(input_of(R"({"input": "\ud83d"})"), "\uFFFD");
  EXPECT_EQ(input_of(R"({"input": "\ud83d\n"})"), "\uFFFD\n");
  EXPECT_EQ(input_of(R"({"input": "\u12"})"), "\uFFFD");
  EXPECT_EQ(input_of(R"({"input": "\u1zz"})"), "\uFFFDzz");
  EXPECT_EQ(input_of(R"({"input": "\q"})"), "q");
}

TEST(PatchInput, OtherMembersAreSkipped) {
  EXPECT_EQ(input_of(R"({"a": "in\"put", "input": "x"})"), "x");
  EXPECT_EQ(input_of(R"({"a": {"input": "no", "b": ["}", 1]}, "input": "x"})"), "x");
  EXPECT_EQ(input_of(R"({"a": [1, {"b": "]"}], "c": 1.5, "d": null, "input": "x", "input": "y"})"), "x");
  EXPECT_EQ(input_of(R"({"\u0069nput": "x"})"), "x");
}

TEST(PatchInput, TextWithoutQuotesIsTheInputAsWell) {
  EXPECT_EQ(input_of("{\"input\": *** Begin Patch\n+{}\n*** End Patch}"),
            "*** Begin Patch\n+{}\n*** End Patch");
  EXPECT_EQ(input_of(R"({"input": 5})"), "5");
}

TEST(PatchInput, WithoutAnInputItIsAllThereIs) {
  for (const char* json : {R"({"patch": "x"})", R"({})", R"("text")", "*** Begin Patch", R"({"a": 1})", "[1]",
                           R"({"input" "x"})", R"({5})"})
    EXPECT_EQ(input_of(json), json);
}

TEST(PatchInput, WhatWasCutOffEndsThere) {
  EXPECT_EQ(input_of(R"({"input": "abc)"), "abc");
  EXPECT_EQ(input_of(R"({"input": "abc\)"), "abc");
  EXPECT_EQ(input_of(R"({"input": "abc\u00)"), "abc");
  EXPECT_EQ(input_of(R"({"inp)"), "");
  EXPECT_EQ(input_of(""), "");
}

}  // namespace
}  // namespace hadal::serve::responses
