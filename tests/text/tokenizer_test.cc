// The whole tokenizer: a small one worked out by hand, hadal-mini's, and the real one against its golden
// cases where the shared folder is at hand.
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "text/random_text.h"
#include "text/small_tokenizer.h"
#include "text/utf8.h"
#include "text/v4_vectors.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;
using nlohmann::json;

const fs::path kShared = HADAL_SOURCE_DIR "/../shared";
const fs::path kMini = HADAL_SOURCE_DIR "/models/hadal-mini";

const Tokenizer& small() {
  static const Tokenizer tokenizer = Tokenizer::parse(testing::small_tokenizer_json().dump(), "small");
  return tokenizer;
}

int32_t byte(char c) {
  return testing::kFirstByteId + static_cast<uint8_t>(c);
}
int32_t merged(std::string_view bytes) {
  return testing::merge_id(bytes);
}

std::string bytes_of(const Tokenizer& tokenizer, const Ids& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.token_bytes(id);
  return bytes;
}

TEST(Tokenizer, EncodesBySmallRules) {
  const std::vector<std::pair<std::string, Ids>> cases = {
      {"", {}},
      {"hello world", {merged("hello"), merged(" world")}},
      {"hell", {merged("hell")}},
      {"help", {merged("he"), byte('l'), byte('p')}},
      {"aaaaaa", {merged("aaaa"), merged("aa")}},
      {"abc", {merged("abc")}},  // bc before ab
      {"1234", {merged("123"), byte('4')}},
      {"12 12", {merged("12"), byte(' '), merged("12")}},
      {"中", {merged("中")}},
      {"丬", {merged("\xE4\xB8"), byte('\xAC')}},
      {"\n\n\n", {merged("\n\n"), byte('\n')}},
      {"hello\n hello", {merged("hello"), byte('\n'), byte(' '), merged("hello")}},
      {"<bos>", {byte('<'), byte('b'), byte('o'), byte('s'), byte('>')}}};
  for (const auto& [text, ids] : cases) {
    EXPECT_EQ(small().encode(text), ids) << text;
    EXPECT_EQ(small().decode(ids), text);
  }
}

TEST(Tokenizer, AddedTokensAreMatchedOnlyOnRequest) {
  using namespace testing;
  const auto added = [](std::string_view text) { return small().encode_with_added(text); };
  EXPECT_EQ(added("<bos><｜User｜>hello<think>a"), (Ids{0, kUser, merged("hello"), kThink, byte('a')}));
  EXPECT_EQ(added("<think>></think>"), (Ids{kThinkLong, kThinkEnd}));
  EXPECT_EQ(added("<｜DSML｜"), (Ids{byte('<'), kTool}));
  EXPECT_EQ(added("<eo"), (Ids{byte('<'), byte('e'), byte('o')}));
  EXPECT_EQ(added(""), Ids{});
  // A literal ends the text before it: the space does not reach for the next word.
  EXPECT_EQ(added("a  <pad>  a"), (Ids{byte('a'), merged("  "), kPad, byte(' '), byte(' '), byte('a')}));
  EXPECT_EQ(small().encode("<think>"),
            (Ids{byte('<'), byte('t'), byte('h'), byte('i'), byte('n'), byte('k'), byte('>')}));
}

// What the file does not call normalized goes first, wherever it stands.
TEST(Tokenizer, LiteralsThatAreNotNormalizedComeFirst) {
  json file = testing::small_tokenizer_json();
  file["added_tokens"].push_back({{"id", 300}, {"content", "x<bo"}, {"normalized", true}});
  EXPECT_EQ(Tokenizer::parse(file.dump(), "f").encode_with_added("x<bos>"), (Ids{byte('x'), 0}));
  EXPECT_EQ(Tokenizer::parse(file.dump(), "f").encode_with_added("x<bo>"), (Ids{300, byte('>')}));
}

