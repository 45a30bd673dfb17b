// Binding checkpoints to a model: every place is filled with the right bytes, every mistake has a message.
#include "model/weights.h"

#include <gmock/gmock.h>

#include "model/weights_layout.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::invalid_file;
using test::Json;
using test::parse_config;
using test::synthetic_tensors;
using test::TempFolder;
using test::Tensors;
using ::testing::AllOf;
using ::testing::HasSubstr;

Weights load(const TempFolder& folder) {
  return Weights::load(Checkpoint::open(folder.path()), Config::load(folder.path()));
}

// The message for the tiny model after spoil() changed its tensors.
std::string error_after(const std::function<void(Tensors&)>& spoil, Json config = test::tiny_config()) {
  Tensors tensors = synthetic_tensors(parse_config(config));
  spoil(tensors);
  const TempFolder folder;
  test::write_model(folder, config, tensors);
  return invalid_file([&] { load(folder); });
}

void reshape(Tensors& tensors, const std::string& name, std::vector<int64_t> shape) {
  test::SyntheticTensor& tensor = tensors.at(name);
  tensor.spec.shape = std::move(shape);
  size_t bytes = static_cast<size_t>(dtype_bytes(tensor.spec.dtype));
  for (const int64_t dim : tensor.spec.shape) bytes *= static_cast<size_t>(dim);
  tensor.bytes.resize(bytes, 120);
}

void retype(Tensors& tensors, const std::string& name, DType dtype) {
  test::SyntheticTensor& tensor = tensors.at(name);
  tensor.bytes.resize(tensor.bytes.size() / static_cast<size_t>(dtype_bytes(tensor.spec.dtype)) *
                      static_cast<size_t>(dtype_bytes(dtype)));
  tensor.spec.dtype = dtype;
}

TEST(Weights, EveryPlaceOfTheTinyModel) {
  const TempFolder folder;
  const Config config = parse_config(test::tiny_config());
  test::write_model(folder, test::tiny_config(), synthetic_tensors(config));
  const Weights w = load(folder);
  ASSERT_EQ(w.layers.size(), 3u);
  EXPECT_EQ(w.embed.format, WeightFormat::kBF16);
  EXPECT_EQ(w.embed.out, 50);
  EXPECT_EQ(w.embed.in, 64);
  EXPECT_EQ(w.hc_head.fn.dim[1], 256);
  EXPECT_TRUE(w.realigned.empty());

  const AttentionWeights& swa = w.layers[0].attn;
  EXPECT_FALSE(swa.compressor || swa.indexer);
  EXPECT_EQ(swa.wq_b.format, WeightFormat::kFP8);
  EXPECT_EQ(swa.wq_b.out, 512);
  EXPECT_EQ(swa.wq_b.scale.dim[0], 4);
  EXPECT_EQ(swa.wo_a.out, 32);
  EXPECT_EQ(swa.wo_a.in, 256);
  EXPECT_FALSE(w.layers[0].ffn.tid2eid.empty());
  EXPECT_TRUE(w.layers[0].ffn.bias.empty());

  const AttentionWeights& csa = w.layers[1].attn;
  ASSERT_TRUE(csa.compressor && csa.indexer);
  EXPECT_EQ(csa.compressor->ape.dim[0], 4);
  EXPECT_EQ(csa.compressor->ape.dim[1], 256);
  EXPECT_EQ(csa.indexer->compressor.wkv.out, 128);
  EXPECT_EQ(csa.indexer->weights_proj.format, WeightFormat::kBF16);
  EXPECT_TRUE(w.layers[1].ffn.tid2eid.empty());
  EXPECT_EQ(w.layers[1].ffn.bias.elements(), 4);

  const AttentionWeights& hca = w.layers[2].attn;
  ASSERT_TRUE(hca.compressor);
  EXPECT_FALSE(hca.indexer);
  EXPECT_EQ(hca.compressor->ape.dim[0], 128);
  EXPECT_EQ(hca.compressor->ape.dim[1], 128);

  ASSERT_EQ(w.layers[2].ffn.experts.size(), 4u);
  const ExpertWeights& expert = w.layers[2].ffn.experts[3];
  EXPECT_EQ(expert.w2.format, WeightFormat::kFP4);
  EXPECT_EQ(expert.w2.out, 64);
  EXPECT_EQ(expert.w2.in, 32);
  EXPECT_EQ(expert.w2.data.dim[1], 16);
  EXPECT_EQ(expert.w2.scale.dim[1], 1);
  EXPECT_EQ(expert.w2.data.data, w.source->find("layers.2.ffn.experts.3.w2.weight")->bytes.data());
  ASSERT_TRUE(w.mtp);
  EXPECT_EQ(w.mtp->e_proj.in, 64);
  EXPECT_EQ(w.mtp->layer.ffn.bias.elements(), 4);
}

