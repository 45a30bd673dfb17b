#include "serve/accounts/ledger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <thread>

#include "accounts_support.h"

namespace hadal::serve {
namespace {

using test::error_of;
using test::invalid_file;
using test::named;
using test::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono;
using namespace std::chrono_literals;
using Access = Ledger::Access;

const WallTime kNow{sys_days(year(2026) / 3 / 2) + 5h};

UsageRow row(int64_t key, int day, const std::string& model, int64_t n) {
  return {key,   "",    sys_days(year(2026) / 3 / day),
          model, "USD", {n, n % 2, 10 * n, 20 * n, 30 * n, 5 * n, {n}}};
}

TEST(Ledger, KeepsKeys) {
  const TempFolder folder;
  KeyInfo info = named("ann");
  info.role = Role::kAdmin;
  info.limits = {60, 100'000, 4};
  info.expires = kNow + 24h;
  info.credit = Credit{Money{12'500'000'000}, "CNY"};
  NewKey made, plain;
  {
    Ledger ledger(folder / "ledger.db", Access::kCreate);
    EXPECT_EQ(ledger.key_changes(), 0);
    EXPECT_TRUE(ledger.keys().empty());
    made = ledger.add_key(info, kNow);
    plain = ledger.add_key(named("bob"), kNow + 1s);
    EXPECT_EQ(ledger.key_changes(), 2);
  }
  EXPECT_EQ(made.info.id, 1);
  EXPECT_EQ(plain.info.id, 2);
  EXPECT_EQ(made.key.substr(made.key.size() - 4), made.info.last_four);

  Ledger ledger(folder / "ledger.db", Access::kRead);
  const std::vector<StoredKey> keys = ledger.keys();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].info.name, "ann");
  EXPECT_EQ(keys[0].info.role, Role::kAdmin);
  EXPECT_EQ(keys[0].info.limits, info.limits);
  EXPECT_EQ(keys[0].info.created, kNow);
  EXPECT_EQ(keys[0].info.expires, kNow + 24h);
  EXPECT_EQ(keys[0].info.credit, info.credit);
  EXPECT_EQ(keys[0].info.last_four, made.info.last_four);
  EXPECT_EQ(keys[0].hash, ledger.hasher().of_key(made.key));
  EXPECT_EQ(keys[1].info.role, Role::kUser);
  EXPECT_EQ(keys[1].info.limits, KeyLimits());
  EXPECT_FALSE(keys[1].info.expires || keys[1].info.revoked || keys[1].info.credit);
  EXPECT_EQ(keys[1].hash, ledger.hasher().of_key(plain.key));
}

TEST(Ledger, NamesOfLiveKeysAreUnique) {
  const TempFolder folder;
  Ledger ledger(folder / "ledger.db", Access::kCreate);
  const NewKey first = ledger.add_key(named("ann"), kNow);
  EXPECT_THAT(error_of(ErrorCode::kInvalidInput, [&] { ledger.add_key(named("ann"), kNow); }),
              AllOf(HasSubstr("ledger.db"), HasSubstr("'ann'")));
  ledger.revoke_key(first.info.id, kNow + 1min);
  ledger.revoke_key(first.info.id, kNow + 2min);  // the first time counts
  ledger.add_key(named("ann"), kNow);
  const auto keys = ledger.keys();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].info.revoked, kNow + 1min);
  EXPECT_FALSE(keys[1].info.revoked);
  EXPECT_NE(keys[0].hash, keys[1].hash);
}

TEST(Ledger, ChangesOfKeysAreSeenByOthers) {
  const TempFolder folder;
  Ledger writer(folder / "ledger.db", Access::kCreate), reader(folder / "ledger.db", Access::kRead);
  KeyInfo info = writer.add_key(named("ann"), kNow).info;
  EXPECT_EQ(reader.key_changes(), 1);
  info.limits.concurrent = 3;
  info.role = Role::kAdmin;
  info.credit = Credit{Money{5}, "USD"};
  info.expires = kNow;
  writer.change_key(info);
  EXPECT_EQ(reader.key_changes(), 2);
  const KeyInfo seen = reader.keys().at(0).info;
  EXPECT_EQ(seen.limits, info.limits);
  EXPECT_EQ(seen.role, Role::kAdmin);
  EXPECT_EQ(seen.credit, info.credit);
  EXPECT_EQ(seen.expires, kNow);
  writer.add_usage(std::vector{row(1, 1, "m", 1)});
  EXPECT_EQ(reader.key_changes(), 2);
}

TEST(Ledger, UsageAddsUp) {
  const TempFolder folder;
  Ledger ledger(folder / "ledger.db", Access::kCreate);
  ledger.add_key(named("ann"), kNow);
  ledger.add_key(named("bob"), kNow);
  ledger.add_usage(std::vector{row(2, 1, "flash", 1), row(1, 2, "pro", 3), row(1, 1, "flash", 5)});
  ledger.add_usage(std::vector{row(1, 1, "flash", 2), row(1, 1, "pro", 1)});
  ledger.add_usage({});

  const auto all = ledger.usage({});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].key, "ann");
  EXPECT_EQ(all[0].model, "flash");
  EXPECT_EQ(all[0].day, sys_days(year(2026) / 3 / 1));
  EXPECT_EQ(all[0].currency, "USD");
  EXPECT_EQ(all[0].totals, (UsageTotals{7, 1, 70, 140, 210, 35, {7}}));
  EXPECT_EQ(all[1].model, "pro");
  EXPECT_EQ(all[2].key, "bob");
  EXPECT_EQ(all[3].day, sys_days(year(2026) / 3 / 2));
  EXPECT_EQ(ledger.usage({sys_days(year(2026) / 3 / 2), std::nullopt}).size(), 1u);
  EXPECT_EQ(ledger.usage({std::nullopt, "bob"}).size(), 1u);
  EXPECT_EQ(ledger.usage({std::nullopt, "eve"}).size(), 0u);
  EXPECT_EQ(ledger.spent("USD"), (std::map<int64_t, Money>{{1, {11}}, {2, {1}}}));
  EXPECT_TRUE(ledger.spent("CNY").empty());
}

