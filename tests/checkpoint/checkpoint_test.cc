// Opening checkpoints: single files, shards, fused experts, very large files, and every way to be wrong.
#include "checkpoint/checkpoint.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "checkpoint/writer.h"
#include "support/files.h"

namespace hadal {
namespace {

using test::error_of;
using test::invalid_file;
using test::safetensors_bytes;
using test::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

// {"name": dtype I8, 4 bytes} for each name, in order.
std::string small_file(const std::vector<std::string>& names) {
  nlohmann::json header = nlohmann::json::object();
  size_t at = 0;
  for (const std::string& name : names) {
    header[name] = {{"dtype", "I8"}, {"shape", {4}}, {"data_offsets", {at, at + 4}}};
    at += 4;
  }
  return safetensors_bytes(header.dump(), at);
}

void write_index(const TempFolder& folder, const std::vector<std::pair<std::string, std::string>>& map) {
  nlohmann::json index;
  for (const auto& [tensor, file] : map) index["weight_map"][tensor] = file;
  folder.write("model.safetensors.index.json", index.dump());
}

TEST(Checkpoint, ASingleFileByFolderOrByName) {
  const TempFolder folder;
  const auto file = folder.write("model.safetensors", small_file({"norm.weight", "lm_head.weight"}));
  for (const auto& path : {folder.path(), file}) {
    const auto checkpoint = Checkpoint::open(path);
    EXPECT_EQ(checkpoint->shards(), 1u);
    EXPECT_EQ(checkpoint->stored_tensors(), 2u);
    EXPECT_EQ(checkpoint->stored_bytes(), 8);
    EXPECT_EQ(checkpoint->path(), path);
    const TensorInfo* head = checkpoint->find("head.weight");
    ASSERT_NE(head, nullptr);
    EXPECT_EQ(head->name, "lm_head.weight");
    EXPECT_EQ(head->canonical_name, "head.weight");
    EXPECT_EQ(head->file, "model.safetensors");
    EXPECT_EQ(head->place(), "model.safetensors: tensor lm_head.weight");
    EXPECT_EQ(head->bytes.size(), 4u);
    EXPECT_EQ(head->view().elements(), 4);
    EXPECT_EQ(checkpoint->find("lm_head.weight"), nullptr);
  }
}

TEST(Checkpoint, ShardsAreReadThroughTheIndex) {
  const TempFolder folder;
  folder.write("b.safetensors", small_file({"norm.weight", "unlisted"}));
  folder.write("a.safetensors", small_file({"embed.weight", "unlisted"}));
  folder.write("model.safetensors", small_file({"something.else"}));  // beside an index: not part of it
  write_index(folder, {{"norm.weight", "b.safetensors"}, {"embed.weight", "a.safetensors"}});
  for (const auto& path : {folder.path(), folder / "model.safetensors.index.json"}) {
    const auto checkpoint = Checkpoint::open(path);
    EXPECT_EQ(checkpoint->shards(), 2u);
    EXPECT_EQ(checkpoint->tensors().size(), 2u);
    EXPECT_EQ(checkpoint->find("norm.weight")->file, "b.safetensors");
    EXPECT_EQ(checkpoint->find("unlisted"), nullptr);
  }
}

TEST(Checkpoint, ShardsThatDoNotFitTheIndex) {
  const TempFolder folder;
  folder.write("a.safetensors", small_file({"x", "y"}));
  folder.write("b.safetensors", small_file({"z", "x"}));
  write_index(folder, {{"x", "a.safetensors"}, {"z", "gone.safetensors"}});
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Checkpoint::open(folder.path()); }),
              AllOf(HasSubstr("gone.safetensors is missing"), HasSubstr("tensor z")));
  write_index(folder, {{"x", "a.safetensors"}, {"w", "b.safetensors"}});
  EXPECT_THAT(
      invalid_file([&] { Checkpoint::open(folder.path()); }),
      AllOf(HasSubstr("b.safetensors: tensor x"), HasSubstr("a.safetensors"), HasSubstr("one shard only")));
  write_index(folder, {{"x", "a.safetensors"}, {"w", "a.safetensors"}});
  EXPECT_THAT(invalid_file([&] { Checkpoint::open(folder.path()); }),
              AllOf(HasSubstr("a.safetensors: tensor w is missing"), HasSubstr("the index expects it")));
  write_index(folder, {{"x", "../a.safetensors"}});
  EXPECT_THAT(invalid_file([&] { Checkpoint::open(folder.path()); }), HasSubstr("../a.safetensors"));
  folder.write("b.safetensors", "");
  write_index(folder, {{"z", "b.safetensors"}});
  EXPECT_THAT(invalid_file([&] { Checkpoint::open(folder.path()); }),
              HasSubstr("b.safetensors: the file is empty"));
}