TEST(Tokenizer, KnowsItsTokens) {
  using namespace testing;
  const Tokenizer& t = small();
  EXPECT_EQ(t.vocab_size(), kPad + 1);
  EXPECT_EQ(t.token_bytes(byte('\0')), std::string_view("\0", 1));
  EXPECT_EQ(t.token_bytes(merged("hello")), "hello");
  EXPECT_EQ(t.token_bytes(kUser), "<｜User｜>");
  EXPECT_TRUE(t.is_added(0) && t.is_special(0));
  EXPECT_TRUE(t.is_added(kThink) && !t.is_special(kThink));
  EXPECT_FALSE(t.is_added(byte('a')) || t.is_special(byte('a')));
  EXPECT_EQ(t.added_id("<｜User｜>"), kUser);
  EXPECT_EQ(t.added_id("<pad>"), kPad);
  EXPECT_EQ(t.added_id("hello"), std::nullopt);
  EXPECT_TRUE(t.has_token(0) && t.has_token(kPad) && !t.has_token(kHole));
  for (const int32_t id : {-1, INT32_MIN, INT32_MAX, kPad + 1, kHole}) {
    EXPECT_FALSE(t.has_token(id) || t.is_added(id) || t.is_special(id));
    EXPECT_THROW(t.token_bytes(id), Error);
    EXPECT_THROW(t.decode(Ids{0, id}), Error) << id;
  }
  try {
    t.decode(Ids{4000});
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_STREQ(e.what(), "token id 4000 is not in the vocabulary (0..296)");
  }
}

TEST(Tokenizer, Decodes) {
  const Ids ids = {
      0, merged("hello"), byte('\xE4'), byte('\xB8'), byte('\xAD'), byte('\xE4'), testing::kThink, 1};
  EXPECT_EQ(small().decode(ids), "<bos>hello中\uFFFD<think><eos>");
  EXPECT_EQ(small().decode(ids, true), "hello中\uFFFD<think>");
  EXPECT_EQ(small().decode(Ids{}), "");
}

TEST(Tokenizer, BrokenUtf8KeepsItsBytes) {
  const std::string text = "hello\xFF\xE4\xB8 world";
  const Ids ids = small().encode(text);
  EXPECT_EQ(bytes_of(small(), ids), text);
  EXPECT_EQ(ids, (Ids{merged("hello"), byte('\xFF'), merged("\xE4\xB8"), merged(" world")}));
}

TEST(Tokenizer, IgnoreMergesTakesAWholeTokenFirst) {
  json file = testing::small_tokenizer_json();
  file["model"]["vocab"]["xyz"] = 285;  // no merge leads there
  EXPECT_EQ(Tokenizer::parse(file.dump(), "f").encode("xyz"), (Ids{byte('x'), byte('y'), byte('z')}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(Tokenizer::parse(file.dump(), "f").encode("xyz xyza"),
            (Ids{285, byte(' '), byte('x'), byte('y'), byte('z'), byte('a')}));
}

// The memory of short pieces within a call must not change what comes out: words of all lengths, seen again
// and again, encode as they do alone.
RC_GTEST_PROP(Tokenizer, RepeatedWordsEncodeAsTheyDoAlone, ()) {
  const auto word =
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("helorwdabc"))));
  const auto words = *rc::gen::container<std::vector<std::string>>(word);
  std::string text;
  Ids expected;
  for (int pass = 0; pass < 3; ++pass) {
    for (const std::string& w : words) {
      text += " " + w;
      const Ids alone = small().encode(" " + w);
      expected.insert(expected.end(), alone.begin(), alone.end());
    }
  }
  RC_ASSERT(small().encode(text) == expected);
}

RC_GTEST_PROP(Tokenizer, TextComesBack, ()) {
  const std::string text = *testing::utf8_text();
  RC_ASSERT(small().decode(small().encode(text)) == text);
  RC_ASSERT(small().decode(small().encode_with_added(text)) == text);
}

RC_GTEST_PROP(Tokenizer, BytesComeBack, ()) {
  const std::string bytes = *testing::any_bytes();
  RC_ASSERT(bytes_of(small(), small().encode(bytes)) == bytes);
  RC_ASSERT(bytes_of(small(), small().encode_with_added(bytes)) == bytes);
}