TEST(Weights, BaseAndUnquantisedCheckpoints) {
  Json base = test::tiny_config();
  base.erase("expert_dtype");
  Json bf16 = base;
  bf16.erase("quantization_config");
  Json f32 = bf16;
  f32["torch_dtype"] = "float32";
  const std::pair<Json, WeightFormat> cases[] = {
      {base, WeightFormat::kFP8}, {bf16, WeightFormat::kBF16}, {f32, WeightFormat::kF32}};
  for (const auto& [json, format] : cases) {
    const TempFolder folder;
    test::write_model(folder, json, synthetic_tensors(parse_config(json)));
    const Weights w = load(folder);
    EXPECT_EQ(w.layers[1].ffn.experts[0].w1.format, format);
    EXPECT_EQ(w.layers[1].attn.wq_a.format, format);
    EXPECT_EQ(w.norm.dtype, format == WeightFormat::kF32 ? DType::kF32 : DType::kBF16);
  }
}

TEST(Weights, TransformersNamesWithFusedExperts) {
  const Json config = test::tiny_config();
  Tensors released = synthetic_tensors(parse_config(config)), renamed;
  const std::vector<std::pair<std::string, std::string>> rules = {
      {"layers.1.attn.wq_a.weight", "layers.1.self_attn.q_a_proj.weight"},
      {"layers.1.attn.wq_a.scale", "layers.1.self_attn.q_a_proj.weight_scale_inv"},
      {"layers.1.attn.indexer.compressor.ape", "layers.1.self_attn.compressor.indexer.position_bias"},
      {"layers.1.hc_ffn_fn", "layers.1.ffn_hc.fn"}};
  for (auto& [name, tensor] : released) {
    std::string to = name;
    for (const auto& [from, other] : rules)
      if (name == from) to = other;
    if (name.starts_with("layers.1.ffn.experts.")) continue;
    tensor.spec.name = "model." + to;
    renamed.emplace(tensor.spec.name, tensor);
  }
  const auto fuse = [&](const std::string& to, std::vector<std::string> parts, const std::string& leaf) {
    test::SyntheticTensor fused;
    for (int e = 0; e < 4; ++e)
      for (const std::string& part : parts) {
        const auto& one = released.at("layers.1.ffn.experts." + std::to_string(e) + "." + part + leaf);
        fused.spec = one.spec;
        fused.bytes += one.bytes;
      }
    fused.spec.shape = {4, fused.spec.shape[0] * static_cast<int64_t>(parts.size()), fused.spec.shape[1]};
    fused.spec.name = to;
    renamed.emplace(to, fused);
  };
  fuse("model.layers.1.mlp.experts.gate_up_proj", {"w1", "w3"}, ".weight");
  fuse("model.layers.1.mlp.experts.gate_up_proj_scale_inv", {"w1", "w3"}, ".scale");
  fuse("model.layers.1.mlp.experts.down_proj", {"w2"}, ".weight");
  fuse("model.layers.1.mlp.experts.down_proj_scale_inv", {"w2"}, ".scale");

  const TempFolder folder;
  test::write_model(folder, config, renamed);
  const Weights w = load(folder);
  const auto same = [&](const Weight& weight, const std::string& name) {
    const std::string& bytes = released.at(name + ".weight").bytes;
    EXPECT_EQ(std::memcmp(weight.data.data, bytes.data(), bytes.size()), 0) << name;
    EXPECT_EQ(weight.format, WeightFormat::kFP4);
  };
  for (int e = 0; e < 4; ++e) {
    const ExpertWeights& expert = w.layers[1].ffn.experts[static_cast<size_t>(e)];
    same(expert.w1, "layers.1.ffn.experts." + std::to_string(e) + ".w1");
    same(expert.w2, "layers.1.ffn.experts." + std::to_string(e) + ".w2");
    same(expert.w3, "layers.1.ffn.experts." + std::to_string(e) + ".w3");
  }
}