TEST(Ledger, NoPlainKeyOnDiskAndNobodyElseReadsIt) {
  const TempFolder folder;
  std::string key;
  std::string bytes;
  {
    Ledger ledger(folder / "ledger.db", Access::kCreate);
    key = ledger.add_key(named("ann"), kNow).key;
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
      bytes += hadal::test::read_bytes(file.path());
      struct stat status{};
      ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0777, 0600u) << file.path();
    }
  }
  EXPECT_THAT(bytes, HasSubstr("ann"));
  EXPECT_THAT(bytes, Not(HasSubstr(key)));
  EXPECT_THAT(bytes, Not(HasSubstr(key.substr(10, 20))));
  const Bytes32 unsalted = sha256(key);
  EXPECT_EQ(bytes.find(std::string_view(reinterpret_cast<const char*>(unsalted.data()), 32)),
            std::string::npos);
}

TEST(Ledger, FilesThatAreNoLedger) {
  const TempFolder folder;
  for (const Access access : {Access::kWrite, Access::kRead})
    EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Ledger(folder / "none.db", access); }),
                AllOf(HasSubstr("none.db"), HasSubstr("hadal keys add")));
  EXPECT_FALSE(std::filesystem::exists(folder / "none.db"));
  error_of(ErrorCode::kInvalidInput, [&] { Ledger(folder.path(), Access::kCreate); });
  error_of(ErrorCode::kIo, [&] { Ledger(folder / "no" / "folder.db", Access::kCreate); });

  folder.write("text.db", std::string(5000, 'x'));
  folder.write("empty.db", "");
  Sqlite((folder / "other.db").string(), 0).execute("CREATE TABLE t(a)");
  for (const char* const name : {"text.db", "empty.db", "other.db"})
    EXPECT_THAT(invalid_file([&] { Ledger(folder / name, Access::kWrite); }),
                AllOf(HasSubstr(name), HasSubstr("not a ledger")));
  EXPECT_THAT(invalid_file([&] { Ledger(folder / "other.db", Access::kCreate); }), HasSubstr("not a ledger"));
  EXPECT_EQ(Sqlite((folder / "other.db").string(), 0).text("PRAGMA journal_mode"), "delete");
  Ledger(folder / "empty.db", Access::kCreate);  // what a kill leaves at the earliest moment
  Ledger(folder / "empty.db", Access::kWrite);

  Sqlite((folder / "empty.db").string(), 0).execute("PRAGMA user_version = 2");
  EXPECT_THAT(error_of(ErrorCode::kUnsupported, [&] { Ledger(folder / "empty.db", Access::kRead); }),
              HasSubstr("version 2"));
}