TEST(Checkpoint, FoldersWithoutOne) {
  const TempFolder folder;
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Checkpoint::open(folder / "none"); }),
              HasSubstr("none: there is no"));
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Checkpoint::open(folder.path()); }),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("model.safetensors.index.json")));
  folder.write("weights.gguf", "x");
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Checkpoint::open(folder.path()); }),
              HasSubstr("weights.gguf"));
}

TEST(Checkpoint, TwoNamesOfOneTensor) {
  const TempFolder folder;
  folder.write("model.safetensors", small_file({"model.norm.weight", "norm.weight"}));
  EXPECT_THAT(invalid_file([&] { Checkpoint::open(folder.path()); }),
              AllOf(HasSubstr("tensor norm.weight"), HasSubstr("tensor model.norm.weight"),
                    HasSubstr("both norm.weight")));
  folder.write("a.safetensors", small_file({"embed.weight"}));
  folder.write("b.safetensors", small_file({"model.embed_tokens.weight"}));
  write_index(folder, {{"embed.weight", "a.safetensors"}, {"model.embed_tokens.weight", "b.safetensors"}});
  EXPECT_THAT(invalid_file([&] { Checkpoint::open(folder.path()); }),
              AllOf(HasSubstr("a.safetensors"), HasSubstr("b.safetensors"), HasSubstr("both embed.weight")));
}

std::vector<std::byte> counted(size_t n) {
  std::vector<std::byte> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(i * 7 + i / 251);
  return out;
}

TEST(Checkpoint, FusedExpertsAreSlicesOfTheFile) {
  const TempFolder folder;
  // 3 experts, I = 128, D = 64, FP4: [E, 2I, D/2] with scales [E, 2I, D/32]; w2 [E, D, I/2] with [E, D,
  // I/32].
  const auto gate_up = counted(3 * 256 * 32), gate_up_scale = counted(3 * 256 * 2),
             down = counted(3 * 64 * 64), down_scale = counted(3 * 64 * 4);
  const std::string prefix = "model.layers.2.mlp.experts.";
  const std::vector<TensorBytes> tensors = {
      {{prefix + "gate_up_proj", DType::kI8, {3, 256, 32}}, gate_up},
      {{prefix + "gate_up_proj_scale_inv", DType::kF8E8M0, {3, 256, 2}}, gate_up_scale},
      {{prefix + "down_proj", DType::kI8, {3, 64, 64}}, down},
      {{prefix + "down_proj_scale_inv", DType::kF8E8M0, {3, 64, 4}}, down_scale}};
  write_safetensors(folder / "model.safetensors", tensors);
  const auto checkpoint = Checkpoint::open(folder.path());
  EXPECT_EQ(checkpoint->stored_tensors(), 4u);
  EXPECT_EQ(checkpoint->tensors().size(), 3u * 3 * 2);

  const auto expect = [&](const std::string& name, const std::vector<std::byte>& whole, size_t from,
                          size_t rows, size_t columns) {
    const TensorInfo* info = checkpoint->find("layers.2.ffn.experts." + name);
    ASSERT_NE(info, nullptr) << name;
    EXPECT_EQ(info->shape, (std::vector<int64_t>{static_cast<int64_t>(rows), static_cast<int64_t>(columns)}));
    ASSERT_EQ(info->bytes.size(), rows * columns);
    EXPECT_EQ(std::memcmp(info->bytes.data(), whole.data() + from, rows * columns), 0) << name;
    EXPECT_TRUE(info->slice);
  };
  for (size_t e = 0; e < 3; ++e) {
    const std::string id = std::to_string(e);
    expect(id + ".w1.weight", gate_up, e * 256 * 32, 128, 32);
    expect(id + ".w3.weight", gate_up, (e * 256 + 128) * 32, 128, 32);
    expect(id + ".w2.weight", down, e * 64 * 64, 64, 64);
    expect(id + ".w1.scale", gate_up_scale, e * 256 * 2, 128, 2);
    expect(id + ".w3.scale", gate_up_scale, (e * 256 + 128) * 2, 128, 2);
    expect(id + ".w2.scale", down_scale, e * 64 * 4, 64, 4);
  }
  EXPECT_EQ(checkpoint->find("layers.2.ffn.experts.0.w1.weight")->bytes.data() + 128 * 32,
            checkpoint->find("layers.2.ffn.experts.0.w3.weight")->bytes.data());
}

