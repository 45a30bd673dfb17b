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

int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

// All 69,187 tensors of Flash in a file of 160 GB that is one hole: only the header is ever in memory.
TEST(Inspect, FlashFromItsHeader) {
  const Config config = parse_config(test::flash_config());
  std::string header = "{";
  int64_t at = 0;
  for (const InventoryEntry& entry : inventory(config)) {
    header += fmt::format("{}\"{}\":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          at == 0 ? "" : ",", entry.name, dtype_name(entry.dtype),
                          fmt::join(entry.shape, ","), at, at + entry.bytes);
    at += entry.bytes;
  }
  header += "}";
  const TempFolder folder;
  const auto file = folder.write("model.safetensors", test::safetensors_bytes(header, 0));
  if (::truncate(file.c_str(), static_cast<int64_t>(8 + header.size()) + at) != 0)
    GTEST_SKIP() << "this file system cannot hold a file of 160 GB with holes";
  const int64_t before = resident_bytes();
  const auto checkpoint = Checkpoint::open(folder.path());
  const Weights weights = Weights::bind(checkpoint, config);
  const Inspection facts = inspect(config, weights, int64_t{64} << 30);
  EXPECT_LT(resident_bytes() - before, 256 << 20) << "more than headers was read";
  EXPECT_EQ(facts.shape, "DeepSeek-V4-Flash");
  EXPECT_EQ(facts.stored_tensors, 69187);
  EXPECT_EQ(facts.stored_bytes, 159609485896);
  EXPECT_EQ(facts.unused_tensors, 0);
  EXPECT_EQ(facts.size.parameters, 284332230231);
  EXPECT_FALSE(facts.fit.whole);
  EXPECT_TRUE(facts.fit.without_experts);
}

TEST(Inspect, ThisMachineHasMemory) {
  EXPECT_GT(machine_memory(), 1 << 20);
}

}  // namespace
}  // namespace hadal
