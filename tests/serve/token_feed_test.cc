#include "serve/token_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace hadal::serve {
namespace {

const std::vector<float> kLogits = {0.0f, 1.0f, 2.0f};

TEST(TokenFeed, GivesEverythingOnceInOrder) {
  int woken = 0;
  TokenFeed feed([&] { ++woken; }, 2, {1, 2, 0});
  feed.on_start(5, 9);
  feed.on_prompt_logits(0, kLogits);
  feed.on_prompt_logits(1, kLogits);
  feed.on_prefill(4, 9);
  feed.on_prefill(9, 9);
  EXPECT_TRUE(feed.on_token({2, kLogits}));
  EXPECT_TRUE(feed.on_token({1, kLogits}));
  TokenFeed::News news = feed.take();
  EXPECT_EQ(news.cached, 5);
  ASSERT_TRUE(news.admitted && news.prefilled);
  EXPECT_LE(*news.admitted, *news.prefilled);
  ASSERT_EQ(news.prompt_probs.size(), 2u);
  EXPECT_EQ(news.prompt_probs[0].chosen.id, 2) << "what position 0 says about the token after it";
  ASSERT_EQ(news.tokens.size(), 2u);
  EXPECT_EQ(news.tokens[0].id, 2);
  EXPECT_EQ(news.tokens[1].id, 1);
  ASSERT_EQ(news.probs.size(), 2u);
  EXPECT_EQ(news.probs[1].chosen.id, 1);
  EXPECT_EQ(news.probs[1].top.size(), 2u);
  EXPECT_FALSE(news.end);
  EXPECT_GT(woken, 3);
  FinishInfo info;
  info.reason = EndReason::kLength;
  feed.on_finish(info);
  news = feed.take();
  EXPECT_TRUE(news.tokens.empty());
  ASSERT_TRUE(news.end);
  EXPECT_EQ(news.end->reason, EndReason::kLength);
}

TEST(TokenFeed, AClosedOneKeepsNothingAndWakesNobody) {
  int woken = 0;
  TokenFeed feed([&] { ++woken; }, -1, {});
  EXPECT_TRUE(feed.on_token({1, kLogits}));
  feed.close();
  EXPECT_TRUE(feed.on_token({2, kLogits})) << "its end is the cancellation";
  feed.on_finish({});
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(feed.take().tokens.empty());
}

TEST(TokenFeed, ThreadsLoseNothing) {
  std::atomic<int> woken = 0;
  TokenFeed feed([&] { ++woken; }, -1, {});
  constexpr int kTokens = 20000;
  std::thread engine([&] {
    for (int i = 0; i < kTokens; ++i) feed.on_token({i, {}});
    feed.on_finish({});
  });
  std::vector<int32_t> got;
  for (bool over = false; !over;) {
    TokenFeed::News news = feed.take();
    for (const TokenFeed::Token& token : news.tokens) got.push_back(token.id);
    over = news.end.has_value();
  }
  engine.join();
  ASSERT_EQ(got.size(), static_cast<size_t>(kTokens));
  for (int i = 0; i < kTokens; ++i) ASSERT_EQ(got[static_cast<size_t>(i)], i);
  EXPECT_EQ(woken, kTokens + 1);
}

}  // namespace
}  // namespace hadal::serve
