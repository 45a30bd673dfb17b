// Sizes against the table of spec/model.md section 10.2.
#include "model/state_layout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/inventory.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

constexpr double kMiB = 1 << 20;

// Of a sequence's memory what is no compressor row and no stream: the table counts those apart.
double rows_mib(const StateLayout& layout, int64_t length) {
  int64_t besides = layout.stream_capacity * layout.stream_row_bytes;
  for (const StateLayout::Layer& layer : layout.layers)
    for (const StateLayout::Carry& c : {layer.main, layer.index}) besides += 2 * c.capacity * c.row_bytes();
  if (layout.has_mtp)
    besides += layout.window_capacity * layout.kv_row.bytes();  // a layer the table leaves out
  return static_cast<double>(layout.bytes(length) - besides) / kMiB;
}

TEST(StateLayout, MemoryIsThatOfTheTable) {
  const StateLayout flash(test::parse_config(test::flash_config()), Numerics::kRelease, 8);
  EXPECT_NEAR(rows_mib(flash, 4096) / 16.8, 1, 0.02);
  EXPECT_NEAR(rows_mib(flash, 131072) / 442, 1, 0.02);
  EXPECT_NEAR(rows_mib(flash, 1048576) / 3517, 1, 0.02);
  const StateLayout pro(test::parse_config(test::pro_config()), Numerics::kRelease, 8);
  EXPECT_NEAR(rows_mib(pro, 4096) / 24.0, 1, 0.02);
  EXPECT_NEAR(rows_mib(pro, 131072) / 633, 1, 0.02);
  EXPECT_NEAR(rows_mib(pro, 1048576) / 5036, 1, 0.02);
  EXPECT_EQ(flash.kv_row.bytes(), 584);
  EXPECT_EQ(flash.index_row.bytes(), 68);
  // Everything, compressor rows (11.6 and 17.8 MiB in section 5.9) and room for drafts included.
  EXPECT_NEAR(static_cast<double>(flash.bytes(1048576)) / kMiB / (3517 + 11.64), 1, 0.02);
  EXPECT_NEAR(static_cast<double>(pro.bytes(1048576)) / kMiB / (5036 + 17.84), 1, 0.02);
  EXPECT_NEAR(static_cast<double>(flash.bytes(131072)) / kMiB / (442 + 11.64), 1, 0.02);
}

TEST(StateLayout, RowsACompressorNeeds) {
  const StateLayout layout(test::parse_config(test::tiny_config()), Numerics::kRelease, 8);
  const StateLayout::Carry four = layout.layers[1].main, hundred = layout.layers[2].main;
  // Ratio 4: from the window before on; ratio 128: the unfinished window.
  for (const auto& [length, first] :
       {std::pair{0, 0}, {3, 0}, {4, 0}, {7, 0}, {8, 4}, {127, 120}, {128, 124}})
    EXPECT_EQ(four.first_needed(length), first) << length;
  for (const auto& [length, first] : {std::pair{0, 0}, {127, 0}, {128, 128}, {255, 128}, {256, 256}})
    EXPECT_EQ(hundred.first_needed(length), first) << length;
}

}  // namespace
}  // namespace hadal
