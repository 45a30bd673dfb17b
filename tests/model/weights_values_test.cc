// Scales and routing tables with values that cannot be run, and when they are looked at.
#include <gmock/gmock.h>

#include "model/weights.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::invalid_file;
using test::parse_config;
using test::synthetic_tensors;
using test::TempFolder;
using test::Tensors;
using ::testing::AllOf;
using ::testing::HasSubstr;

class WeightsValues : public ::testing::Test {
 protected:
  const Config config_ = parse_config(test::tiny_config());
  Tensors tensors_ = synthetic_tensors(config_);
  TempFolder folder_;

  Weights bind() {
    test::write_tensors(folder_ / "model.safetensors", tensors_);
    return Weights::bind(Checkpoint::open(folder_.path()), config_);
  }
  Weights load() {
    test::write_tensors(folder_ / "model.safetensors", tensors_);
    return Weights::load(Checkpoint::open(folder_.path()), config_);
  }
  char& scale(const std::string& name, size_t at) { return tensors_.at(name).bytes.at(at); }
};

TEST_F(WeightsValues, NanScales) {
  scale("layers.2.attn.wq_b.scale", 3) = static_cast<char>(255);
  EXPECT_THAT(invalid_file([&] { load(); }),
              AllOf(HasSubstr("model.safetensors: tensor layers.2.attn.wq_b.scale"),
                    HasSubstr("scale [3, 0] is NaN"), HasSubstr("expected 10 to 246")));
}

TEST_F(WeightsValues, Fp8ScalesAtTheEndsOfTheRange) {
  for (const int byte : {10, 127, 246}) {
    scale("layers.0.attn.wkv.scale", 0) = static_cast<char>(byte);
    EXPECT_NO_THROW(load()) << byte;
  }
  for (const int byte : {0, 9, 247, 254}) {
    scale("layers.0.attn.wkv.scale", 0) = static_cast<char>(byte);
    EXPECT_THAT(invalid_file([&] { load(); }), HasSubstr("byte " + std::to_string(byte)));
  }
}

TEST_F(WeightsValues, Fp4ScalesAtTheEndsOfTheRange) {
  const std::string name = "layers.1.ffn.experts.2.w1.scale";
  for (const int byte : {2, 252}) {
    scale(name, 5) = static_cast<char>(byte);
    EXPECT_NO_THROW(load()) << byte;
  }
  for (const int byte : {0, 1, 253, 255}) {
    scale(name, 5) = static_cast<char>(byte);
    EXPECT_THAT(invalid_file([&] { load(); }), AllOf(HasSubstr("tensor " + name), HasSubstr("scale [2, 1]")));
  }
}

TEST_F(WeightsValues, RoutingTablesNameTheToken) {
  std::string& table = tensors_.at("layers.0.ffn.gate.tid2eid").bytes;
  for (const int64_t id : {int64_t{4}, int64_t{-1}, int64_t{1} << 40}) {
    std::memcpy(table.data() + (17 * 2 + 1) * 8, &id, 8);
    EXPECT_THAT(invalid_file([&] { load(); }),
                AllOf(HasSubstr("tensor layers.0.ffn.gate.tid2eid"),
                      HasSubstr("entry 1 of token 17 is expert " + std::to_string(id)), HasSubstr("0 to 3")));
  }
}

TEST_F(WeightsValues, BindLooksAtNothing) {
  scale("layers.0.attn.wkv.scale", 0) = 0;
  scale("layers.1.ffn.experts.2.w1.scale", 0) = static_cast<char>(255);
  const Weights weights = bind();
  EXPECT_THAT(invalid_file([&] { validate_dense_values(weights, config_); }),
              HasSubstr("layers.0.attn.wkv.scale"));
  EXPECT_THAT(invalid_file([&] { validate_values(weights, config_); }), HasSubstr("layers.0.attn.wkv.scale"));
}

TEST_F(WeightsValues, ExpertsAreCheckedWhenFirstUsed) {
  scale("layers.1.ffn.experts.2.w3.scale", 7) = static_cast<char>(255);
  scale("mtp.0.ffn.experts.1.w2.scale", 0) = 1;
  const Weights weights = bind();
  EXPECT_NO_THROW(validate_dense_values(weights, config_));
  EXPECT_THAT(invalid_file([&] { validate_values(weights, config_); }),
              HasSubstr("layers.1.ffn.experts.2.w3.scale"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_NO_THROW(weights.experts->check(weights, 1, 1));
    EXPECT_THAT(invalid_file([&] { weights.experts->check(weights, 1, 2); }),
                HasSubstr("layers.1.ffn.experts.2.w3.scale"));
    EXPECT_THAT(invalid_file([&] { weights.experts->check(weights, 3, 1); }),
                HasSubstr("mtp.0.ffn.experts.1.w2.scale"));
    EXPECT_NO_THROW(weights.experts->check(weights, 3, 0));
  }
}

TEST_F(WeightsValues, AfterLoadNothingIsLeftToCheck) {
  const Weights weights = load();
  for (int layer = 0; layer <= 3; ++layer)
    for (int expert = 0; expert < 4; ++expert)
      EXPECT_NO_THROW(weights.experts->check(weights, layer, expert));
}

}  // namespace
}  // namespace hadal
