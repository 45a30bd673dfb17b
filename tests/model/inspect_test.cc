// The facts that are told about a checkpoint.
#include "model/inspect.h"

#include <gtest/gtest.h>

#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::Json;
using test::parse_config;
using test::TempFolder;

Inspection inspect_model(const Json& json, int64_t memory, const test::Tensors* tensors = nullptr) {
  const Config config = parse_config(json);
  const TempFolder folder;
  test::write_model(folder, json, tensors != nullptr ? *tensors : test::synthetic_tensors(config));
  return inspect(config, Weights::bind(Checkpoint::open(folder.path()), config), memory);
}

TEST(Inspect, TheTinyModel) {
  const Config config = parse_config(test::tiny_config());
  const auto expected = inventory(config);
  const Inspection facts = inspect_model(test::tiny_config(), int64_t{8} << 30);
  EXPECT_EQ(facts.shape, "custom");
  EXPECT_EQ(facts.experts, "FP4");
  EXPECT_EQ(facts.dense, "FP8");
  EXPECT_TRUE(facts.mtp);
  EXPECT_EQ(facts.shards, 1);
  EXPECT_EQ(facts.stored_tensors, static_cast<int64_t>(expected.size()));
  EXPECT_EQ(facts.unused_tensors, 0);
  const ModelSize size = model_size(config, expected);
  EXPECT_EQ(facts.size.parameters, size.parameters);
  EXPECT_EQ(facts.size.bytes, facts.stored_bytes);
  EXPECT_EQ(facts.size.bytes_per_token, size.bytes_per_token);
  int64_t tensors = 0, bytes = 0;
  for (const DTypeCount& count : facts.by_dtype) {
    tensors += count.tensors;
    bytes += count.bytes;
  }
  EXPECT_EQ(tensors, facts.stored_tensors);
  EXPECT_EQ(bytes, facts.stored_bytes);
  ASSERT_EQ(facts.contexts.size(), 3u);
  EXPECT_EQ(facts.contexts[1].tokens, 131072);
  EXPECT_EQ(facts.contexts[1].bytes.total(), sequence_bytes(config, 131072).total());
  EXPECT_TRUE(facts.fit.whole);
  EXPECT_EQ(facts.fit.longest_context, 1048576);
}

TEST(Inspect, WhatIsNotUsedIsCounted) {
  test::Tensors tensors = test::synthetic_tensors(parse_config(test::tiny_config()));
  tensors.emplace("mtp.0.markov",
                  test::SyntheticTensor{{"mtp.0.markov", DType::kI8, {4}}, std::string(4, '\0')});
  const Inspection facts = inspect_model(test::tiny_config(), 0, &tensors);
  EXPECT_EQ(facts.unused_tensors, 1);
  EXPECT_EQ(facts.stored_bytes, facts.size.bytes + 4);
}

TEST(Inspect, WhatFitsAMachine) {
  const int64_t whole = inspect_model(test::tiny_config(), 0).size.bytes;
  const int64_t needed = inspect_model(test::tiny_config(), 0).fit.always_read;
  EXPECT_LT(needed, whole);
  const auto fit = [](int64_t memory) { return inspect_model(test::tiny_config(), memory).fit; };
  EXPECT_FALSE(fit(0).without_experts);
  EXPECT_EQ(fit(0).longest_context, 0);
  EXPECT_FALSE(fit(needed).without_experts);  // a quarter is kept free
  const MemoryFit some = fit((needed + 1000) / 3 * 4 + 4);
  EXPECT_TRUE(some.without_experts);
  EXPECT_FALSE(some.whole);
  EXPECT_EQ(some.longest_context, 1);  // a row of 200 bytes in each of three layers
  EXPECT_TRUE(fit(whole * 2).whole);
}

TEST(Inspect, ThisMachineHasMemory) {
  EXPECT_GT(machine_memory(), 1 << 20);
}

}  // namespace
}  // namespace hadal
