// Limits as a caller meets them: places, rates, and what refusals say.
#include <gmock/gmock.h>

#include "accounts_support.h"

namespace hadal::serve {
namespace {

using test::enter;
using test::FakeTime;
using test::TempFolder;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using Refusal = Admission::Refusal;

class Limited : public ::testing::Test {
 protected:
  void open(const std::string& settings) {
    AccountsOptions options;
    options.key_file = folder_.write("keys", "sk-secret name=ann " + settings);
    options.clocks = time_.clocks();
    accounts_ = std::make_unique<Accounts>(std::move(options));
    caller_.emplace(*enter(*accounts_, {"sk-secret"}).caller);
  }
  Admission admit(int64_t requests = 1) { return accounts_->admit(*caller_, requests); }
  void use(int64_t hit, int64_t miss, int64_t completion) {
    accounts_->record(*caller_, {"m", hit, miss, completion, 0, false});
  }

  TempFolder folder_;
  FakeTime time_;
  std::unique_ptr<Accounts> accounts_;
  std::optional<Caller> caller_;
};

TEST_F(Limited, PlacesAreGivenBack) {
  open("concurrent=2");
  Admission first = admit();
  {
    const Admission second = admit();
    EXPECT_TRUE(second.admitted());
    EXPECT_EQ(second.status(), 200);
    EXPECT_EQ(second.message(), "");
    const Admission third = admit();
    EXPECT_EQ(third.refusal(), Refusal::kConcurrency);
    EXPECT_EQ(third.status(), 429);
    EXPECT_EQ(third.retry_after_seconds(), 1);
    EXPECT_THAT(third.message(), HasSubstr("2 requests at a time"));
  }
  EXPECT_TRUE(admit().admitted());

  Admission moved = std::move(first);
  Admission held = admit();
  EXPECT_FALSE(admit().admitted());
  held = std::move(moved);  // what `held` had lives on in `moved`
  EXPECT_FALSE(admit().admitted());
  moved = Admission();
  EXPECT_TRUE(admit().admitted());
  held = Admission();
  EXPECT_TRUE(admit().admitted());
}

TEST_F(Limited, APlaceMayOutliveTheServersInterest) {
  open("concurrent=1");
  const Admission held = admit();
  accounts_.reset();
  EXPECT_TRUE(held.admitted());
}

TEST_F(Limited, RequestsPerMinute) {
  open("rpm=3");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(admit().admitted());
  const Admission refused = admit();
  EXPECT_EQ(refused.refusal(), Refusal::kRequestRate);
  EXPECT_EQ(refused.status(), 429);
  EXPECT_EQ(refused.retry_after_seconds(), 20);
  EXPECT_THAT(refused.message(), HasSubstr("3 requests per minute; retry in 20 s"));
  time_.advance(19s + 500ms);
  EXPECT_EQ(admit().retry_after_seconds(), 1);
  time_.advance(500ms);
  EXPECT_TRUE(admit().admitted());
  EXPECT_FALSE(admit().admitted());
  time_.advance(60s);
  EXPECT_TRUE(admit(3).admitted());
  EXPECT_EQ(admit(2).retry_after_seconds(), 40);
}

TEST_F(Limited, ARefusedRequestCostsNothing) {
  open("rpm=2 concurrent=1");
  {
    const Admission held = admit();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(admit().refusal(), Refusal::kConcurrency);
  }
  EXPECT_TRUE(admit().admitted());
  EXPECT_EQ(admit().refusal(), Refusal::kRequestRate);
}

TEST_F(Limited, TokensPerMinute) {
  open("tpm=600");
  EXPECT_TRUE(admit().admitted());
  use(100, 200, 299);
  EXPECT_TRUE(admit().admitted());  // one token is left
  use(0, 0, 301);
  const Admission refused = admit();
  EXPECT_EQ(refused.refusal(), Refusal::kTokenRate);
  EXPECT_EQ(refused.retry_after_seconds(),
            31);  // 300 beyond the limit come back at 10 a second, and one more
  EXPECT_THAT(refused.message(), HasSubstr("600 tokens per minute"));
  time_.advance(30s);
  EXPECT_FALSE(admit().admitted());
  time_.advance(100ms);
  EXPECT_TRUE(admit().admitted());
}

TEST_F(Limited, WhoWaitsAsToldGetsThrough) {
  open("rpm=7 tpm=1000");
  for (int i = 0; i < 200; ++i) {
    Admission admission = admit();
    if (!admission.admitted()) {
      time_.advance(std::chrono::seconds(admission.retry_after_seconds()));
      admission = admit();
      if (admission.refusal() == Refusal::kTokenRate) {  // the other limit may be longer
        time_.advance(std::chrono::seconds(admission.retry_after_seconds()));
        admission = admit();
      }
    }
    ASSERT_TRUE(admission.admitted()) << i;
    use(i % 7, i % 300, i % 50);
  }
}

TEST(AuthenticationMessages, SayWhatIsWrong) {
  Authentication refused;
  refused.last_four = "0000";
  refused.failure = Authentication::Failure::kMissing;
  EXPECT_THAT(refused.message(), HasSubstr("Authorization: Bearer"));
  refused.failure = Authentication::Failure::kExpired;
  EXPECT_EQ(refused.message(), "Authentication Fails, Your api key: ****0000 has expired");
}

}  // namespace
}  // namespace hadal::serve
