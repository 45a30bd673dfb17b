#include "serve/prometheus_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "text/utf8.h"

namespace hadal::serve {
namespace {

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  std::string valid;
  utf8_append_lossy(valid, text, false);
  for (const char c : valid) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
}

std::string_view type_name(PrometheusText::Type type) {
  switch (type) {
    case PrometheusText::Type::kCounter:
      return "counter";
    case PrometheusText::Type::kGauge:
      return "gauge";
    case PrometheusText::Type::kHistogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

PrometheusHistogram::PrometheusHistogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<int64_t>[bounds_.size() + 1]()) {
  HADAL_CHECK(std::ranges::is_sorted(bounds_, std::less_equal<>()));
}

void PrometheusHistogram::observe(double value) {
  if (!std::isfinite(value) || value < 0) value = 0;
  const auto bound = std::ranges::lower_bound(bounds_, value);
  counts_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<int64_t> PrometheusHistogram::counts() const {
  std::vector<int64_t> out(bounds_.size() + 1);
  for (size_t i = 0; i < out.size(); ++i) out[i] = counts_[i].load(std::memory_order_relaxed);
  return out;
}

void PrometheusText::family(std::string_view name, Type type, std::string_view help) {
  family_ = name;
  fmt::format_to(std::back_inserter(out_), "# HELP {} ", name);
  append_escaped(out_, help, false);
  fmt::format_to(std::back_inserter(out_), "\n# TYPE {} {}\n", name, type_name(type));
}

void PrometheusText::line(std::string_view suffix, PrometheusLabels labels, std::string_view bound,
                          std::string_view value) {
  out_ += family_;
  out_ += suffix;
  char before = '{';
  const auto label = [&](std::string_view name, std::string_view text) {
    out_ += std::exchange(before, ',');
    out_ += name;
    out_ += "=\"";
    append_escaped(out_, text, true);
    out_ += '"';
  };
  for (const PrometheusLabel& each : labels) label(each.name, each.value);
  if (!bound.empty()) label("le", bound);
  if (before == ',') out_ += '}';
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

void PrometheusText::sample(PrometheusLabels labels, double value) {
  line("", labels, "", number(value));
}

void PrometheusText::sample(PrometheusLabels labels, int64_t value) {
  line("", labels, "", fmt::format("{}", value));
}

void PrometheusText::histogram(PrometheusLabels labels, std::span<const double> bounds,
                               std::span<const int64_t> counts, double sum) {
  HADAL_CHECK(counts.size() == bounds.size() + 1);
  int64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    line("_bucket", labels, i < bounds.size() ? number(bounds[i]) : "+Inf", fmt::format("{}", total));
  }
  line("_sum", labels, "", number(sum));
  line("_count", labels, "", fmt::format("{}", total));
}

void PrometheusText::histogram(PrometheusLabels labels, const PrometheusHistogram& values) {
  histogram(labels, values.bounds(), values.counts(), values.sum());
}

void PrometheusText::one(std::string_view name, Type type, std::string_view help, PrometheusLabels labels,
                         double value) {
  family(name, type, help);
  sample(labels, value);
}

void PrometheusText::one(std::string_view name, Type type, std::string_view help, PrometheusLabels labels,
                         int64_t value) {
  family(name, type, help);
  sample(labels, value);
}

}  // namespace hadal::serve
