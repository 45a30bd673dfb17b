#include "serve/accounts/prices.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "accounts_support.h"

namespace hadal::serve {
namespace {

using test::invalid_file;
using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono;
using namespace std::chrono_literals;

const WallTime kMonday{sys_days(year(2026) / 3 / 2)};

PriceTable with_window(const std::string& window) {
  return PriceTable::parse(R"({"currency": "USD", "off_peak": [)" + window + R"(], "models": {
      "m": {"input_cache_hit": 0, "input_cache_miss": 0, "output": 1000000}}})",
                           "prices");
}

// In thousandths of the full price.
int64_t share(const PriceTable& table, WallTime when) {
  return table.cost({"m", 0, 0, 1, 0, false}, when).nano / (kNanoPerUnit / 1000);
}

TEST(Prices, TheExampleHasThePublishedPrices) {
  const PriceTable table = PriceTable::load(HADAL_SOURCE_DIR "/docs/prices.example.json");
  EXPECT_EQ(table.currency(), "USD");
  const Usage million{"deepseek-v4-flash", 1'000'000, 1'000'000, 1'000'000, 0, false};
  // Peak hours are 1 to 4 and 6 to 10 on working days, half the price else.
  EXPECT_EQ(format_money(table.cost(million, kMonday + 1h)), "1.774");
  EXPECT_EQ(format_money(table.cost(million, kMonday + 4h)), "0.887");
  EXPECT_EQ(format_money(table.cost(million, kMonday + 6h)), "1.774");
  EXPECT_EQ(format_money(table.cost(million, kMonday + 9h + 59min + 59s)), "1.774");
  EXPECT_EQ(format_money(table.cost(million, kMonday + 10h)), "0.887");
  EXPECT_EQ(format_money(table.cost(million, kMonday)), "0.887");
  EXPECT_EQ(format_money(table.cost(million, kMonday - days(1) + 2h)), "0.887");
  EXPECT_EQ(format_money(table.cost(million, kMonday - days(2) + 2h)), "0.887");
  EXPECT_EQ(format_money(table.cost(million, kMonday - days(3) + 2h)), "1.774");
  EXPECT_EQ(table.cost({"deepseek-v4-pro", 0, 0, 1'000'000, 0, false}, kMonday + 2h).nano, 3'960'000'000);
}

// Against arithmetic on the digits, in units of 1e-20.
RC_GTEST_PROP(Prices, CostIsExact, ()) {
  const auto price = rc::gen::inRange<int64_t>(0, 10'000'000'000);  // nano for a million tokens
  const int64_t hit = *price, miss = *price, output = *price, discount = *rc::gen::inRange(0, 100'001);
  const auto tokens = rc::gen::inRange<int64_t>(0, 2'000'000);
  const Usage usage{"m", *tokens, *tokens, *tokens, 0, false};
  const PriceTable table = PriceTable::parse(
      fmt::format(R"({{"currency": "EUR", "models": {{"m": {{"input_cache_hit": {}, "input_cache_miss": "{}",
        "output": {}, "off_peak": [{{"from": "00:00", "to": "24:00", "discount_percent": {}}}]}}}}}})",
                  format_money({hit}), format_money({miss}), format_money({output}),
                  format_money({discount * 1'000'000})),
      "prices");
  const __int128 exact = (static_cast<__int128>(usage.cache_hit_tokens) * hit +
                          static_cast<__int128>(usage.cache_miss_tokens) * miss +
                          static_cast<__int128>(usage.completion_tokens) * output) *
                         (100'000 - discount);
  const __int128 cost = table.cost(usage, kMonday).nano;
  const __int128 error = cost * 100'000'000'000 - exact;
  RC_ASSERT(error <= 50'000'000'000);
  RC_ASSERT(error > -50'000'000'000);
}

RC_GTEST_PROP(Prices, ManySmallCostsAreTheirSum, ()) {
  // A price of whole billionths for a token leaves nothing to round.
  const int64_t price = *rc::gen::inRange<int64_t>(0, 5000);
  const PriceTable table =
      PriceTable::parse(fmt::format(R"({{"currency": "USD", "models": {{"*": {{"input_cache_hit": 0,
        "input_cache_miss": 0, "output": {}}}}}}})",
                                    format_money({price * 1'000'000})),
                        "prices");
  Money sum;
  int64_t all = 0;
  for (const int64_t tokens :
       *rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(0, 100'000))) {
    sum = sum + table.cost({"m", 0, 0, tokens, 0, false}, kMonday);
    all += tokens;
  }
  RC_ASSERT(sum.nano == all * price);
}

