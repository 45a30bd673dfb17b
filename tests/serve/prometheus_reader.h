// An independent reader of Prometheus' text format 0.0.4 that accepts nothing else, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace hadal::test {

struct PrometheusSample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct PrometheusFamily {
  std::string type, help;
  std::vector<PrometheusSample> samples;

  // The value of the sample whose name ends so and that has exactly these labels; NaN if there is none.
  double value(const std::map<std::string, std::string>& labels = {}, const std::string& suffix = "") const {
    for (const PrometheusSample& sample : samples)
      if (sample.labels == labels && sample.name.ends_with(suffix)) return sample.value;
    return std::nan("");
  }
};

class PrometheusReader {
 public:
  using Families = std::map<std::string, PrometheusFamily>;

  // A failed expectation names the line.
  static Families read(const std::string& text) {
    PrometheusReader reader;
    EXPECT_TRUE(text.empty() || text.back() == '\n');
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      SCOPED_TRACE(line);
      reader.line(line);
    }
    for (const auto& [name, family] : reader.families_) {
      // Newer readers know a counter by its name without the ending.
      EXPECT_FALSE(family.type == "counter" && name.ends_with("_total") &&
                   reader.families_.contains(name.substr(0, name.size() - 6)))
          << name;
      if (family.type == "histogram") check_histogram(name, family);
    }
    return reader.families_;
  }

 private:
  static bool is_name(const std::string& text, bool colons) {
    if (text.empty()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool letter =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
      if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return true;
  }

  void line(const std::string& text) {
    std::istringstream words(text);
    std::string hash, kind, name;
    if (text.starts_with("# HELP ")) {
      words >> hash >> kind >> name;
      EXPECT_TRUE(is_name(name, true));
      EXPECT_TRUE(families_.emplace(name, PrometheusFamily()).second) << "a second HELP";
      const size_t after = std::string("# HELP ").size() + name.size() + 1;
      families_[name].help = after < text.size() ? text.substr(after) : "";
      EXPECT_FALSE(families_[name].help.empty());
      now_ = name;
      return;
    }
    if (text.starts_with("# TYPE ")) {
      std::string type, more;
      words >> hash >> kind >> name >> type;
      EXPECT_FALSE(words >> more);
      EXPECT_EQ(name, now_) << "TYPE without its HELP before it";
      EXPECT_TRUE(families_[name].type.empty() && families_[name].samples.empty()) << "a second TYPE";
      EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram");
      families_[name].type = type;
      return;
    }
    sample(text);
  }

  void sample(const std::string& text) {
    PrometheusSample out;
    size_t i = text.find_first_of("{ ");
    out.name = text.substr(0, i);
    EXPECT_TRUE(is_name(out.name, true));
    if (i < text.size() && text[i] == '{') {
      ++i;
      while (i < text.size() && text[i] != '}') {
        const size_t equals = text.find('=', i);
        const std::string label = text.substr(i, equals - i);
        EXPECT_TRUE(is_name(label, false)) << label;
        i = equals + 1;
        EXPECT_EQ(text.at(i++), '"');
        std::string value;
        while (text.at(i) != '"') {
          if (text[i] == '\\') {
            const char c = text.at(++i);
            EXPECT_TRUE(c == '\\' || c == '"' || c == 'n');
            value += c == 'n' ? '\n' : c;
          } else {
            value += text[i];
          }
          ++i;
        }
        ++i;
        EXPECT_TRUE(out.labels.emplace(label, value).second) << "a label twice";
        if (text.at(i) == ',') ++i;
      }
      ++i;
    }
    EXPECT_EQ(text.at(i), ' ');
    const std::string number = text.substr(i + 1);
    char* end = nullptr;
    out.value = number == "+Inf" ? INFINITY : std::strtod(number.c_str(), &end);
    EXPECT_TRUE(number == "+Inf" || (end != nullptr && *end == 0 && end != number.c_str())) << number;

    PrometheusFamily& family = families_[now_];
    EXPECT_FALSE(family.type.empty()) << "a sample before its TYPE";
    if (family.type == "histogram")
      EXPECT_TRUE(out.name == now_ + "_bucket" || out.name == now_ + "_sum" || out.name == now_ + "_count");
    else
      EXPECT_EQ(out.name, now_);
    if (family.type == "counter") {
      EXPECT_GE(out.value, 0);
    }
    EXPECT_TRUE(series_.insert({out.name, out.labels}).second) << "a series twice";
    family.samples.push_back(out);
  }

  static void check_histogram(const std::string& name, const PrometheusFamily& family) {
    SCOPED_TRACE(name);
    std::map<std::map<std::string, std::string>, std::vector<std::pair<double, double>>> buckets;
    for (const PrometheusSample& sample : family.samples) {
      if (!sample.name.ends_with("_bucket")) continue;
      auto labels = sample.labels;
      EXPECT_TRUE(labels.contains("le"));
      const std::string bound = labels["le"];
      labels.erase("le");
      buckets[labels].emplace_back(bound == "+Inf" ? INFINITY : std::stod(bound), sample.value);
    }
    EXPECT_FALSE(buckets.empty());
    for (const auto& [labels, steps] : buckets) {
      for (size_t i = 1; i < steps.size(); ++i) {
        EXPECT_LT(steps[i - 1].first, steps[i].first);
        EXPECT_LE(steps[i - 1].second, steps[i].second);
      }
      EXPECT_EQ(steps.back().first, INFINITY);
      EXPECT_EQ(steps.back().second, family.value(labels, "_count"));
      EXPECT_FALSE(std::isnan(family.value(labels, "_sum")));
    }
  }

  Families families_;
  std::string now_;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> series_;
};

}  // namespace hadal::test
