#include "cpu/roofline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "cpu/dispatch.h"

namespace hadal {
namespace {

TEST(Roofline, MeasuresEveryInstructionSet) {
  ThreadPool pool(2);
  for (const std::string& isa : available_isas()) {
    const Roofline found = RooflineMeter(kernel_table(isa), pool, 1 << 20).measure(0.005);
    for (const double rate : {found.read_bytes, found.flops}) {
      EXPECT_TRUE(std::isfinite(rate)) << isa;
      EXPECT_GT(rate, 1e6) << isa;
    }
    EXPECT_EQ(found.integer_flops > 0, kernel_table(isa).peak_bytes.run != nullptr) << isa;
  }
}

TEST(Roofline, ReadsOtherPlaces) {
  ThreadPool pool(2);
  RooflineMeter meter(kernel_table(""), pool, 1 << 20);
  const std::vector<std::byte> large(3 << 20), small(100);
  const std::span<const std::byte> places[] = {large, small};
  EXPECT_GT(meter.measure_read(places, 0.005, 3 << 20), 1e6);
  EXPECT_EQ(meter.measure_read(places, 0.005, 4 << 20), 0) << "caches hold less";
  EXPECT_EQ(meter.measure_read(std::span(places).last(1), 0.005, 0), 0);
}

// A round is as many multiply-adds as it says: the sums of a peak kernel are what that many would give.
TEST(Roofline, PeakKernelsDependOnTheirRounds) {
  for (const std::string& isa : available_isas()) {
    const KernelTable& kernels = kernel_table(isa);
    EXPECT_GT(kernels.peak.flops, 0);
    EXPECT_TRUE(std::isfinite(kernels.peak.run(10)));
    if (kernels.peak_bytes.run == nullptr) continue;
    EXPECT_GT(kernels.peak_bytes.flops, kernels.peak.flops);
    EXPECT_NE(kernels.peak_bytes.run(1), kernels.peak_bytes.run(2));
  }
}

}  // namespace
}  // namespace hadal
