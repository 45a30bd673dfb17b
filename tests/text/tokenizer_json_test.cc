// Files that are damaged, hostile, or ask for what this program does not do: each is an Error that names the
// place.
#include "text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "text/small_tokenizer.h"
#include "text/tokenizer.h"

namespace hadal {
namespace {

using nlohmann::json;
using ::testing::HasSubstr, ::testing::StartsWith;

std::string error_of(const std::string& text, ErrorCode* code = nullptr) {
  try {
    Tokenizer::parse(text, "f.json");
  } catch (const Error& e) {
    if (code != nullptr) *code = e.code();
    return e.what();
  }
  return "taken";
}

TEST(TokenizerJson, TakesBothFormsOfMergesAndHarmlessVariants) {
  const json file = testing::small_tokenizer_json();
  EXPECT_EQ(error_of(file.dump()), "taken");
  const std::vector<int32_t> expected = Tokenizer::parse(file.dump(), "f").encode("hello world");

  json variant = file;
  for (json& merge : variant["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  for (const char* key : {"truncation", "padding", "normalizer", "post_processor", "decoder", "version"})
    variant.erase(key);
  for (const char* key : {"dropout", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges"})
    variant["model"].erase(key);
  EXPECT_EQ(Tokenizer::parse(variant.dump(), "f").encode("hello world"), expected);

  variant["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
  variant["post_processor"] = {{"type", "ByteLevel"}, {"trim_offsets", false}};
  variant["model"]["end_of_word_suffix"] = "";
  EXPECT_EQ(Tokenizer::parse(variant.dump(), "f").encode("hello world"), expected);

  variant["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  EXPECT_EQ(Tokenizer::parse(variant.dump(), "f").encode("llor"),
            (std::vector<int32_t>{testing::merge_id("ll"), testing::merge_id("or")}));
  variant["added_tokens"] = nullptr;
  EXPECT_EQ(Tokenizer::parse(variant.dump(), "f").encode_with_added("<bos>").size(), 5u);
}

struct Case {
  const char* name;
  std::function<void(json&)> damage;
  ErrorCode code;
  const char* message;  // behind "f.json: "
};

TEST(TokenizerJson, NamesTheFieldThatIsWrong) {
  constexpr auto kBad = ErrorCode::kInvalidFile, kNo = ErrorCode::kUnsupported;
  const auto split = [](json& f) -> json& { return f["pre_tokenizer"]["pretokenizers"][0]; };
  const std::vector<Case> cases = {
      {"not an object", [](json& f) { f = json::array(); }, kBad, "the file: expected an object"},
      {"no model", [](json& f) { f.erase("model"); }, kBad, "model: expected"},
      {"model is a list", [](json& f) { f["model"] = json::array(); }, kBad, "model: expected"},
      {"no type", [](json& f) { f["model"].erase("type"); }, kBad,
       "model: expected an object with a \"type\""},
      {"other model", [](json& f) { f["model"]["type"] = "Unigram"; }, kNo, "model is type \"Unigram\""},
      {"unk", [](json& f) { f["model"]["unk_token"] = "<unk>"; }, kNo, "model.unk_token is \"<unk>\""},
      {"dropout", [](json& f) { f["model"]["dropout"] = 0.1; }, kNo, "model.dropout is 0.1"},
      {"prefix", [](json& f) { f["model"]["continuing_subword_prefix"] = "##"; }, kNo,
       "model.continuing_subword_prefix"},
      {"suffix", [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }, kNo, "model.end_of_word_suffix"},
      {"fallback", [](json& f) { f["model"]["byte_fallback"] = true; }, kNo, "model.byte_fallback is true"},
      {"fuse", [](json& f) { f["model"]["fuse_unk"] = true; }, kNo, "model.fuse_unk"},
      {"flag of a wrong type", [](json& f) { f["model"]["ignore_merges"] = 1; }, kBad,
       "model.ignore_merges: expected true or"},
      {"no vocab", [](json& f) { f["model"].erase("vocab"); }, kBad, "model.vocab: expected an object"},
      {"vocab is a list", [](json& f) { f["model"]["vocab"] = json::array(); }, kBad,
       "model.vocab: expected an object"},
      {"vocab is null", [](json& f) { f["model"]["vocab"] = nullptr; }, kBad,
       "model.vocab: expected an object"},
      {"empty vocab", [](json& f) { f["model"]["vocab"] = json::object(); }, kBad,
       "model.vocab has no token \"Ā\" for byte 0x00"},
      {"byte missing", [](json& f) { f["model"]["vocab"].erase("a"); }, kBad,
       "model.vocab has no token \"a\" for byte 0x61"},
      {"negative id", [](json& f) { f["model"]["vocab"]["zz"] = -3; }, kBad,
       "model.vocab[\"zz\"] is -3; expected an id"},
      {"huge id", [](json& f) { f["model"]["vocab"]["zz"] = 1 << 22; }, kBad,
       "model.vocab[\"zz\"] is 4194304;"},
      {"id of 64 bits", [](json& f) { f["model"]["vocab"]["zz"] = UINT64_MAX; }, kBad,
       "[\"zz\"] is 18446744073709551615;"},
      {"fraction", [](json& f) { f["model"]["vocab"]["zz"] = 3.5; }, kBad, "model.vocab[\"zz\"] is 3.5;"},
      {"id as text", [](json& f) { f["model"]["vocab"]["zz"] = "3"; }, kBad,
       "model.vocab[\"zz\"] is string;"},
      {"id as object", [](json& f) { f["model"]["vocab"]["zz"] = json::object(); }, kBad,
       "[\"zz\"] is an object;"},
      {"id as list", [](json& f) { f["model"]["vocab"]["zz"] = {1}; }, kBad, "[\"zz\"] is an array;"},
      {"id taken", [](json& f) { f["model"]["vocab"]["zz"] = 2; }, kBad, "model.vocab gives id 2 to"},
      {"empty token", [](json& f) { f["model"]["vocab"][""] = 285; }, kBad,
       "model.vocab has an empty token (id 285)"},
      {"no merges", [](json& f) { f["model"].erase("merges"); }, kBad, "model.merges: expected a list"},
      {"merges is an object", [](json& f) { f["model"]["merges"] = json::object(); }, kBad,
       "model.merges: expected a list"},
      {"merge of one", [](json& f) { f["model"]["merges"][2] = "hello"; }, kBad,
       "model.merges[2] is not a pair"},
      {"merge of three", [](json& f) { f["model"]["merges"][2] = "h e l"; }, kBad,
       "model.merges[2] is not a pair"},
      {"short pair", [](json& f) { f["model"]["merges"][1] = {"a"}; }, kBad, "model.merges[1] is not a pair"},
      {"long pair", [](json& f) { f["model"]["merges"][1] = {"a", "b", "c"}; }, kBad,
       "model.merges[1] is not a pair"},
      {"nested pair", [](json& f) { f["model"]["merges"][1] = {{"a"}, "b"}; }, kBad,
       "model.merges[1] is not a pair"},
      {"merge of numbers", [](json& f) { f["model"]["merges"][1] = {1, 2}; }, kBad,
       "model.merges[1] is not a pair"},
      {"merge is an object", [](json& f) { f["model"]["merges"][1] = json::object(); }, kBad,
       "model.merges[1] is not a pair"},
      {"unknown left", [](json& f) { f["model"]["merges"][1] = {"qq", "l"}; }, kBad,
       "model.merges[1] needs the token \"qq\""},
      {"unknown result", [](json& f) { f["model"]["merges"][1] = {"q", "l"}; }, kBad,
       "model.merges[1] needs the token \"ql\""},
      {"empty half", [](json& f) { f["model"]["merges"][1] = {"", "l"}; }, kBad,
       "model.merges[1] needs the token \"\""},
      {"merge twice", [](json& f) { f["model"]["merges"].push_back({"h", "e"}); }, kBad,
       "model.merges[20] repeats the pair \"h\" \"e\""},
      {"normalizer", [](json& f) { f["normalizer"] = {{"type", "NFC"}}; }, kNo, "normalizer is type \"NFC\""},
      {"sequence",
       [](json& f) { f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}}; }, kNo,
       "normalizer is type \"Sequence\""},
      {"truncation", [](json& f) { f["truncation"] = {{"max_length", 5}}; }, kNo,
       "truncation is {\"max_length\":5}"},
      {"padding", [](json& f) { f["padding"] = json::object(); }, kNo, "padding is {}"},
      {"decoder", [](json& f) { f["decoder"] = {{"type", "Metaspace"}}; }, kNo,
       "decoder is type \"Metaspace\""},
      {"decoder is text", [](json& f) { f["decoder"] = "x"; }, kBad, "decoder: expected an object"},
      {"post-processor", [](json& f) { f["post_processor"] = {{"type", "TemplateProcessing"}}; }, kNo,
       "post_processor is type"},
      {"no pre-tokenizer", [](json& f) { f["pre_tokenizer"] = nullptr; }, kBad, "pre_tokenizer: expected"},
      {"other pre-tokenizer", [](json& f) { f["pre_tokenizer"] = {{"type", "Whitespace"}}; }, kNo,
       "pre_tokenizer is type \"Whitespace\""},
      {"empty sequence", [](json& f) { f["pre_tokenizer"]["pretokenizers"] = json::array(); }, kBad,
       "pre_tokenizer.pretokenizers: expected"},
      {"many passes", [&](json& f) { f["pre_tokenizer"]["pretokenizers"] = json(65, split(f)); }, kBad,
       "pre_tokenizer.pretokenizers: expected at most 64"},
      {"byte-level by its defaults", [](json& f) { f["pre_tokenizer"] = {{"type", "ByteLevel"}}; }, kNo,
       "pre_tokenizer.add_prefix_space is true"},
      {"own regex", [](json& f) { f["pre_tokenizer"]["pretokenizers"][3]["use_regex"] = true; }, kNo,
       "pretokenizers[3].use_regex is true"},
      {"no byte-level", [](json& f) { f["pre_tokenizer"]["pretokenizers"].erase(3); }, kBad,
       "pretokenizers[2]: expected ByteLevel as the last"},
      {"byte-level first",
       [](json& f) {
         auto& p = f["pre_tokenizer"]["pretokenizers"];
         std::swap(p[0], p[3]);
       },
       kNo, "pretokenizers[0] (before the last) is type \"ByteLevel\""},
      {"digits", [&](json& f) { split(f) = {{"type", "Digits"}}; }, kNo,
       "pretokenizers[0] is type \"Digits\""},
      {"invert", [&](json& f) { split(f)["invert"] = true; }, kNo, "pretokenizers[0].invert is true"},
      {"behaviour", [&](json& f) { split(f)["behavior"] = "Removed"; }, kNo,
       "pretokenizers[0].behavior is \"Removed\""},
      {"no behaviour", [&](json& f) { split(f).erase("behavior"); }, kNo,
       "pretokenizers[0].behavior is null"},
      {"no pattern", [&](json& f) { split(f).erase("pattern"); }, kBad, "pretokenizers[0].pattern: expected"},
      {"pattern is text", [&](json& f) { split(f)["pattern"] = "a"; }, kBad,
       "pretokenizers[0].pattern: expected"},
      {"bad regex", [&](json& f) { split(f)["pattern"]["Regex"] = "a("; }, kBad,
       "pretokenizers[0].pattern: the regular expression is not valid at byte 2"},
      {"other regex", [&](json& f) { split(f)["pattern"]["Regex"] = "\\w"; }, kNo,
       "pretokenizers[0].pattern: the regular expression uses \"\\w\""},
      {"added is an object", [](json& f) { f["added_tokens"] = json::object(); }, kBad,
       "added_tokens: expected a list"},
      {"added is a number", [](json& f) { f["added_tokens"][1] = 7; }, kBad,
       "added_tokens[1]: expected an object"},
      {"no content", [](json& f) { f["added_tokens"][1].erase("content"); }, kBad,
       "added_tokens[1].content: expected a string"},
      {"empty content", [](json& f) { f["added_tokens"][1]["content"] = ""; }, kBad,
       "added_tokens[1].content: expected 1..512"},
      {"long content", [](json& f) { f["added_tokens"][2]["content"] = std::string(513, 'x'); }, kBad,
       "added_tokens[2].content: expected 1..512"},
      {"no id", [](json& f) { f["added_tokens"][1].erase("id"); }, kBad,
       "added_tokens[1].id: expected an id in 0..4194303"},
      {"negative added id", [](json& f) { f["added_tokens"][1]["id"] = -1; }, kBad,
       "added_tokens[1].id: expected"},
      {"huge added id", [](json& f) { f["added_tokens"][1]["id"] = 1e10; }, kBad,
       "added_tokens[1].id: expected"},
      {"strip", [](json& f) { f["added_tokens"][1]["lstrip"] = true; }, kNo,
       "added_tokens[1].lstrip is true"},
      {"word", [](json& f) { f["added_tokens"][1]["single_word"] = true; }, kNo,
       "added_tokens[1].single_word is true"},
      {"special", [](json& f) { f["added_tokens"][1]["special"] = "yes"; }, kBad,
       "added_tokens[1].special: expected true or"},
      {"literal twice", [](json& f) { f["added_tokens"][3]["content"] = "<pad>"; }, kBad,
       "added_tokens[7].content \"<pad>\" is listed twice"},
      {"added id twice", [](json& f) { f["added_tokens"][3]["id"] = 291; }, kBad,
       "added_tokens[3] gives the id 291 to \"<think>\"; it belongs to \"<｜User｜>\""},
      {"id of the vocab", [](json& f) { f["added_tokens"][3]["id"] = 5; }, kBad,
       "added_tokens[3] gives the id 5 to \"<think>\"; it belongs to"},
      {"two ids", [](json& f) { f["added_tokens"][0]["id"] = 299; }, kBad,
       "added_tokens[0] gives \"<bos>\" the id 299; model.vocab gives it 0"},
  };
  for (const Case& c : cases) {
    json file = testing::small_tokenizer_json();
    c.damage(file);
    ErrorCode code{};
    const std::string message = error_of(file.dump(), &code);
    EXPECT_THAT(message, StartsWith("f.json: ")) << c.name;
    EXPECT_THAT(message, HasSubstr(c.message)) << c.name;
    EXPECT_EQ(code, c.code) << c.name << ": " << message;
  }
}

TEST(TokenizerJson, RefusesATokenGivenTwice) {
  std::string twice = testing::small_tokenizer_json().dump();
  twice.insert(twice.find("\"vocab\":{") + 9, "\"a\":299,");
  EXPECT_THAT(error_of(twice), HasSubstr("model.vocab lists \"a\" twice"));
}

}  // namespace
}  // namespace hadal