TEST(Checkpoint, FusedExpertsThatCannotBeCut) {
  const TempFolder folder;
  const std::string prefix = "layers.0.ffn.experts.";
  const auto with = [&](std::vector<TensorSpec> specs) {
    std::vector<TensorBytes> tensors;
    const auto zeros = counted(1 << 20);
    for (TensorSpec& spec : specs) {
      size_t bytes = static_cast<size_t>(dtype_bytes(spec.dtype));
      for (const int64_t dim : spec.shape) bytes *= static_cast<size_t>(dim);
      tensors.push_back({std::move(spec), std::span(zeros).first(bytes)});
    }
    write_safetensors(folder / "model.safetensors", tensors);
    return invalid_file([&] { Checkpoint::open(folder.path()); });
  };
  EXPECT_THAT(
      with({{prefix + "gate_up_proj", DType::kBF16, {2, 5, 4}}}),
      AllOf(HasSubstr(prefix + "gate_up_proj"), HasSubstr("[2, 5, 4]"), HasSubstr("even number of rows")));
  EXPECT_THAT(with({{prefix + "down_proj", DType::kBF16, {2, 4}}}), HasSubstr("three dimensions"));
  EXPECT_THAT(with({{prefix + "down_proj", DType::kBF16, {1 << 30, 0, 0}}}), HasSubstr("no empty dimension"));
  EXPECT_THAT(with({{prefix + "down_proj", DType::kI8, {65537, 1, 1}}}), HasSubstr("65536 experts"));
  // I = 96: scale rows of 128 x 128 blocks, the first of which would belong to w1 and w3.
  EXPECT_THAT(with({{prefix + "gate_up_proj", DType::kF8E4M3, {1, 192, 128}},
                    {prefix + "gate_up_proj_scale_inv", DType::kF8E8M0, {1, 2, 1}}}),
              AllOf(HasSubstr("straddle w1 and w3"), HasSubstr("96 rows")));
}

int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST(Checkpoint, AVeryLargeFileIsOnlyMapped) {
  const TempFolder folder;
  constexpr int64_t kTensors = 4000, kBytes = 40'000'000;  // 160 GB
  std::string header = "{";
  for (int64_t i = 0; i < kTensors; ++i)
    header += fmt::format(
        "{}\"layers.{}.ffn.experts.{}.w1.weight\":{{\"dtype\":\"I8\",\"shape\":[2000,20000],"
        "\"data_offsets\":[{},{}]}}",
        i == 0 ? "" : ",", i / 100, i % 100, i * kBytes, (i + 1) * kBytes);
  header += "}";
  const auto file = folder.write("model.safetensors", safetensors_bytes(header, 0));
  const auto size = static_cast<int64_t>(8 + header.size()) + kTensors * kBytes;
  if (::truncate(file.c_str(), size) != 0)
    GTEST_SKIP() << "this file system cannot hold a file of 160 GB with holes";

  const int64_t before = resident_bytes();
  const auto checkpoint = Checkpoint::open(folder.path());
  const int64_t grown = resident_bytes() - before;
  EXPECT_EQ(checkpoint->stored_bytes(), 160'000'000'000);
  EXPECT_LT(grown, 64 << 20) << "opening read more than headers";
  const TensorInfo* last = checkpoint->find("layers.39.ffn.experts.99.w1.weight");
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->bytes.back(), std::byte{0});
}

TEST(Checkpoint, TheReferenceFolders) {
  const std::filesystem::path shared = HADAL_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "the reference checkpoints are not here";
  for (const char* name : {"tiny-f32", "tiny-fp8fp4", "tiny-base", "pro-like", "flash-like", "story"}) {
    const auto checkpoint = Checkpoint::open(shared / name);
    EXPECT_EQ(checkpoint->tensors().size(), checkpoint->stored_tensors()) << name;
    for (const auto& [canonical, info] : checkpoint->tensors()) EXPECT_EQ(canonical, info.name) << name;
    EXPECT_NE(checkpoint->find("embed.weight"), nullptr) << name;
  }
  EXPECT_EQ(Checkpoint::open(shared / "tiny-fp8fp4")->shards(), 2u);
}

}  // namespace
}  // namespace hadal
