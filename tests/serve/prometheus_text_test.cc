#include "serve/prometheus_text.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <limits>
#include <thread>

#include "prometheus_reader.h"

namespace hadal::serve {
namespace {

using hadal::test::PrometheusReader;
using ::testing::ElementsAre;
using Type = PrometheusText::Type;

TEST(PrometheusText, Writes) {
  PrometheusText text;
  text.family("a_total", Type::kCounter, "Some \\ help\nin two lines.");
  text.sample({}, int64_t{9007199254740993});
  text.sample({{"x", "1"}, {"y", "a \"b\" \\ c\nd"}}, 0.1);
  text.one("b", Type::kGauge, "B.", {}, std::numeric_limits<double>::infinity());
  text.family("c", Type::kHistogram, "C.");
  text.histogram({{"m", "n"}}, std::array{0.5, 1.0}, std::array<int64_t, 3>{1, 0, 2}, 4.5);
  EXPECT_EQ(text.take(),
            "# HELP a_total Some \\\\ help\\nin two lines.\n"
            "# TYPE a_total counter\n"
            "a_total 9007199254740993\n"
            "a_total{x=\"1\",y=\"a \\\"b\\\" \\\\ c\\nd\"} 0.1\n"
            "# HELP b B.\n"
            "# TYPE b gauge\n"
            "b +Inf\n"
            "# HELP c C.\n"
            "# TYPE c histogram\n"
            "c_bucket{m=\"n\",le=\"0.5\"} 1\n"
            "c_bucket{m=\"n\",le=\"1\"} 1\n"
            "c_bucket{m=\"n\",le=\"+Inf\"} 3\n"
            "c_sum{m=\"n\"} 4.5\n"
            "c_count{m=\"n\"} 3\n");
}

RC_GTEST_PROP(PrometheusText, LabelsReadBack, ()) {
  const auto value =
      *rc::gen::container<std::string>(rc::gen::elementOf(std::string("abc\"\\\n {}=,#\xc3\xa9")));
  std::string valid;
  for (size_t i = 0; i < value.size(); ++i)  // keep only whole characters
    if (static_cast<unsigned char>(value[i]) < 0x80) valid += value[i];
  PrometheusText text;
  text.one("m", Type::kGauge, "M.", {{"l", valid}}, 1.5);
  const auto families = PrometheusReader::read(text.take());
  RC_ASSERT(families.at("m").value({{"l", valid}}) == 1.5);
}

TEST(PrometheusText, BrokenUtf8IsReplaced) {
  PrometheusText text;
  text.one("m", Type::kGauge, "M.", {{"l", "\xff"}}, 1.0);
  EXPECT_EQ(PrometheusReader::read(text.take()).at("m").value({{"l", "\xef\xbf\xbd"}}), 1.0);
}

TEST(PrometheusHistogram, Counts) {
  PrometheusHistogram histogram({0.1, 1, 10});
  for (const double value :
       {0.0, 0.1, 0.11, 1.0, 1e9, -5.0, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    histogram.observe(value);
  EXPECT_THAT(histogram.counts(), ElementsAre(5, 2, 0, 1));
  EXPECT_DOUBLE_EQ(histogram.sum(), 0.1 + 0.11 + 1 + 1e9);
}

TEST(PrometheusHistogram, ManyThreads) {
  PrometheusHistogram histogram({1, 2, 3});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) histogram.observe(i % 5);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(histogram.counts(), ElementsAre(16'000, 8'000, 8'000, 8'000));
  EXPECT_DOUBLE_EQ(histogram.sum(), 80'000);
}

}  // namespace
}  // namespace hadal::serve
