// Headers of safetensors files: what is read from good ones, and the message for each way to be wrong.
#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "support/files.h"

namespace hadal {
namespace {

using test::invalid_file;
using test::safetensors_bytes;
using ::testing::AllOf;
using ::testing::HasSubstr;

SafetensorsHeader parse(const std::string& bytes) {
  return parse_safetensors_header(std::as_bytes(std::span(bytes)), "f.safetensors");
}

SafetensorsHeader parse(const std::string& header, size_t data_bytes) {
  return parse(safetensors_bytes(header, data_bytes));
}

std::string error(const std::string& header, size_t data_bytes) {
  return invalid_file([&] { parse(header, data_bytes); });
}

TEST(Safetensors, ReadsEveryFieldAndAllTypes) {
  const std::string header = R"({"__metadata__":{"format":"pt"},
    "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
    "b":{"data_offsets":[24,30],"dtype":"BF16","shape":[3]},
    "c":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[30,34]},
    "d":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[34,35]},
    "e":{"dtype":"I8","shape":[],"data_offsets":[35,36]},
    "f":{"dtype":"I64","shape":[0,5],"data_offsets":[36,36]},
    "g":{"dtype":"I32","shape":[1],"data_offsets":[40,44]}}  )";
  const SafetensorsHeader out = parse(header, 48);  // a gap before g and four bytes that are nobody's
  ASSERT_EQ(out.tensors.size(), 7u);
  EXPECT_EQ(out.metadata.at("format"), "pt");
  EXPECT_EQ(out.tensors[0].name, "a");
  EXPECT_EQ(out.tensors[0].dtype, DType::kF32);
  EXPECT_EQ(out.tensors[0].shape, (std::vector<int64_t>{2, 3}));
  const auto data = static_cast<int64_t>(8 + header.size());
  EXPECT_EQ(out.tensors[0].begin, data);
  EXPECT_EQ(out.tensors[0].end, data + 24);
  EXPECT_EQ(out.tensors[4].dtype, DType::kI8);
  EXPECT_TRUE(out.tensors[4].shape.empty());
  EXPECT_EQ(out.tensors[5].begin, out.tensors[5].end);
  EXPECT_EQ(out.tensors[6].begin, data + 40);
}

TEST(Safetensors, AnEmptyHeaderHasNoTensors) {
  EXPECT_TRUE(parse("{}", 0).tensors.empty());
}

TEST(Safetensors, TruncatedFiles) {
  EXPECT_THAT(invalid_file([] { parse(std::string("\3\0\0\0", 4)); }), HasSubstr("4 bytes"));
  const std::string whole =
      safetensors_bytes(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 16);
  EXPECT_NO_THROW(parse(whole));
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_THAT(invalid_file([&] { parse(whole.substr(0, n)); }),
                AllOf(HasSubstr("f.safetensors"), HasSubstr("truncated")));
  EXPECT_THAT(invalid_file([&] { parse(whole.substr(0, whole.size() - 1)); }),
              AllOf(HasSubstr("tensor a"), HasSubstr("[0, 16]"), HasSubstr("15 bytes")));
}

TEST(Safetensors, HugeHeaders) {
  std::string bytes = safetensors_bytes("{}", 0);
  const uint64_t claimed = 100'000'001;
  std::memcpy(bytes.data(), &claimed, 8);
  EXPECT_THAT(invalid_file([&] { parse(bytes); }),
              AllOf(HasSubstr("100000001"), HasSubstr("100000000 are allowed")));
  const uint64_t all_ones = ~uint64_t{0};
  std::memcpy(bytes.data(), &all_ones, 8);
  EXPECT_THAT(invalid_file([&] { parse(bytes); }), HasSubstr("18446744073709551615"));
  const uint64_t more_than_file = 1000;
  std::memcpy(bytes.data(), &more_than_file, 8);
  EXPECT_THAT(invalid_file([&] { parse(bytes); }),
              AllOf(HasSubstr("1000 bytes"), HasSubstr("the file has 2")));
}

TEST(Safetensors, NotJson) {
  for (const char* text :
       {"", "{", "{]", "nonsense", "{\"a\":}", "{} {}", "{\"a\":{\"dtype\":\"F32\"", "\xff\xfe"})
    EXPECT_THAT(error(text, 0), HasSubstr("not JSON")) << text;
  for (const char* text : {"[]", "3", "\"x\"", "null", "true", "1.5", "-2"})
    EXPECT_THAT(error(text, 0), HasSubstr("the header: a JSON object expected")) << text;
  const std::string deep(100000, '[');
  EXPECT_THAT(error(deep, 0), HasSubstr("a JSON object expected, found a list"));
  EXPECT_THAT(error("{\"a\":" + deep, 0), AllOf(HasSubstr("tensor a"), HasSubstr("found a list")));
}

