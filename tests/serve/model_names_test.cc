#include "serve/model_names.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

const ModelNames& names() {
  static const ModelNames all("hadal-mini", {"mine", "odd:latest", "hadal-mini"});
  return all;
}

TEST(ModelNames, AllOfTheseAreTheLoadedModel) {
  for (const char* name : {"", "hadal-mini", "mine", "odd:latest", "mine:latest", "deepseek-v4-flash",
                           "deepseek-v4-pro", "deepseek-v4-pro[1m]", "claude-opus-4-1-20250805",
                           "claude-3-5-haiku-latest", "claude", "gpt-4o", "gpt-5-codex", "o3", "o4-mini",
                           "deepseek-v4-flash:latest", "sonnet", "deepseek-v4-flash[1m]:latest"}) {
    const auto choice = names().resolve(name);
    ASSERT_TRUE(choice) << name;
    EXPECT_EQ(choice->name, "hadal-mini");
    EXPECT_EQ(choice->thinking, std::nullopt) << name;
    EXPECT_EQ(choice->deprecated, "");
  }
}

TEST(ModelNames, SomeNamesSayWhetherToThink) {
  EXPECT_EQ(names().resolve("mine:thinking")->thinking, true);
  EXPECT_EQ(names().resolve("mine:nothinking")->thinking, false);
  EXPECT_EQ(names().resolve("deepseek-v4-pro:nothinking[1m]")->thinking, false);
  EXPECT_EQ(names().resolve("deepseek-chat")->thinking, false);
  EXPECT_EQ(names().resolve("deepseek-reasoner")->thinking, true);
  EXPECT_EQ(names().resolve("deepseek-chat:thinking")->thinking, true);
  EXPECT_EQ(names().resolve("deepseek-chat")->deprecated, "deepseek-chat");
}

TEST(ModelNames, OthersDoNotExist) {
  for (const char* name : {"llama-3", "deepseek", "deepseek-v3", "deepseek-v4-nonsense", "HADAL-MINI", "gpt4",
                           "o1x", ":latest", "[1m]", "claudette"}) {
    const auto choice = names().resolve(name);
    ASSERT_FALSE(choice) << name;
    EXPECT_EQ(choice.error().status, 404);
    EXPECT_NE(choice.error().message.find(name), std::string::npos);
    EXPECT_NE(choice.error().message.find("hadal-mini, mine"), std::string::npos);
  }
}

TEST(ModelNames, TheListBeginsWithItsOwnAndHasNothingTwice) {
  EXPECT_EQ(names().listed(), (std::vector<std::string>{"hadal-mini", "mine", "odd:latest",
                                                        "deepseek-v4-flash", "deepseek-v4-pro"}));
  EXPECT_EQ(ModelNames("deepseek-v4-pro", {}).listed(),
            (std::vector<std::string>{"deepseek-v4-pro", "deepseek-v4-flash"}));
}

}  // namespace
}  // namespace hadal::serve