// Where a text is settled every longer text's tokens part, and before it they are the same.
void check_settled(const Tokenizer& tokenizer, const std::string& text, const std::string& more) {
  const size_t settled = tokenizer.settled(text);
  RC_ASSERT(settled <= text.size());
  Ids front = tokenizer.encode(text);
  size_t at = 0, n = 0;
  while (at < settled) at += tokenizer.token_bytes(front[n++]).size();
  RC_ASSERT(at == settled);
  front.resize(n);
  for (const int32_t id : tokenizer.encode(text.substr(settled) + more)) front.push_back(id);
  RC_ASSERT(front == tokenizer.encode(text + more));
}

bool settled_stays(const Tokenizer& tokenizer) {
  return rc::check("settled text stays as it is", [&] {
    const std::string text = *testing::utf8_text();
    const auto cut = *rc::gen::inRange<size_t>(0, text.size() + 1);  // also within a character
    check_settled(tokenizer, text.substr(0, cut), text.substr(cut));
    check_settled(tokenizer, text, *testing::any_bytes());
  });
}

TEST(Tokenizer, SettledTextStaysAsItIs) {
  EXPECT_TRUE(settled_stays(small()));
}

TEST(Tokenizer, SettledText) {
  const Tokenizer& tokenizer = small();
  EXPECT_EQ(tokenizer.settled(""), 0u);
  EXPECT_EQ(tokenizer.settled("hello"), 0u);
  EXPECT_EQ(tokenizer.settled("hello world"), 5u);
  EXPECT_EQ(tokenizer.settled("{\"name\": "), 8u);
  EXPECT_EQ(tokenizer.settled("a \n  "), 1u);  // a line break would take the spaces as well
}

TEST(Tokenizer, ServesManyThreads) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "hello world " + std::to_string(i) + " aaaa中\n";
  const Ids expected = small().encode(text);
  std::vector<std::thread> threads;
  std::vector<Ids> results(4);
  for (Ids& result : results) threads.emplace_back([&] { result = small().encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

// Runs of one kind of character: each is one piece of a million bytes, or a million pieces. Work that grew
// with the square of the size would not end.
void check_long_runs(const Tokenizer& tokenizer) {
  constexpr size_t kBytes = 1 << 20;
  for (const char* unit : {"a",      "abcdefghij", " ",   "  x",        "\n",     " \n",  "\t",    "\u0301",
                           "\u00a0", "!",          "!\n", "<",          "<｜",    "中",   "のア",  "1",
                           "\u0661", "\x01",       "🙂",  "\U000E0FFF", "\u180e", "\xFF", "a\xE4", "_a"}) {
    std::string text;
    while (text.size() < kBytes) text += unit;
    for (const std::string& variant : {text, "x" + text + "x"}) {
      const Ids ids = tokenizer.encode_with_added(variant);
      ASSERT_EQ(bytes_of(tokenizer, ids), variant) << unit;
    }
  }
}

TEST(Tokenizer, LongRunsFinish) {
  check_long_runs(small());
}

TEST(HadalMini, EncodesAsTrained) {
  if (!fs::exists(kMini / "tokenizer.json")) GTEST_SKIP() << "models/hadal-mini is not here";
  const Tokenizer t = Tokenizer::load(kMini);
  EXPECT_EQ(t.vocab_size(), 2048);
  EXPECT_EQ(t.added_id("<｜User｜>"), 2032);
  // From the reference's own record of a conversation.
  const std::string chat =
      "<｜begin▁of▁sentence｜><｜User｜>Bye!<｜Assistant｜><think>The user is talking to me. I answer "
      "kindly.</think>";
  const Ids ids = {0,   2032, 36,  91,  71, 3,   2033, 2034, 307, 680,
                   346, 1070, 277, 380, 16, 295, 989,  1253, 16,  2035};
  EXPECT_EQ(t.encode_with_added(chat), ids);
  EXPECT_EQ(t.decode(ids), chat);
  EXPECT_EQ(t.decode(Ids{0, 2032, 36, 91, 71, 3, 1}, true), "<｜User｜>Bye!");
}

TEST(HadalMini, HeldOutTexts) {
  std::ifstream file(kShared / "golden/story/heldout.jsonl");
  if (!file || !fs::exists(kMini / "tokenizer.json")) GTEST_SKIP() << "needs ../shared and models/hadal-mini";
  const Tokenizer t = Tokenizer::load(kMini / "tokenizer.json");
  size_t texts = 0;
  for (std::string line; std::getline(file, line); ++texts) {
    const json row = json::parse(line);
    Ids ids = t.encode_with_added(row["text"].get<std::string>());
    ids.insert(ids.begin(), *t.added_id("<｜begin▁of▁sentence｜>"));
    EXPECT_EQ(ids, row["ids"].get<Ids>()) << texts;
  }
  EXPECT_EQ(texts, 48u);
}

class DeepSeekV4 : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path path = kShared / "data/tokenizer/deepseek-v4-tokenizer.json.gz";
    if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
    static const Tokenizer loaded = Tokenizer::load(path);
    tokenizer_ = &loaded;
  }
  const Tokenizer* tokenizer_ = nullptr;
};

