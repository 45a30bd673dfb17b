// Prometheus' text format 0.0.4: families with HELP and TYPE, samples with labels, histograms.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal::serve {

struct PrometheusLabel {
  std::string_view name, value;
};
using PrometheusLabels = std::initializer_list<PrometheusLabel>;

// Counts of a quantity by fixed bounds. Thread-safe; observe() takes no lock.
class PrometheusHistogram {
 public:
  explicit PrometheusHistogram(std::vector<double> bounds);  // ascending upper bounds, +Inf left out

  void observe(double value);  // what is not finite or below zero counts as 0

  const std::vector<double>& bounds() const { return bounds_; }
  std::vector<int64_t> counts() const;  // by bound, then what is above all; not cumulative
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<int64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// Collects the text. For one thread.
class PrometheusText {
 public:
  enum class Type { kCounter, kGauge, kHistogram };

  // Begins a family; its samples must follow, before the next family.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(PrometheusLabels labels, double value);
  void sample(PrometheusLabels labels, int64_t value);
  // All lines of one histogram. counts: one more than bounds, not cumulative.
  void histogram(PrometheusLabels labels, std::span<const double> bounds, std::span<const int64_t> counts,
                 double sum);
  void histogram(PrometheusLabels labels, const PrometheusHistogram& values);

  // A family with one sample.
  void one(std::string_view name, Type type, std::string_view help, PrometheusLabels labels, double value);
  void one(std::string_view name, Type type, std::string_view help, PrometheusLabels labels, int64_t value);

  std::string take() { return std::move(out_); }

 private:
  void line(std::string_view suffix, PrometheusLabels labels, std::string_view bound, std::string_view value);

  std::string out_;
  std::string family_;
};

}  // namespace hadal::serve
