// Tensors, parameters and bytes of the released models, against the figures of spec/model.md
// sections 1.3, 2.1, 10.2.
#include "model/inventory.h"

#include <gtest/gtest.h>

#include <map>

#include "checkpoint/checkpoint.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::parse_config;

std::map<DType, int64_t> count_by_dtype(const std::vector<InventoryEntry>& tensors) {
  std::map<DType, int64_t> out;
  for (const InventoryEntry& entry : tensors) ++out[entry.dtype];
  return out;
}

int64_t bytes_under(const std::vector<InventoryEntry>& tensors, const std::string& prefix) {
  int64_t bytes = 0;
  for (const InventoryEntry& entry : tensors)
    if (entry.name.starts_with(prefix)) bytes += entry.bytes;
  return bytes;
}

TEST(Inventory, Flash) {
  const Config config = parse_config(test::flash_config());
  const auto tensors = inventory(config);
  EXPECT_EQ(count_by_dtype(tensors), (std::map<DType, int64_t>{{DType::kBF16, 433},
                                                               {DType::kF32, 417},
                                                               {DType::kF8E4M3, 375},
                                                               {DType::kF8E8M0, 34167},
                                                               {DType::kI64, 3},
                                                               {DType::kI8, 33792}}));
  const ModelSize size = model_size(config, tensors);
  EXPECT_EQ(size.tensors, 69187);
  EXPECT_EQ(size.bytes, 159609485896);
  EXPECT_EQ(size.parameters, 284332230231);
  EXPECT_EQ(size.mtp_parameters, 6610048635);
  // The specification counts matrices, we count norms and positional biases too.
  EXPECT_NEAR(static_cast<double>(size.active_parameters), 13.268e9, 0.004e9);
  EXPECT_NEAR(static_cast<double>(size.active_parameters + size.embedding_parameters), 13.798e9, 0.004e9);
  EXPECT_NEAR(static_cast<double>(size.bytes_per_token), 11.22e9, 0.005e9);
  EXPECT_EQ(bytes_under(tensors, "layers.0."), 3566148952);
  EXPECT_EQ(bytes_under(tensors, "layers.2."), 3596055640);
  EXPECT_EQ(bytes_under(tensors, "layers.3."), 3568596312);
  EXPECT_EQ(bytes_under(tensors, "layers.4."), 3589851224);
  EXPECT_EQ(bytes_under(tensors, "mtp.0."), 3593787756);
  EXPECT_EQ(bytes_under(tensors, "layers.7.ffn.experts.9."), 13369344);
  int64_t mtp_tensors = 0;
  for (const InventoryEntry& entry : tensors) mtp_tensors += entry.mtp;
  EXPECT_EQ(mtp_tensors, 1575);
  EXPECT_EQ(shape_name(config), "DeepSeek-V4-Flash");
}

TEST(Inventory, Pro) {
  const Config config = parse_config(test::pro_config());
  const auto tensors = inventory(config);
  EXPECT_EQ(count_by_dtype(tensors), (std::map<DType, int64_t>{{DType::kBF16, 619},
                                                               {DType::kF32, 590},
                                                               {DType::kF8E4M3, 528},
                                                               {DType::kF8E8M0, 71952},
                                                               {DType::kI64, 3},
                                                               {DType::kI8, 71424}}));
  const ModelSize size = model_size(config, tensors);
  EXPECT_EQ(size.tensors, 145116);
  EXPECT_EQ(size.bytes, 864704792696);
  EXPECT_EQ(size.parameters, 1572997179491);
  EXPECT_EQ(size.mtp_parameters, 25840145595);
  EXPECT_NEAR(static_cast<double>(size.active_parameters), 48.849e9, 0.004e9);
  EXPECT_NEAR(static_cast<double>(size.bytes_per_token), 39.67e9, 0.005e9);
  EXPECT_EQ(bytes_under(tensors, "layers.1."), 13874466328);
  EXPECT_EQ(bytes_under(tensors, "layers.2."), 13909746200);
  EXPECT_EQ(bytes_under(tensors, "layers.3."), 13868262424);
  EXPECT_EQ(bytes_under(tensors, "layers.4."), 13903542296);
  EXPECT_EQ(bytes_under(tensors, "mtp.0."), 13956587692);
  EXPECT_EQ(shape_name(config), "DeepSeek-V4-Pro");
}