TEST(Prices, Windows) {
  const PriceTable night = with_window(R"({"from": "22:30", "to": "06:00", "discount_percent": 25})");
  EXPECT_EQ(share(night, kMonday + 22h + 29min + 59s), 1000);
  EXPECT_EQ(share(night, kMonday + 22h + 30min), 750);
  EXPECT_EQ(share(night, kMonday + 24h), 750);
  EXPECT_EQ(share(night, kMonday + 29h + 59min), 750);
  EXPECT_EQ(share(night, kMonday + 30h), 1000);

  const PriceTable friday =
      with_window(R"({"days": ["fri"], "from": "22:00", "to": "22:00", "discount_percent": 12.5})");
  const WallTime fri = kMonday + days(4);
  EXPECT_EQ(share(friday, fri + 21h), 1000);
  EXPECT_EQ(share(friday, fri + 22h), 875);
  EXPECT_EQ(share(friday, fri + 24h + 21h + 59min), 875);
  EXPECT_EQ(share(friday, fri + 24h + 22h), 1000);
  EXPECT_EQ(share(friday, fri - 1h), 1000);

  const PriceTable two = with_window(
      R"({"from": "00:00", "to": "24:00", "discount_percent": 10}, {"days": ["sun", "mon"], "from": "00:00", "to": "12:00",
          "discount_percent": 100})");
  EXPECT_EQ(share(two, kMonday), 0);
  EXPECT_EQ(share(two, kMonday + 12h), 900);
  EXPECT_EQ(share(two, kMonday + 24h), 900);
}

TEST(Prices, WhichModel) {
  const PriceTable table = PriceTable::parse(R"({"currency": "USD", "models": {
      "a": {"input_cache_hit": 1, "input_cache_miss": 2, "output": 3},
      "*": {"input_cache_hit": 0.001, "input_cache_miss": 0, "output": 0, "off_peak": []}}})",
                                             "prices");
  EXPECT_EQ(table.cost({"a", 1, 1, 1, 1, false}, kMonday).nano, 6000);
  EXPECT_EQ(table.cost({"b", 1, 1, 1, 1, false}, kMonday).nano, 1);
  EXPECT_EQ(PriceTable().cost({"a", 1, 1, 1, 1, false}, kMonday).nano, 0);
  EXPECT_TRUE(PriceTable().empty());
  EXPECT_EQ(PriceTable().currency(), "");
  EXPECT_EQ(test::prices().find("other"), nullptr);
}

TEST(Prices, NamesOfCheckpoints) {
  const PriceTable table = PriceTable::load(HADAL_SOURCE_DIR "/docs/prices.example.json");
  const ModelPrices* const flash = table.find("deepseek-v4-flash");
  ASSERT_NE(flash, nullptr);
  EXPECT_EQ(table.find("DeepSeek-V4-Flash"), flash);
  EXPECT_EQ(table.find("DeepSeek-V4-Flash-0731"), flash);
  EXPECT_EQ(table.find("DeepSeek-V4-Flash-0731-FP8-x"), flash);
  for (const char* const name : {"", "-", "--", "deepseek", "deepseek-v4", "deepseek-v4-flashy",
                                 "deepseek-v4-flash.2", "-deepseek-v4-flash", "hadal-mini"})
    EXPECT_EQ(table.find(name), nullptr) << name;
}

TEST(Prices, CountsThatMakeNoSenseDoNotOverflow) {
  const PriceTable table = with_window("");
  EXPECT_EQ(table.cost({"m", INT64_MIN, -1, -5, 0, false}, kMonday).nano, 0);
  EXPECT_EQ(table.cost({"m", INT64_MAX, INT64_MAX, INT64_MAX, 0, false}, kMonday).nano, INT64_MAX);
}

