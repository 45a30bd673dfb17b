#include "serve/accounts/prices.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "text/json_value.h"

namespace hadal::serve {
namespace {

using std::chrono::minutes;

constexpr int64_t kMillion = 1'000'000;
constexpr int64_t kWhole = 100'000;                     // a discount of all, in thousandths of a percent
constexpr int64_t kMaxPrice = kMillion * kNanoPerUnit;  // for a million tokens
constexpr int64_t kMaxTokens = 1'000'000'000'000'000;   // keeps the sums below within 128 bits
constexpr std::uintmax_t kMaxFileBytes = 1 << 20;
constexpr minutes kDay{24 * 60};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

// Reads one file; every complaint names it and the path of the field.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  template <class... Args>
  [[noreturn]] void complain(const std::string& where, fmt::format_string<Args...> what,
                             Args&&... args) const {
    fail(ErrorCode::kInvalidFile, "{}: {}{}{}", file_, where, where.empty() ? "" : ": ",
         fmt::format(what, std::forward<Args>(args)...));
  }

  // The members of an object, all of which must be known.
  void check_object(const JsonValue& value, const std::string& where,
                    std::initializer_list<std::string_view> known) const {
    if (!value.is_object()) complain(where, "expected an object");
    if (value.had_repeats) complain(where, "a field comes more than once");
    for (const std::string& key : value.keys)
      if (std::ranges::find(known, key) == known.end())
        complain(where, "unknown field '{}'; expected {}", key, fmt::join(known, ", "));
  }

  Money price(const JsonValue& model, const std::string& where, std::string_view field) const {
    const JsonValue* const value = model.find(field);
    const std::string path = fmt::format("{}.{}", where, field);
    if (value == nullptr) complain(path, "missing");
    if (!value->is(JsonValue::Kind::kNumber) && !value->is_string()) complain(path, "expected a number");
    const Result<Money> amount = parse_money(value->text);
    if (!amount) complain(path, "{}", amount.error().what);
    if (amount->nano < 0 || amount->nano > kMaxPrice)
      complain(path, "expected 0 to {} for a million tokens", kMaxPrice / kNanoPerUnit);
    return *amount;
  }

  minutes time(const JsonValue& window, const std::string& where, std::string_view field) const {
    const JsonValue* const value = window.find(field);
    const std::string path = fmt::format("{}.{}", where, field);
    const auto digit = [&](size_t i) { return static_cast<int>(value->text[i]) - '0'; };
    if (value != nullptr && value->is_string() && value->text.size() == 5 && value->text[2] == ':' &&
        std::ranges::all_of(std::array{0, 1, 3, 4},
                            [&](size_t i) { return digit(i) >= 0 && digit(i) <= 9; })) {
      const minutes out{(digit(0) * 10 + digit(1)) * 60 + digit(3) * 10 + digit(4)};
      if (digit(3) < 6 && out <= kDay) return out;
    }
    complain(path, "expected a time in UTC like 16:30");
  }

  OffPeak window(const JsonValue& value, const std::string& where) const {
    check_object(value, where, {"days", "from", "to", "discount_percent"});
    OffPeak out;
    if (const JsonValue* const days = value.find("days")) {
      const std::string path = where + ".days";
      if (!days->is_array() || days->items.empty())
        complain(path, "expected a list of {}", fmt::join(kDays, ", "));
      out.days = 0;
      for (const JsonValue& day : days->items) {
        const auto found = std::ranges::find(kDays, day.text);
        if (!day.is_string() || found == kDays.end()) complain(path, "expected {}", fmt::join(kDays, ", "));
        out.days = static_cast<uint8_t>(out.days | (1 << (found - kDays.begin())));
      }
    }
    out.from = time(value, where, "from");
    out.to = time(value, where, "to");
    if (out.from >= kDay) complain(where + ".from", "expected a time before 24:00");
    const JsonValue* const discount = value.find("discount_percent");
    const Result<Money> percent = discount != nullptr && discount->is(JsonValue::Kind::kNumber)
                                      ? parse_money(discount->text)
                                      : Result<Money>(Money{-1});
    constexpr int64_t kStep = kNanoPerUnit / (kWhole / 100);
    if (!percent || percent->nano < 0 || percent->nano > 100 * kNanoPerUnit || percent->nano % kStep != 0)
      complain(where + ".discount_percent", "expected 0 to 100, with at most three digits after the point");
    out.discount = percent->nano / kStep;
    return out;
  }

  std::vector<OffPeak> windows(const JsonValue& parent, const std::string& where) const {
    const JsonValue* const list = parent.find("off_peak");
    if (list == nullptr) return {};
    const std::string path = where.empty() ? "off_peak" : where + ".off_peak";
    if (!list->is_array()) complain(path, "expected a list");
    std::vector<OffPeak> out;
    for (size_t i = 0; i < list->items.size(); ++i)
      out.push_back(window(list->items[i], fmt::format("{}[{}]", path, i)));
    return out;
  }