TEST(Ledger, DamageIsFoundAndNamed) {
  const TempFolder folder;
  {
    Ledger ledger(folder / "good.db", Access::kCreate);
    for (int i = 0; i < 50; ++i) ledger.add_key(named("key-" + std::to_string(i)), kNow);
    std::vector<UsageRow> rows;
    for (int key = 1; key <= 50; ++key)
      for (int day = 1; day <= 28; ++day) rows.push_back(row(key, day, "deepseek-v4-flash", key * day));
    ledger.add_usage(rows);
  }
  const std::string good = hadal::test::read_bytes(folder / "good.db");
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    std::string bytes = good;
    if (i % 3 == 0)
      bytes.resize(random() % bytes.size());
    else
      for (int n = 0; n < 40; ++n) bytes[random() % bytes.size()] = static_cast<char>(random());
    folder.write("bad.db", bytes);
    for (const char* const side : {"bad.db-wal", "bad.db-shm"}) std::filesystem::remove(folder / side);
    try {
      Ledger ledger(folder / "bad.db", Access::kWrite);
      ledger.keys();
      ledger.usage({});
    } catch (const Error& error) {
      ++refused;
      EXPECT_THAT(error.what(), HasSubstr("bad.db"));
    }
  }
  EXPECT_GT(refused, 40);
}

TEST(Ledger, RowsThatMakeNoSenseAreNamed) {
  const TempFolder folder;
  Ledger ledger(folder / "ledger.db", Access::kCreate);
  ledger.add_key(named("ann"), kNow);
  Sqlite other((folder / "ledger.db").string(), 1000);
  const std::pair<const char*, const char*> cases[] = {
      {"UPDATE keys SET role = 'root'", "key 1: role"},
      {"UPDATE keys SET hash = x'00'", "key 1: hash"},
      {"UPDATE keys SET name = char(27)", "key 1: name"},
      {"UPDATE keys SET credit = 1, currency = 'x'", "key 1: currency"},
  };
  for (const auto& [sql, says] : cases) {
    other.execute("BEGIN");
    other.execute(sql);
    other.execute("COMMIT");
    EXPECT_THAT(invalid_file([&] { ledger.keys(); }), AllOf(HasSubstr("ledger.db"), HasSubstr(says)));
    other.execute("UPDATE keys SET role = 'user', hash = zeroblob(32), name = 'ann', credit = NULL");
  }
  other.execute("UPDATE keys SET last_four = char(27) || '[2Jx'");
  EXPECT_EQ(ledger.keys().at(0).info.last_four, "?[2J");
  EXPECT_THROW(other.execute("UPDATE keys SET created = 'yesterday'"), SqliteError);
}

