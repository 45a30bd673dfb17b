// The text of a header, before anything is compared with the file.
#include "checkpoint/header_reader.h"

#include <gmock/gmock.h>

#include "support/files.h"

namespace hadal {
namespace {

using test::invalid_file;
using ::testing::HasSubstr;

TEST(HeaderReader, KeepsTheOrderOfTheText) {
  const HeaderText text = read_header(R"({"z":{"shape":[3,0],"dtype":"anything","data_offsets":[7,5]},
                                          "__metadata__":{"k":"v","dtype":"x"},
                                          "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                      "f");
  ASSERT_EQ(text.entries.size(), 2u);
  EXPECT_EQ(text.entries[0].name, "z");
  EXPECT_EQ(text.entries[0].dtype, "anything");
  EXPECT_EQ(text.entries[0].shape, (std::vector<uint64_t>{3, 0}));
  EXPECT_EQ(text.entries[0].offsets, (std::vector<uint64_t>{7, 5}));
  EXPECT_EQ(text.entries[1].name, "a");
  EXPECT_EQ(text.metadata, (std::map<std::string, std::string>{{"dtype", "x"}, {"k", "v"}}));
}

TEST(HeaderReader, EscapedNamesAreTheSameName) {
  EXPECT_THAT(invalid_file([] {
                read_header(
                    "{\"ab\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                    "\"a\\u0062\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                    "f");
              }),
              HasSubstr("tensor ab is listed twice"));
}

TEST(HeaderReader, MetadataTwiceOrNestedIsRefused) {
  EXPECT_THAT(invalid_file([] { read_header(R"({"__metadata__":{},"__metadata__":{}})", "f"); }),
              HasSubstr("twice"));
  EXPECT_THAT(invalid_file([] { read_header(R"({"__metadata__":{"a":{}}})", "f"); }),
              HasSubstr("found an object"));
  EXPECT_THAT(invalid_file([] { read_header(R"({"__metadata__":[]})", "f"); }), HasSubstr("found a list"));
}

}  // namespace
}  // namespace hadal