TEST(Weights, MissingTensorsAndScales) {
  EXPECT_THAT(error_after([](Tensors& t) { t.erase("layers.1.attn.wkv.weight"); }),
              AllOf(HasSubstr("tensor layers.1.attn.wkv.weight is missing"), HasSubstr("hadal-test")));
  EXPECT_THAT(error_after([](Tensors& t) { t.erase("layers.1.attn.wkv.scale"); }),
              AllOf(HasSubstr("model.safetensors: tensor layers.1.attn.wkv.weight"),
                    HasSubstr("layers.1.attn.wkv.scale is missing"), HasSubstr("F8_E8M0 [1, 1]")));
  EXPECT_THAT(error_after([](Tensors& t) { t.erase("layers.2.ffn.experts.3.w2.scale"); }),
              HasSubstr("layers.2.ffn.experts.3.w2.scale is missing"));
  EXPECT_THAT(error_after([](Tensors& t) { t.erase("mtp.0.hnorm.weight"); }),
              HasSubstr("mtp.0.hnorm.weight is missing"));
  EXPECT_THAT(error_after([](Tensors& t) { t.erase("layers.0.ffn.gate.tid2eid"); }),
              HasSubstr("layers.0.ffn.gate.tid2eid is missing"));
}

TEST(Weights, EveryTensorIsNeededAndItsShapeChecked) {
  const Config config = parse_config(test::tiny_config());
  const Tensors whole = synthetic_tensors(config);
  const TempFolder folder;
  for (const auto& [name, tensor] : whole) {
    Tensors without = whole;
    without.erase(name);
    test::write_tensors(folder / "model.safetensors", without);
    const std::string stem = name.substr(0, name.rfind('.'));
    EXPECT_THAT(invalid_file([&] { Weights::bind(Checkpoint::open(folder.path()), config); }),
                HasSubstr(stem));
    Tensors wrong = whole;
    reshape(wrong, name, {tensor.spec.shape[0] + 1});
    test::write_tensors(folder / "model.safetensors", wrong);
    EXPECT_THAT(invalid_file([&] { Weights::bind(Checkpoint::open(folder.path()), config); }),
                AllOf(HasSubstr("tensor " + name), HasSubstr("the configuration asks for")));
  }
}

TEST(Weights, WrongShapesSayBoth) {
  EXPECT_THAT(
      error_after([](Tensors& t) { reshape(t, "layers.0.attn.wkv.weight", {64, 128}); }),
      AllOf(HasSubstr("tensor layers.0.attn.wkv.weight: shape [64, 128]"), HasSubstr("asks for [128, 64]")));
  EXPECT_THAT(error_after([](Tensors& t) { reshape(t, "layers.0.attn.wq_b.scale", {1, 4}); }),
              AllOf(HasSubstr("wq_b.scale: shape [1, 4]"), HasSubstr("[4, 1]"), HasSubstr("128 x 128")));
  EXPECT_THAT(error_after([](Tensors& t) { reshape(t, "layers.1.ffn.experts.0.w1.scale", {32, 3}); }),
              AllOf(HasSubstr("[32, 2]"), HasSubstr("1 x 32")));
  EXPECT_THAT(error_after([](Tensors& t) { reshape(t, "layers.1.ffn.experts.0.w1.weight", {32, 64}); }),
              AllOf(HasSubstr("[32, 32]"), HasSubstr("two FP4 values a byte")));
}