TEST(Safetensors, FieldsOfTheWrongKind) {
  const auto with = [](const std::string& fields) { return error("{\"t\":{" + fields + "}}", 16); };
  EXPECT_THAT(with(R"("dtype":"F64","shape":[2],"data_offsets":[0,16])"),
              AllOf(HasSubstr("f.safetensors: tensor t"), HasSubstr("F64"), HasSubstr("F8_E4M3")));
  EXPECT_THAT(with(R"("dtype":3,"shape":[2],"data_offsets":[0,8])"),
              HasSubstr("dtype of tensor t: a string expected"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"),
              AllOf(HasSubstr("shape of tensor t"), HasSubstr("-2")));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,8])"), HasSubstr("found 1.5"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":["2"],"data_offsets":[0,8])"), HasSubstr("found the string"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), HasSubstr("found a list"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[{}],"data_offsets":[0,8])"), HasSubstr("found an object"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"),
              HasSubstr("a list of dimensions expected"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":null,"data_offsets":[0,8])"), HasSubstr("found null"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), HasSubstr("exactly two numbers"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,9])"), HasSubstr("exactly two numbers"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[2],"data_offsets":[false,8])"), HasSubstr("found false"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"),
              HasSubstr("more than 8"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[2])"), HasSubstr("data_offsets is missing"));
  EXPECT_THAT(with(R"("shape":[2],"data_offsets":[0,8])"), HasSubstr("dtype is missing"));
  EXPECT_THAT(with(R"("dtype":"F32","data_offsets":[0,8])"), HasSubstr("shape is missing"));
  EXPECT_THAT(with(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1)"),
              HasSubstr("unknown key \"x\""));
  EXPECT_THAT(with(R"("dtype":"F32","dtype":"I8","shape":[8],"data_offsets":[0,8])"),
              HasSubstr("dtype is given twice"));
  EXPECT_THAT(error(R"({"t":5})", 0), AllOf(HasSubstr("tensor t"), HasSubstr("found 5")));
  EXPECT_THAT(error(R"({"__metadata__":{"a":1}})", 0),
              AllOf(HasSubstr("__metadata__ key a"), HasSubstr("a string")));
}

TEST(Safetensors, ShapesAndOffsetsThatDisagree) {
  const auto with = [](const std::string& shape, const std::string& offsets) {
    return error(R"({"t":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}", 64);
  };
  EXPECT_THAT(with("[2]", "[0,12]"),
              AllOf(HasSubstr("tensor t"), HasSubstr("span 12 bytes"), HasSubstr("needs 8")));
  EXPECT_THAT(with("[0]", "[0,4]"), HasSubstr("needs 0"));
  EXPECT_THAT(with("[2]", "[8,0]"), HasSubstr("run backwards"));
  EXPECT_THAT(with("[2]", "[60,68]"), HasSubstr("end past the 64 bytes"));
  EXPECT_THAT(with("[2]", "[18446744073709551608,18446744073709551615]"), HasSubstr("end past"));
  EXPECT_THAT(with("[4611686018427387904,4]", "[0,64]"), HasSubstr("overflows"));
  EXPECT_THAT(with("[18446744073709551615]", "[0,64]"), HasSubstr("overflows"));
  EXPECT_THAT(with("[4294967296,4294967296,4294967296]", "[0,64]"), HasSubstr("overflows"));
  EXPECT_THAT(with("[99999999999999999999999]", "[0,64]"), HasSubstr("shape of tensor t"));
}

TEST(Safetensors, OverlappingRanges) {
  EXPECT_THAT(error(R"({"late":{"dtype":"I8","shape":[8],"data_offsets":[7,15]},
                        "early":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}})",
                    16),
              AllOf(HasSubstr("early [0, 8]"), HasSubstr("late [7, 15]"), HasSubstr("overlap")));
  EXPECT_THAT(error(R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},
                        "b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})",
                    4),
              HasSubstr("overlap"));
}

TEST(Safetensors, ATensorListedTwice) {
  EXPECT_THAT(error(R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},
                        "a":{"dtype":"I8","shape":[4],"data_offsets":[4,8]}})",
                    8),
              AllOf(HasSubstr("tensor a"), HasSubstr("listed twice")));
}

TEST(Safetensors, NamesInMessagesAreShortAndPrintable) {
  EXPECT_EQ(printable_name("a.b"), "a.b");
  EXPECT_EQ(printable_name("a\n\x1b[31m\xc3\xa9"), "a\\x0a\\x1b[31m\\xc3\\xa9");
  const std::string message = error("{\"" + std::string(5000, 'x') + "\":1}", 0);
  EXPECT_LT(message.size(), 400u);
  EXPECT_THAT(message, HasSubstr("(5000 bytes)"));
}

// Whatever single byte is changed, parsing ends with a header whose ranges are inside the file, or with an
// Error.
RC_GTEST_PROP(Safetensors, AnyByteMayBeWrong, ()) {
  std::string bytes = safetensors_bytes(
      R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}})",
      24);
  const auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  try {
    for (const StoredTensor& tensor : parse(bytes).tensors) {
      RC_ASSERT(tensor.begin >= 8 && tensor.begin <= tensor.end);
      RC_ASSERT(tensor.end <= static_cast<int64_t>(bytes.size()));
    }
  } catch (const Error& error) {
    RC_ASSERT(error.code() == ErrorCode::kInvalidFile);
  }
}

}  // namespace
}  // namespace hadal
