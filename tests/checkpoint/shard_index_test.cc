// model.safetensors.index.json: good ones and each way to be wrong.
#include "checkpoint/shard_index.h"

#include <gmock/gmock.h>

#include "support/files.h"

namespace hadal {
namespace {

using test::invalid_file;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error(const std::string& text) {
  return invalid_file([&] { parse_shard_index(text, "the.index.json"); });
}

TEST(ShardIndex, ReadsTheMapAndSkipsTheRest) {
  const auto map = parse_shard_index(
      R"({"metadata":{"total_size":12,"weight_map":{"x":"y"},"more":[[{"weight_map":1}]]},
          "weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"below/three.safetensors"},"after":[1,2.5,null]})",
      "i");
  ASSERT_EQ(map.size(), 3u);
  EXPECT_EQ(map.at("a"), "one.safetensors");
  EXPECT_EQ(map.at("c"), "below/three.safetensors");
}

TEST(ShardIndex, FilesOutsideTheFolderAreRefused) {
  for (const char* file : {"../x.safetensors", "/etc/passwd", "a/../../x", "..", "", "folder/", "a\\u0000b"})
    EXPECT_THAT(error(std::string(R"({"weight_map":{"t":")") + file + "\"}}"),
                AllOf(HasSubstr("the.index.json"), HasSubstr("tensor t"), HasSubstr("same folder")))
        << file;
}

TEST(ShardIndex, TextsThatAreNoIndex) {
  EXPECT_THAT(error("{\"weight_map\""), HasSubstr("not JSON"));
  EXPECT_THAT(error(""), HasSubstr("not JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("a JSON object expected"));
  EXPECT_THAT(error("7"), HasSubstr("a JSON object expected"));
  EXPECT_THAT(error("{}"), HasSubstr("\"weight_map\" is missing"));
  EXPECT_THAT(error(R"({"weight_map":{}})"), HasSubstr("is empty"));
  EXPECT_THAT(error(R"({"weight_map":null})"), HasSubstr("found null"));
  EXPECT_THAT(error(R"({"weight_map":["a"]})"), HasSubstr("found a list"));
  EXPECT_THAT(error(R"({"weight_map":"a"})"), HasSubstr("found a string"));
  EXPECT_THAT(error(R"({"weight_map":{"t":3}})"), AllOf(HasSubstr("tensor t"), HasSubstr("found 3")));
  EXPECT_THAT(error(R"({"weight_map":{"t":["f"]}})"), HasSubstr("found a list"));
  EXPECT_THAT(error(R"({"weight_map":{"t":{}}})"), HasSubstr("found an object"));
}

TEST(ShardIndex, EntriesTwice) {
  EXPECT_THAT(error(R"({"weight_map":{"t":"a","t":"b"}})"), AllOf(HasSubstr("tensor t"), HasSubstr("twice")));
  EXPECT_THAT(error(R"({"weight_map":{"t":"a"},"weight_map":{"u":"a"}})"),
              HasSubstr("weight_map is given twice"));
}

TEST(ShardIndex, DepthIsNoProblem) {
  const std::string deep(200000, '[');
  EXPECT_THAT(error("{\"x\":" + deep), HasSubstr("not JSON"));
}

}  // namespace
}  // namespace hadal