TEST(Weights, WrongTypes) {
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "layers.0.attn.attn_sink", DType::kBF16); }),
              AllOf(HasSubstr("attn_sink: dtype BF16"), HasSubstr("expected F32")));
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "norm.weight", DType::kI32); }),
              HasSubstr("expected BF16 or F32"));
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "embed.weight", DType::kF8E4M3); }),
              HasSubstr("embed.weight: dtype F8_E4M3, expected BF16 or F32"));
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "layers.0.attn.wkv.weight", DType::kI8); }),
              HasSubstr("expected F8_E4M3, BF16 or F32"));
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "layers.0.attn.wkv.scale", DType::kF32); }),
              HasSubstr("wkv.scale: dtype F32, expected F8_E8M0"));
  EXPECT_THAT(error_after([](Tensors& t) { retype(t, "layers.0.ffn.gate.tid2eid", DType::kI32); }),
              HasSubstr("expected I64"));
}

TEST(Weights, ALayerIsRoutedOneWay) {
  EXPECT_THAT(error_after([](Tensors& t) {
                auto both = t.at("layers.1.ffn.gate.bias");
                both.spec.name = "layers.0.ffn.gate.bias";
                t.emplace(both.spec.name, both);
              }),
              AllOf(HasSubstr("tensor layers.0.ffn.gate.bias"), HasSubstr("num_hash_layers is 1"),
                    HasSubstr("gate.tid2eid instead")));
  EXPECT_THAT(error_after([](Tensors& t) {
                auto both = t.at("layers.0.ffn.gate.tid2eid");
                both.spec.name = "layers.2.ffn.gate.tid2eid";
                t.emplace(both.spec.name, both);
              }),
              HasSubstr("gate.bias instead"));
}

TEST(Weights, ACheckpointWithoutTheDraftBlock) {
  const TempFolder folder;
  Tensors tensors = synthetic_tensors(parse_config(test::tiny_config()));
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("mtp."); });
  test::write_model(folder, test::tiny_config(), tensors);
  EXPECT_FALSE(load(folder).mtp);
}

TEST(Weights, ADsparkDrafterIsNotBound) {
  Json config = test::tiny_config();
  const Tensors tensors = synthetic_tensors(parse_config(config));
  config["dspark_block_size"] = 5;
  const TempFolder folder;
  test::write_model(folder, config, tensors);
  EXPECT_FALSE(load(folder).mtp);
}

TEST(Weights, TensorsAtOddAddressesAreCopied) {
  const TempFolder folder;
  test::write_model(folder, test::tiny_config(), synthetic_tensors(parse_config(test::tiny_config())));
  std::string bytes = test::read_bytes(folder / "model.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  ++header;  // one blank more at the end of the header moves all data by one byte
  std::memcpy(bytes.data(), &header, 8);
  bytes.insert(8 + header - 1, " ");
  const Weights straight = load(folder);
  const TempFolder moved;
  moved.write("config.json", test::tiny_config().dump());
  moved.write("model.safetensors", bytes);
  const Weights w = load(moved);
  EXPECT_FALSE(w.realigned.empty());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(w.hc_head.fn.data) % 4, 0u);
  EXPECT_EQ(std::memcmp(w.hc_head.fn.data, straight.hc_head.fn.data, 4 * 256 * 4), 0);
  EXPECT_EQ(w.layers[0].attn.wkv.data.data, w.source->find("layers.0.attn.wkv.weight")->bytes.data());
}

TEST(Weights, TheReferenceFolders) {
  const std::filesystem::path shared = HADAL_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "the reference checkpoints are not here";
  for (const char* name : {"tiny-f32", "tiny-fp8fp4", "tiny-base", "pro-like", "flash-like", "story"}) {
    const Config config = Config::load(shared / name);
    const Weights w = Weights::load(Checkpoint::open(shared / name), config);
    EXPECT_EQ(w.layers.size(), static_cast<size_t>(config.num_hidden_layers)) << name;
    EXPECT_TRUE(w.mtp) << name;
    EXPECT_TRUE(w.realigned.empty()) << name;
  }
}

}  // namespace
}  // namespace hadal
