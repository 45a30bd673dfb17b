// What tokens cost: a JSON file with prices per million tokens, with cheaper hours where wanted.
// docs/prices.example.json is one.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "serve/accounts/account.h"

namespace hadal::serve {

// Hours of the week in UTC with a discount. A window whose end is not after its begin goes on into the next
// day; `days` are those it begins on.
struct OffPeak {
  uint8_t days = 0x7f;  // bit 0: Sunday
  std::chrono::minutes from{0}, to{0};
  int64_t discount = 0;  // in thousandths of a percent: 0 to 100'000
};

struct ModelPrices {
  Money cache_hit, cache_miss, output;  // for a million tokens
  std::vector<OffPeak> off_peak;        // the largest discount that applies counts
};

// Immutable: any number of threads.
class PriceTable {
 public:
  PriceTable() = default;  // nothing costs anything
  // Throws Error{kInvalidFile, kNotFound, kIo} naming the file and the field.
  static PriceTable load(const std::filesystem::path& file);
  // `name` stands for the file in errors.
  static PriceTable parse(std::string_view json, const std::string& name);

  bool empty() const { return models_.empty(); }
  const std::string& currency() const { return currency_; }  // empty without prices
  // Prices of this model, in any case of letters; else those of its name with parts behind a '-' left out
  // ("DeepSeek-V4-Flash-0731" is a deepseek-v4-flash); else those of "*", else nullptr.
  const ModelPrices* find(std::string_view model) const;
  // Exact, rounded once, to the nearest billionth. A model without prices costs nothing.
  Money cost(const Usage& usage, WallTime when) const;

 private:
  std::string currency_;
  std::map<std::string, ModelPrices, std::less<>> models_;
};

}  // namespace hadal::serve
