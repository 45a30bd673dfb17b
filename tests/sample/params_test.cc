// The ranges of sampling parameters and the names under which they are refused.
#include "sample/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace hadal {
namespace {

TEST(SamplingParams, DefaultsAndEdgesAreValid) {
  EXPECT_TRUE(validate({}).has_value());
  EXPECT_TRUE(validate({.temperature = 0,
                        .top_p = 1e-6f,
                        .min_p = 1,
                        .presence_penalty = -2,
                        .frequency_penalty = -2,
                        .repetition_penalty = 1e-3f}));
  EXPECT_TRUE(validate({.temperature = 2,
                        .top_k = 1 << 30,
                        .presence_penalty = 2,
                        .frequency_penalty = 2,
                        .repetition_penalty = 10}));
}

TEST(SamplingParams, EachFieldIsRefusedByName) {
  struct Case {
    const char* name;
    SamplingParams params;
  };
  const float nan = std::nanf(""), inf = INFINITY;
  const Case cases[] = {
      {"temperature", {.temperature = -0.01f}},
      {"temperature", {.temperature = 2.01f}},
      {"temperature", {.temperature = nan}},
      {"top_p", {.top_p = 0}},
      {"top_p", {.top_p = 1.01f}},
      {"top_p", {.top_p = nan}},
      {"top_k", {.top_k = -1}},
      {"min_p", {.min_p = -0.1f}},
      {"min_p", {.min_p = 1.1f}},
      {"presence_penalty", {.presence_penalty = 2.1f}},
      {"presence_penalty", {.presence_penalty = -inf}},
      {"frequency_penalty", {.frequency_penalty = -2.1f}},
      {"frequency_penalty", {.frequency_penalty = nan}},
      {"repetition_penalty", {.repetition_penalty = 0}},
      {"repetition_penalty", {.repetition_penalty = inf}},
  };
  for (const Case& c : cases) {
    const auto result = validate(c.params);
    ASSERT_FALSE(result.has_value()) << c.name;
    EXPECT_EQ(result.error().where, c.name);
    EXPECT_FALSE(result.error().what.empty());
  }
}

}  // namespace
}  // namespace hadal