 private:
  const std::string& file_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool applies(const OffPeak& window, std::chrono::weekday day, minutes time) {
  const auto begins = [&](std::chrono::weekday d) { return (window.days >> d.c_encoding() & 1) != 0; };
  const minutes end = window.to > window.from ? window.to : window.to + kDay;
  const minutes since_yesterday = time + kDay;
  return (begins(day) && time >= window.from && time < end) ||
         (begins(day - std::chrono::days(1)) && since_yesterday < end);
}

int64_t discount_at(const std::vector<OffPeak>& windows, WallTime when) {
  if (windows.empty()) return 0;
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const auto time = std::chrono::floor<minutes>(when - day);
  int64_t out = 0;
  for (const OffPeak& window : windows)
    if (applies(window, std::chrono::weekday(day), time)) out = std::max(out, window.discount);
  return out;
}

}  // namespace

PriceTable PriceTable::load(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error)
    fail(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
         "{}: cannot read the price table: {}", file.string(), error.message());
  if (size > kMaxFileBytes)
    fail(ErrorCode::kInvalidFile, "{}: {} bytes; a price table has at most {}", file.string(), size,
         kMaxFileBytes);
  std::ifstream in(file, std::ios::binary);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (in.gcount() != static_cast<std::streamsize>(size))
    fail(ErrorCode::kIo, "{}: cannot read the price table", file.string());
  return parse(text, file.string());
}

PriceTable PriceTable::parse(std::string_view json, const std::string& name) {
  const Reader reader(name);
  const Result<JsonValue> root = parse_json(json, 16);
  if (!root) reader.complain("", "{}", root.error().to_string());
  reader.check_object(*root, "", {"currency", "models", "off_peak", "source", "as_of", "comment"});

  PriceTable out;
  const JsonValue* const currency = root->find("currency");
  if (currency == nullptr || !currency->is_string() || !is_currency(currency->text))
    reader.complain("currency", "expected three capital letters like USD");
  out.currency_ = currency->text;

  const std::vector<OffPeak> off_peak = reader.windows(*root, "");
  const JsonValue* const models = root->find("models");
  if (models == nullptr || !models->is_object() || models->items.empty())
    reader.complain("models", "expected an object with the prices of at least one model");
  if (models->had_repeats) reader.complain("models", "a model comes more than once");
  for (size_t i = 0; i < models->items.size(); ++i) {
    const JsonValue& model = models->items[i];
    const std::string where = "models." + models->keys[i];
    reader.check_object(model, where, {"input_cache_hit", "input_cache_miss", "output", "off_peak"});
    ModelPrices prices;
    prices.cache_hit = reader.price(model, where, "input_cache_hit");
    prices.cache_miss = reader.price(model, where, "input_cache_miss");
    prices.output = reader.price(model, where, "output");
    prices.off_peak = model.find("off_peak") != nullptr ? reader.windows(model, where) : off_peak;
    if (!out.models_.emplace(lower(models->keys[i]), std::move(prices)).second)
      reader.complain(where, "the model comes more than once");
  }
  return out;
}

const ModelPrices* PriceTable::find(std::string_view model) const {
  const std::string whole = lower(model);
  // The name, then the name without its last part, and so on.
  for (size_t length = whole.size(); length != std::string::npos; length = whole.rfind('-', length - 1)) {
    const auto found = models_.find(std::string_view(whole).substr(0, length));
    if (found != models_.end()) return &found->second;
    if (length == 0) break;
  }
  const auto rest = models_.find("*");
  return rest == models_.end() ? nullptr : &rest->second;
}

Money PriceTable::cost(const Usage& usage, WallTime when) const {
  const ModelPrices* const prices = find(usage.model);
  if (prices == nullptr) return {};
  using Wide = unsigned __int128;
  const auto part = [](int64_t tokens, Money price) {
    return static_cast<Wide>(std::clamp<int64_t>(tokens, 0, kMaxTokens)) * static_cast<Wide>(price.nano);
  };
  const Wide full = part(usage.cache_hit_tokens, prices->cache_hit) +
                    part(usage.cache_miss_tokens, prices->cache_miss) +
                    part(usage.completion_tokens, prices->output);
  const Wide share = static_cast<Wide>(kWhole - discount_at(prices->off_peak, when));
  constexpr Wide kDivisor = static_cast<Wide>(kMillion) * kWhole;
  const Wide nano = (full * share + kDivisor / 2) / kDivisor;
  return {static_cast<int64_t>(std::min<Wide>(nano, std::numeric_limits<int64_t>::max()))};
}

}  // namespace hadal::serve