TEST_F(DeepSeekV4, SettledTextStaysAsItIs) {
  EXPECT_TRUE(settled_stays(*tokenizer_));
}

TEST_F(DeepSeekV4, Facts) {
  EXPECT_EQ(tokenizer_->vocab_size(), 129280);
  int added = 0;
  for (int32_t id = 0; id < 129280; ++id) {
    ASSERT_TRUE(tokenizer_->has_token(id)) << id;
    added += tokenizer_->is_added(id);
  }
  EXPECT_EQ(added, 1283);
  const std::vector<std::pair<int32_t, bool>> special = {
      {0, true}, {1, true}, {2, true}, {128803, false}, {128821, false}, {128825, false}, {128846, true}};
  for (const auto& [id, is_special] : special) EXPECT_EQ(tokenizer_->is_special(id), is_special) << id;
  EXPECT_EQ(tokenizer_->added_id("<｜User｜>"), 128803);
  EXPECT_EQ(tokenizer_->token_bytes(128825), "｜DSML｜");
}

TEST_F(DeepSeekV4, PlainVectors) {
  const json vectors = json::parse(testing::kV4PlainVectors);
  for (const json& vector : vectors) {
    const auto text = vector[0].get<std::string>();
    EXPECT_EQ(tokenizer_->encode(text), vector[1].get<Ids>()) << vector[0];
    EXPECT_EQ(tokenizer_->decode(vector[1].get<Ids>()), text);
  }
}

TEST_F(DeepSeekV4, TemplateVectors) {
  const json vectors = json::parse(testing::kV4TemplateVectors);
  for (const json& vector : vectors) {
    EXPECT_EQ(tokenizer_->encode_with_added(vector[0].get<std::string>()), vector[1].get<Ids>()) << vector[0];
  }
}

TEST_F(DeepSeekV4, GoldenCases) {
  std::ifstream file(kShared / "golden/tokenizer/cases.jsonl");
  ASSERT_TRUE(file);
  size_t texts = 0, lists = 0;
  for (std::string line; std::getline(file, line); ++lists) {
    const json row = json::parse(line);
    const Ids ids = row["ids"].get<Ids>();
    EXPECT_EQ(tokenizer_->decode(ids), row["decoded"].get<std::string>());
    if (!row.contains("text")) continue;
    ++texts;
    EXPECT_EQ(tokenizer_->encode_with_added(row["text"].get<std::string>()), ids) << row["text"];
  }
  EXPECT_EQ(texts, 500u);
  EXPECT_EQ(lists, 600u);
}

TEST_F(DeepSeekV4, TokensThatAreNotAddedSurviveAsText) {
  // Every token alone: what it encodes to may differ (it may not be valid UTF-8, or be cut), its bytes may
  // not.
  for (int32_t id = 0; id < 128000; ++id) {
    const std::string_view token = tokenizer_->token_bytes(id);
    ASSERT_EQ(bytes_of(*tokenizer_, tokenizer_->encode(token)), token) << id;
  }
}

TEST_F(DeepSeekV4, LongRunsFinishSlow) {
  check_long_runs(*tokenizer_);
}

}  // namespace
}  // namespace hadal
