// Which prompt generation a model folder is for (api.md A1).
#include <gtest/gtest.h>

#include "chat/prompt_template.h"
#include "support/files.h"

namespace hadal::test {
namespace {

PromptGeneration detected(const std::string& source) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "encoding");
  folder.write("encoding/encoding_dsv4.py", source);
  return detect_generation(folder.path());
}

TEST(Generation, Names) {
  EXPECT_EQ(generation_from_name("v4-preview"), PromptGeneration::kV4Preview);
  EXPECT_EQ(generation_from_name("v4-official"), PromptGeneration::kV4Official);
  EXPECT_EQ(generation_from_name("v3"), std::nullopt);
  EXPECT_EQ(generation_name(PromptGeneration::kV4Preview), "v4-preview");
  for (const auto generation : {PromptGeneration::kV4Preview, PromptGeneration::kV4Official})
    EXPECT_EQ(prompt_template(generation).generation(), generation);
}

TEST(Generation, IsReadFromTheEncoderOfTheModel) {
  EXPECT_EQ(detected("REASONING_EFFORT_MAX = \"...\"\n"), PromptGeneration::kV4Preview);
  EXPECT_EQ(detected("REASONING_EFFORT_PROMPTS = {}\ndef encode(effort='low'):\n"),
            PromptGeneration::kV4Official);
  EXPECT_EQ(detected("X_REASONING_EFFORT_MAX = 1\nREASONING_EFFORT_MAXIMUM = 2\n"),
            PromptGeneration::kV4Official);
}

TEST(Generation, WithoutAClueItIsTheOfficialOneAndAWarningSaysSo) {
  const auto warned = [](const auto& detect) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(detect(), PromptGeneration::kV4Official);
    return testing::internal::GetCapturedStderr().find("prompt generation") != std::string::npos;
  };
  const TempFolder folder;
  EXPECT_TRUE(warned([&] { return detect_generation(folder.path()); }));
  EXPECT_TRUE(warned([] { return detected("REASONING_EFFORT_PROMPTS = {}\nif effort == \"low\": pass\n"); }));
  EXPECT_FALSE(
      warned([] { return detected("REASONING_EFFORT_PROMPTS = {}\nreasoning_effort: str = \"low\"\n"); }));
}

}  // namespace
}  // namespace hadal::test
