#include "serve/openai/completion_probs.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace hadal::serve {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer all = Tokenizer::load(HADAL_SOURCE_DIR "/models/hadal-mini");
  return all;
}

// Ids of the single bytes of a text, which is how a character comes in pieces.
std::vector<int32_t> byte_ids(std::string_view text) {
  std::vector<int32_t> ids;
  for (const char byte : text)
    for (int32_t id = 0; id < tokenizer().vocab_size(); ++id)
      if (tokenizer().has_token(id) && tokenizer().token_bytes(id) == std::string_view(&byte, 1)) {
        ids.push_back(id);
        break;
      }
  EXPECT_EQ(ids.size(), text.size());
  return ids;
}

TokenProbs probs(int32_t chosen, float logprob, std::vector<TokenProb> top = {}) {
  return {{chosen, logprob}, std::move(top)};
}

std::string all_of(CompletionProbs& list) {
  std::string out;
  JsonOut json(out);
  json.begin('{');
  list.write_all(json);
  json.end('}');
  return out;
}

TEST(CompletionProbs, CountsCharactersAndNotBytes) {
  EXPECT_EQ(count_characters(""), 0);
  EXPECT_EQ(count_characters("abc"), 3);
  EXPECT_EQ(count_characters("é中😀"), 3);
}

TEST(CompletionProbs, APieceOfACharacterIsSpelledAsBytes) {
  const std::vector<int32_t> ids = byte_ids("中a");
  EXPECT_EQ(completion_token(tokenizer(), ids[0]), "bytes:\\xe4");
  EXPECT_EQ(completion_token(tokenizer(), ids[2]), "bytes:\\xad");
  EXPECT_EQ(completion_token(tokenizer(), ids[3]), "a");
}

TEST(CompletionProbs, HasTheFormOfTheApi) {
  const std::vector<int32_t> ids = byte_ids("abc");
  CompletionProbs list(tokenizer());
  list.add_unknown(ids[0]);
  list.add(probs(ids[1], -0.5f, {{ids[1], -0.5f}, {ids[2], -1.0f}}));
  list.add(probs(ids[2], -3.0f, {{ids[0], -0.25f}}));
  EXPECT_EQ(all_of(list),
            R"({"logprobs":{"text_offset":[0,1,2],"token_logprobs":[null,-0.5,-3],"tokens":["a","b","c"],)"
            R"("top_logprobs":[null,{"b":-0.5,"c":-1},{"a":-0.25,"c":-3}]}})");
  EXPECT_EQ(all_of(list), R"({"logprobs":null})") << "each token is told once";
}

TEST(CompletionProbs, OffsetsAreThoseOfTheCharacterATokenIsPartOf) {
  CompletionProbs list(tokenizer());
  for (const int32_t id : byte_ids("a中b")) list.add(probs(id, -1));
  const auto value = parse_json(all_of(list));
  ASSERT_TRUE(value);
  std::vector<std::string> offsets;
  for (const JsonValue& offset : value->find("logprobs")->find("text_offset")->items)
    offsets.push_back(offset.text);
  EXPECT_EQ(offsets, (std::vector<std::string>{"0", "1", "1", "1", "2"}));
}

TEST(CompletionProbs, ABrokenCharacterAtTheEndOfAPromptIsOneOfTheText) {
  const std::vector<int32_t> ids = byte_ids("中b");
  CompletionProbs list(tokenizer());
  list.add(probs(ids[0], -1));
  list.end_text();
  list.add(probs(ids[3], -1));
  EXPECT_NE(all_of(list).find(R"("text_offset":[0,1])"), std::string::npos);
}

TEST(CompletionProbs, TokensWaitForTheirText) {
  const std::vector<int32_t> ids = byte_ids("abcd");
  CompletionProbs list(tokenizer());
  for (const int32_t id : ids) list.add(probs(id, -1));
  std::string out;
  JsonOut json(out);
  json.begin('{');
  list.write(json, 2);
  json.end('}');
  EXPECT_NE(out.find(R"("tokens":["a","b"])"), std::string::npos);
  list.drop_from(3);
  EXPECT_NE(all_of(list).find(R"("tokens":["c"])"), std::string::npos);
}

TEST(CompletionProbs, ASilentTokenTakesNoRoom) {
  const std::vector<int32_t> ids = byte_ids("ab");
  CompletionProbs list(tokenizer());
  list.add(probs(ids[0], -1), true);
  list.add(probs(ids[1], -1));
  EXPECT_NE(all_of(list).find(R"("text_offset":[0,0])"), std::string::npos);
}

TEST(CompletionProbs, TokensThatLookAlikeShareAKey) {
  const std::vector<int32_t> ids = byte_ids("ab");
  CompletionProbs list(tokenizer());
  list.add(probs(ids[0], -2, {{ids[1], -0.5f}, {ids[1], -0.75f}, {ids[0], -2}}));
  EXPECT_NE(all_of(list).find(R"("top_logprobs":[{"b":-0.5,"a":-2}])"), std::string::npos);
}

}  // namespace
}  // namespace hadal::serve
