#include "serve/accounts/accounts.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "accounts_support.h"

namespace hadal::serve {
namespace {

using test::enter;
using test::error_of;
using test::FakeTime;
using test::named;
using test::prices;
using test::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using namespace std::chrono;
using namespace std::chrono_literals;
using Failure = Authentication::Failure;

// A ledger that another process, the command line, works on too.
class WithLedger : public ::testing::Test {
 protected:
  AccountsOptions options() {
    AccountsOptions out;
    out.ledger = file_;
    out.prices = prices();
    out.clocks = time_.clocks();
    return out;
  }

  TempFolder folder_;
  std::filesystem::path file_ = folder_ / "ledger.db";
  Ledger command_line_{file_, Ledger::Access::kCreate};
  FakeTime time_;
};

TEST(Accounts, WithoutKeysEverybodyEnters) {
  Accounts accounts({});
  EXPECT_FALSE(accounts.needs_key());
  for (const auto& result :
       {enter(accounts, {}), enter(accounts, {"anything"}), enter(accounts, {"", "\n\xff"})}) {
    ASSERT_TRUE(result.caller);
    EXPECT_EQ(result.caller->name(), "anonymous");
    EXPECT_TRUE(result.caller->is_admin());
  }
  const Caller caller = *enter(accounts, {}).caller;
  std::vector<Admission> held;
  for (int i = 0; i < 1000; ++i) held.push_back(accounts.admit(caller));
  EXPECT_TRUE(held.back().admitted());
  EXPECT_EQ(accounts.record(caller, {"m", 1, 2, 3, 1, false}), Money{});
  EXPECT_TRUE(accounts.balance(caller).unlimited);
  EXPECT_TRUE(accounts.balance(caller).available);
  ASSERT_EQ(accounts.totals().size(), 1u);
  EXPECT_EQ(accounts.totals()[0].totals.completion_tokens, 3);
  ASSERT_EQ(accounts.usage({}).size(), 1u);
  EXPECT_EQ(accounts.usage({})[0].key, "anonymous");
  accounts.flush();
}

TEST(Accounts, KeysOfTheCommandLine) {
  AccountsOptions options;
  options.keys = {"secret-one", "secret-two", "secret-one"};
  Accounts accounts(std::move(options));
  EXPECT_TRUE(accounts.needs_key());
  EXPECT_EQ(enter(accounts, {"secret-one"}).caller->name(), "api-key-1");
  EXPECT_TRUE(enter(accounts, {"secret-two"}).caller->is_admin());
  EXPECT_FALSE(enter(accounts, {"secret-on"}).caller);
  EXPECT_FALSE(enter(accounts, {"secret-one "}).caller);

  for (const std::string& key : {std::string(), std::string("a b"), std::string("\xc3\xa9")}) {
    AccountsOptions bad;
    bad.keys = {key};
    error_of(ErrorCode::kInvalidInput, [&] { Accounts refused(std::move(bad)); });
  }
}

TEST(Accounts, AnyValidKeyIsEnough) {
  AccountsOptions options;
  options.keys = {"secret-one"};
  Accounts accounts(std::move(options));
  EXPECT_TRUE(enter(accounts, {"wrong", "secret-one"}).caller);
  EXPECT_TRUE(enter(accounts, {"secret-one", "wrong"}).caller);
  EXPECT_TRUE(enter(accounts, {"", "secret-one"}).caller);
  EXPECT_EQ(enter(accounts, {}).failure, Failure::kMissing);
  EXPECT_EQ(enter(accounts, {"", ""}).failure, Failure::kMissing);
  const Authentication wrong = enter(accounts, {"", "sk-not-mine-0000", "x"});
  EXPECT_EQ(wrong.failure, Failure::kWrong);
  EXPECT_EQ(wrong.message(), "Authentication Fails, Your api key: ****0000 is invalid");
  EXPECT_EQ(enter(accounts, {std::string(60'000, 'x')}).failure, Failure::kWrong);
  EXPECT_EQ(enter(accounts, {"\x1b[2J\n\x07\xff\xfe\xfd"}).last_four, "????");
}

TEST(Accounts, KeysOfAFile) {
  const TempFolder folder;
  FakeTime time;
  AccountsOptions options;
  options.key_file = folder.write(
      "keys", "sk-user-secret name=ann rpm=2\nsha256:" +
                  std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") +
                  " name=ops role=admin expires=2026-03-03\n");
  options.clocks = time.clocks();
  options.prices = prices();
  Accounts accounts(options);
  const Caller ann = *enter(accounts, {"sk-user-secret"}).caller;
  EXPECT_EQ(ann.name(), "ann");
  EXPECT_FALSE(ann.is_admin());
  EXPECT_TRUE(accounts.admit(ann).admitted());
  EXPECT_TRUE(accounts.admit(ann).admitted());
  EXPECT_EQ(accounts.admit(ann).refusal(), Admission::Refusal::kRequestRate);
  EXPECT_TRUE(enter(accounts, {"abc"}).caller->is_admin());
  time.advance(24h - 1s);
  EXPECT_TRUE(enter(accounts, {"abc"}).caller);
  time.advance(1s);
  EXPECT_EQ(enter(accounts, {"abc"}).failure, Failure::kExpired);

  EXPECT_EQ(accounts.record(ann, {"m", 1'000'000, 0, 0, 0, false}), Money{1'000'000'000});
  time.advance(24h);
  accounts.record(ann, {"m", 0, 1, 0, 0, true});
  const auto usage = accounts.usage({});
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_EQ(usage[0].day, sys_days(year(2026) / 3 / 3));
  EXPECT_EQ(usage[1].totals.errors, 1);
  EXPECT_EQ(accounts.usage({sys_days(year(2026) / 3 / 4), std::nullopt}).size(), 1u);
  EXPECT_EQ(accounts.usage({std::nullopt, "ops"}).size(), 0u);

  options.key_file = folder.write("bad", "sk-user-secret rpm=x");
  EXPECT_THAT(error_of(ErrorCode::kInvalidFile, [&] { Accounts refused(options); }), HasSubstr("line 1"));
}

TEST_F(WithLedger, NoKeyNoEntry) {
  Accounts accounts(options());
  EXPECT_TRUE(accounts.needs_key());
  EXPECT_FALSE(enter(accounts, {}).caller);
  EXPECT_FALSE(enter(accounts, {"sk-hadal-x"}).caller);

  AccountsOptions missing = options();
  missing.ledger = folder_ / "none.db";
  error_of(ErrorCode::kNotFound, [&] { Accounts refused(missing); });
}

TEST_F(WithLedger, KeysAddedAndRevokedMeanwhileCountAtOnce) {
  Accounts accounts(options());
  const NewKey made = command_line_.add_key(named("ann"), time_.now());
  const Authentication found = enter(accounts, {made.key});
  ASSERT_TRUE(found.caller);
  EXPECT_EQ(found.caller->name(), "ann");
  EXPECT_FALSE(found.caller->is_admin());

  KeyInfo info = made.info;
  info.role = Role::kAdmin;
  info.limits.concurrent = 1;
  command_line_.change_key(info);
  EXPECT_TRUE(enter(accounts, {made.key}).caller->is_admin());
  const Admission held = accounts.admit(*found.caller);
  EXPECT_EQ(accounts.admit(*found.caller).refusal(), Admission::Refusal::kConcurrency);

  command_line_.revoke_key(info.id, time_.now());
  const Authentication revoked = enter(accounts, {made.key});
  EXPECT_EQ(revoked.failure, Failure::kRevoked);
  EXPECT_THAT(revoked.message(), AllOf(HasSubstr("revoked"), HasSubstr("****" + made.info.last_four)));
  // What was admitted before is still counted.
  accounts.record(*found.caller, {"m", 0, 0, 7, 0, false});
  EXPECT_EQ(accounts.usage({}).at(0).totals.completion_tokens, 7);
}

TEST_F(WithLedger, KeysExpire) {
  KeyInfo info = named("ann");
  info.expires = time_.now() + 1h;
  const std::string key = command_line_.add_key(info, time_.now()).key;
  Accounts accounts(options());
  EXPECT_TRUE(enter(accounts, {key}).caller);
  time_.advance(1h);
  EXPECT_EQ(enter(accounts, {key}).failure, Failure::kExpired);
}

TEST_F(WithLedger, UsageIsThereAtOnceAndOnDiskLater) {
  KeyInfo info = named("ann");
  info.credit = Credit{Money{1'000'000}, "USD"};
  const NewKey made = command_line_.add_key(info, time_.now());
  {
    Accounts accounts(options());
    const Caller caller = *enter(accounts, {made.key}).caller;
    EXPECT_EQ(accounts.balance(caller).total, Money{1'000'000});
    EXPECT_EQ(accounts.balance(caller).currency, "USD");
    EXPECT_EQ(accounts.record(caller, {"m", 100, 10, 3, 1, false}), Money{500'000});
    EXPECT_EQ(accounts.balance(caller).total, Money{500'000});
    EXPECT_TRUE(accounts.admit(caller).admitted());
    accounts.record(caller, {"m", 0, 0, 5, 0, true});
    EXPECT_EQ(accounts.balance(caller).total, Money{0});
    EXPECT_FALSE(accounts.balance(caller).available);
    const Admission refused = accounts.admit(caller);
    EXPECT_EQ(refused.refusal(), Admission::Refusal::kBalance);
    EXPECT_EQ(refused.status(), 402);
    EXPECT_EQ(refused.message(), "Insufficient Balance");
    const auto totals = accounts.totals();
    ASSERT_EQ(totals.size(), 1u);
    EXPECT_EQ(totals[0].name, "ann");
    EXPECT_EQ(totals[0].totals, (UsageTotals{2, 1, 100, 10, 8, 1, {1'000'000}}));
  }
  const auto stored = command_line_.usage({});
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].totals, (UsageTotals{2, 1, 100, 10, 8, 1, {1'000'000}}));
  EXPECT_EQ(stored[0].currency, "USD");
  {
    Accounts accounts(options());  // the next start knows what was spent
    const Caller caller = *enter(accounts, {made.key}).caller;
    EXPECT_EQ(accounts.balance(caller).total, Money{0});
    info = made.info;
    info.credit->amount = Money{3'000'000};
    command_line_.change_key(info);
    EXPECT_TRUE(enter(accounts, {made.key}).caller);
    EXPECT_EQ(accounts.balance(caller).total, Money{2'000'000});
    EXPECT_TRUE(accounts.totals().empty());
  }
}

TEST_F(WithLedger, WithoutPricesNothingIsSpentButWhatWasSpentStaysSo) {
  KeyInfo info = named("ann");
  info.credit = Credit{Money{1'000'000}, "USD"};
  const NewKey made = command_line_.add_key(info, time_.now());
  {
    Accounts accounts(options());
    accounts.record(*enter(accounts, {made.key}).caller, {"m", 0, 0, 10, 0, false});
  }
  AccountsOptions free = options();
  free.prices = PriceTable();
  Accounts accounts(free);
  const Caller caller = *enter(accounts, {made.key}).caller;
  EXPECT_EQ(accounts.balance(caller).total, Money{0});
  EXPECT_EQ(accounts.admit(caller).refusal(), Admission::Refusal::kBalance);
  info = made.info;
  info.credit->amount = Money{1'000'007};
  command_line_.change_key(info);
  EXPECT_TRUE(enter(accounts, {made.key}).caller);
  EXPECT_EQ(accounts.record(caller, {"m", 0, 0, 10, 0, false}), Money{});
  EXPECT_EQ(accounts.balance(caller).total, Money{7});
}

TEST_F(WithLedger, ABalanceInAnotherCurrency) {
  AccountsOptions yuan = options();
  yuan.prices = prices("CNY");
  Accounts accounts(yuan);
  KeyInfo info = named("ann");
  info.credit = Credit{Money{1'000'000}, "USD"};
  CaptureStderr();
  const NewKey made = command_line_.add_key(info, time_.now());
  const Authentication found = enter(accounts, {made.key});
  ASSERT_TRUE(found.caller);
  EXPECT_THAT(GetCapturedStderr(), AllOf(HasSubstr("'ann'"), HasSubstr("USD"), HasSubstr("CNY")));
  EXPECT_EQ(accounts.admit(*found.caller).refusal(), Admission::Refusal::kBalance);
  EXPECT_THAT(error_of(ErrorCode::kInvalidInput, [&] { Accounts refused(yuan); }),
              AllOf(HasSubstr("ledger.db"), HasSubstr("'ann'")));
  yuan.prices = PriceTable();  // without prices nothing is ever spent
  Accounts free(yuan);
  EXPECT_TRUE(free.admit(*enter(free, {made.key}).caller).admitted());
}

TEST_F(WithLedger, OtherKeysWorkBesideIt) {
  AccountsOptions all = options();
  all.keys = {"operator-secret"};
  all.key_file = folder_.write("keys", "file-secret name=file\n");
  const NewKey made = command_line_.add_key(named("ann"), time_.now());
  Accounts accounts(all);
  for (const std::string_view key :
       {std::string_view("operator-secret"), std::string_view("file-secret"), std::string_view(made.key)}) {
    const Authentication found = enter(accounts, {key});
    ASSERT_TRUE(found.caller) << key;
    accounts.record(*found.caller, {"m", 1, 1, 1, 0, false});
  }
  const auto usage = accounts.usage({});
  ASSERT_EQ(usage.size(), 3u);
  EXPECT_EQ(usage[0].key, "ann");
  EXPECT_EQ(usage[1].key, "api-key");
  EXPECT_EQ(usage[2].key, "file");
  EXPECT_EQ(command_line_.usage({}).size(), 1u);  // only keys of the ledger are in it
}

TEST_F(WithLedger, AFailingDiskStopsNobody) {
  const NewKey made = command_line_.add_key(named("ann"), time_.now());
  auto accounts = std::make_unique<Accounts>(options());
  const Caller caller = *enter(*accounts, {made.key}).caller;
  CaptureStderr();
  // The file is replaced by nonsense under the open connections.
  for (const char* const part : {"ledger.db", "ledger.db-wal"})
    folder_.write(part, std::string(std::filesystem::file_size(folder_ / part), '\x5a'));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(enter(*accounts, {made.key}).caller);
    EXPECT_TRUE(accounts->admit(caller).admitted());
    accounts->record(caller, {"m", 1, 1, 1, 0, false});
    accounts->flush();
  }
  EXPECT_EQ(accounts->totals().at(0).totals.requests, 3);
  EXPECT_THROW(accounts->usage({}), Error);
  accounts.reset();
  const std::string log = GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("the keys that are known stay"));
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 3) << log;  // each kind of failure once
}

// Run under ThreadSanitizer too: everything at once, and nothing is lost.
TEST_F(WithLedger, ManyThreads) {
  constexpr int kThreads = 6, kEach = 150;
  std::vector<std::string> keys;
  for (int i = 0; i < 3; ++i) {
    KeyInfo info = named("key " + std::to_string(i));
    info.limits.concurrent = 2;
    info.credit = Credit{Money{1'000'000'000'000}, "USD"};
    keys.push_back(command_line_.add_key(info, time_.now()).key);
  }
  std::atomic<int64_t> recorded = 0, most = 0;
  std::array<std::atomic<int64_t>, 3> active{};
  {
    Accounts accounts(options());
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto k = static_cast<size_t>(t + i) % 3;
          const Authentication found = enter(accounts, {"wrong", keys[k]});
          if (!found.caller) {
            ADD_FAILURE() << k;
            return;
          }
          {
            const Admission admission = accounts.admit(*found.caller);
            if (!admission.admitted()) continue;
            const int64_t now_active = ++active[k];
            for (int64_t seen = most; now_active > seen && !most.compare_exchange_weak(seen, now_active);)
              continue;
            accounts.record(*found.caller, {i % 2 == 0 ? "m" : "n", 1, 1, 1, 0, false});
            ++recorded;
            --active[k];
          }
          if (i % 50 == 0) accounts.usage({});
          accounts.balance(*found.caller);
          accounts.totals();
        }
      });
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const NewKey made = command_line_.add_key(named("more " + std::to_string(i)), time_.now());
        EXPECT_TRUE(enter(accounts, {made.key}).caller);
        command_line_.revoke_key(made.info.id, time_.now());
        EXPECT_FALSE(enter(accounts, {made.key}).caller);
        time_.advance(1h);
      }
    });
    for (std::thread& thread : threads) thread.join();
  }
  int64_t stored = 0;
  for (const UsageRow& row : command_line_.usage({})) stored += row.totals.requests;
  EXPECT_EQ(stored, recorded);
  EXPECT_GT(recorded, 0);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace hadal::serve