TEST(Prices, ErrorsNameFileAndField) {
  const std::string good = R"({"input_cache_hit": 1, "input_cache_miss": 1, "output": 1})";
  const auto models = [](const std::string& text) {
    return R"({"currency": "USD", "models": )" + text + "}";
  };
  const auto window = [&](const std::string& text) {
    return R"({"currency": "USD", "models": {"m": )" + good + R"(}, "off_peak": [)" + text + "]}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "byte"},
      {"[]", "expected an object"},
      {R"({"models": {}})", "currency"},
      {R"({"currency": "usd", "models": {}})", "currency"},
      {R"({"currency": "USD"})", "models"},
      {models("{}"), "models"},
      {models("[]"), "models"},
      {models(R"({"m": 3})"), "models.m"},
      {models(R"({"m": {"input_cache_hit": 1, "input_cache_miss": 1}})"), "models.m.output"},
      {models(R"({"m": {"input_cache_hit": -1, "input_cache_miss": 1, "output": 1}})"),
       "models.m.input_cache_hit"},
      {models(R"({"m": {"input_cache_hit": 1, "input_cache_miss": 1e2, "output": 1}})"),
       "models.m.input_cache_miss"},
      {models(R"({"m": {"input_cache_hit": 1, "input_cache_miss": true, "output": 1}})"),
       "models.m.input_cache_miss"},
      {models(R"({"m": {"input_cache_hit": 1, "input_cache_miss": 1, "output": 1000001}})"),
       "models.m.output"},
      {models(R"({"m": {"input": 1}})"), "unknown field 'input'"},
      {models(R"({"m": )" + good + R"(, "m": )" + good + "}"), "more than once"},
      {models(R"({"M": )" + good + R"(, "m": )" + good + "}"), "models.m: the model comes more than once"},
      {R"({"currency": "USD", "price": 1})", "unknown field 'price'"},
      {window("3"), "off_peak[0]"},
      {window(R"({"from": "1:00", "to": "02:00", "discount_percent": 1})"), "off_peak[0].from"},
      {window(R"({"from": "24:00", "to": "02:00", "discount_percent": 1})"), "off_peak[0].from"},
      {window(R"({"from": "01:60", "to": "02:00", "discount_percent": 1})"), "off_peak[0].from"},
      {window(R"({"from": "01:00", "to": "24:01", "discount_percent": 1})"), "off_peak[0].to"},
      {window(R"({"from": "01:00", "discount_percent": 1})"), "off_peak[0].to"},
      {window(R"({"from": "01:00", "to": "02:00"})"), "off_peak[0].discount_percent"},
      {window(R"({"from": "01:00", "to": "02:00", "discount_percent": 101})"),
       "off_peak[0].discount_percent"},
      {window(R"({"from": "01:00", "to": "02:00", "discount_percent": 0.0001})"),
       "off_peak[0].discount_percent"},
      {window(R"({"days": ["monday"], "from": "01:00", "to": "02:00", "discount_percent": 1})"),
       "off_peak[0].days"},
      {window(R"({"days": [], "from": "01:00", "to": "02:00", "discount_percent": 1})"), "off_peak[0].days"},
      {R"({"currency": "USD", "off_peak": 1, "models": {"m": )" + good + "}}", "off_peak"},
      {std::string(100'000, '['), "byte"},
  };
  for (const auto& [text, says] : cases)
    EXPECT_THAT(invalid_file([&] { PriceTable::parse(text, "/some/file"); }),
                AllOf(HasSubstr("/some/file"), HasSubstr(says)))
        << text;
}

TEST(Prices, Files) {
  const test::TempFolder folder;
  EXPECT_THAT(test::error_of(ErrorCode::kNotFound, [&] { PriceTable::load(folder / "none.json"); }),
              HasSubstr("none.json"));
  folder.write("large.json", std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(invalid_file([&] { PriceTable::load(folder / "large.json"); }), HasSubstr("large.json"));
  test::error_of(ErrorCode::kIo, [&] { PriceTable::load(folder.path()); });
}

}  // namespace
}  // namespace hadal::serve