TEST(Inventory, SequenceBytesOfTheSpecification) {
  struct Row {
    const char* model;
    int64_t tokens;
    double window, csa, hca, index, total;  // MiB
  };
  const Config flash = parse_config(test::flash_config()), pro = parse_config(test::pro_config());
  for (const Row& row :
       {Row{"flash", 4096, 3.07, 11.98, 0.36, 1.39, 16.8}, Row{"flash", 131072, 3.07, 383.3, 11.4, 44.6, 442},
        Row{"flash", 1048576, 3.07, 3066, 91.3, 357, 3517}, Row{"pro", 4096, 4.35, 17.1, 0.55, 1.99, 24.0},
        Row{"pro", 131072, 4.35, 547.5, 17.7, 63.8, 633},
        Row{"pro", 1048576, 4.35, 4380, 141.4, 510, 5036}}) {
    const SequenceBytes bytes = sequence_bytes(row.model == std::string("pro") ? pro : flash, row.tokens);
    const auto near = [&](int64_t value, double mib) {
      EXPECT_NEAR(static_cast<double>(value) / (1 << 20), mib, mib * 0.002 + 0.005)
          << row.model << " " << row.tokens;
    };
    near(bytes.window, row.window);
    near(bytes.csa_rows, row.csa);
    near(bytes.hca_rows, row.hca);
    near(bytes.index_rows, row.index);
    near(bytes.total(), row.total);
  }
  EXPECT_EQ(sequence_bytes(flash, 1).total(), 43 * 584);
  EXPECT_EQ(sequence_bytes(flash, 0).total(), 0);
}

TEST(Inventory, TheLongestSequenceFitsAndOneMoreDoesNot) {
  const Config flash = parse_config(test::flash_config());
  for (const int64_t bytes : {int64_t{43 * 584}, int64_t{16} << 20, int64_t{1} << 30, int64_t{3} << 30}) {
    const int64_t n = longest_sequence(flash, bytes);
    EXPECT_LE(sequence_bytes(flash, n).total(), bytes);
    EXPECT_GT(sequence_bytes(flash, n + 1).total(), bytes);
  }
  EXPECT_EQ(longest_sequence(flash, 0), 0);
  EXPECT_EQ(longest_sequence(flash, int64_t{1} << 50), 1048576);
}

TEST(Inventory, OtherShapesAreCustom) {
  auto json = test::flash_config();
  json["n_routed_experts"] = 128;
  EXPECT_EQ(shape_name(parse_config(json)), "custom");
  EXPECT_EQ(shape_name(parse_config(test::tiny_config())), "custom");
}

// The released format, Base and unquantised: names, types and shapes are those of the files.
TEST(Inventory, TheReferenceFolders) {
  const std::filesystem::path shared = HADAL_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "the reference checkpoints are not here";
  for (const char* name : {"tiny-f32", "tiny-fp8fp4", "tiny-base", "pro-like", "flash-like", "story"}) {
    const auto checkpoint = Checkpoint::open(shared / name);
    const auto tensors = inventory(Config::load(shared / name));
    EXPECT_EQ(tensors.size(), checkpoint->stored_tensors()) << name;
    for (const InventoryEntry& entry : tensors) {
      const TensorInfo* info = checkpoint->find(entry.name);
      ASSERT_NE(info, nullptr) << name << " " << entry.name;
      EXPECT_EQ(info->dtype, entry.dtype) << name << " " << entry.name;
      EXPECT_EQ(info->shape, entry.shape) << name << " " << entry.name;
    }
  }
}

}  // namespace
}  // namespace hadal