// In a process that may not write: the children below are not root.
int as_somebody_else(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(90);
    try {
      body();
      ::_exit(0);
    } catch (const Error& error) {
      const bool says = std::string_view(error.what()).find("read-only") != std::string_view::npos ||
                        std::string_view(error.what()).find("writable") != std::string_view::npos;
      ::_exit(error.code() == ErrorCode::kIo && says ? 1 : 2);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(Ledger, AReadOnlyCopyIsReadAndNotWritten) {
  const TempFolder folder;
  const auto file = folder / "ledger.db";
  {
    Ledger(file, Access::kCreate).add_key(named("ann"), kNow);
  }
  ::chmod(file.c_str(), 0444);
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(as_somebody_else([&] { Ledger(file, Access::kWrite); }), 1);
  EXPECT_EQ(as_somebody_else([&] { Ledger(file, Access::kCreate); }), 1);
  // SQLite keeps an index beside a file in WAL mode, so reading needs a folder that can be written.
  ::chmod(folder.path().c_str(), 0555);
  EXPECT_EQ(as_somebody_else([&] { Ledger(file, Access::kRead); }), 1);
  ::chmod(folder.path().c_str(), 0777);
  EXPECT_EQ(as_somebody_else([&] {
              if (Ledger(file, Access::kRead).keys().size() != 1) throw 0;
            }),
            0);
}

TEST(Ledger, WaitsForOthersAndSaysSoWhenTheyTakeTooLong) {
  const TempFolder folder;
  Ledger ledger(folder / "ledger.db", Access::kCreate, 1);
  Sqlite other((folder / "ledger.db").string(), 1000);
  const SqliteTransaction holds_the_lock(other);
  EXPECT_THAT(error_of(ErrorCode::kIo, [&] { ledger.add_key(named("ann"), kNow); }),
              HasSubstr("another program"));
  EXPECT_TRUE(ledger.keys().empty());  // reading goes on
}

// What a process says it has written is there after it was killed at any moment, and the file opens.
TEST(Ledger, SurvivesKills) {
  const TempFolder folder;
  const auto file = folder / "ledger.db";
  std::mt19937_64 random(11);
  int64_t keys = 0, requests = 0;
  for (int round = 0; round < 60; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      Ledger ledger(file, Access::kCreate);
      for (int64_t i = 0;; ++i) {
        char what = 'u';
        if (i % 5 == 0) {
          ledger.add_key(named("k" + std::to_string(::getpid()) + "-" + std::to_string(i)), kNow);
          what = 'k';
        } else {
          ledger.add_usage(std::vector{row(1, 1 + static_cast<int>(i % 28), "m", 1), row(2, 3, "m", 1)});
        }
        if (::write(ends[1], &what, 1) != 1) ::_exit(1);
      }
    }
    ::close(ends[1]);
    const auto hear = [&] {
      char what = 0;
      if (::read(ends[0], &what, 1) != 1) return false;
      keys += what == 'k';
      requests += what == 'u' ? 2 : 0;
      return true;
    };
    // Somewhere in the opening, or some time after so many transactions.
    const uint64_t transactions = random() % 10;
    for (uint64_t i = 0; i < transactions; ++i) ASSERT_TRUE(hear());
    std::this_thread::sleep_for(microseconds(random() % 5'000));
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    while (hear()) continue;
    ::close(ends[0]);

    Ledger ledger(file, Access::kCreate);
    const auto found_keys = static_cast<int64_t>(ledger.keys().size());
    int64_t found = 0;
    for (const UsageRow& use : ledger.usage({})) {
      found += use.totals.requests;
      ASSERT_EQ(use.totals.completion_tokens, 30 * use.totals.requests);
    }
    // One more may have been written and not reported.
    ASSERT_TRUE(found_keys == keys || found_keys == keys + 1) << round;
    ASSERT_TRUE(found == requests || found == requests + 2) << round;
    keys = found_keys;
    requests = found;
  }
  EXPECT_GT(keys, 0);
  EXPECT_GT(requests, 0);
}

TEST(Ledger, SeveralProcessesAddToOneFile) {
  const TempFolder folder;
  const auto file = folder / "ledger.db";
  constexpr int kProcesses = 4, kRows = 30;
  pid_t children[kProcesses];
  for (pid_t& pid : children) {
    pid = ::fork();
    if (pid == 0) {
      try {
        Ledger ledger(file, Access::kCreate, 60'000);
        for (int i = 0; i < kRows; ++i) ledger.add_usage(std::vector{row(1, 1, "m", 1)});
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Ledger(file, Access::kRead).usage({}).at(0).totals.requests, kProcesses * kRows);
}

}  // namespace
}  // namespace hadal::serve
