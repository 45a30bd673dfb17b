// What the writer writes, the reader reads; nothing half-written stays behind.
#include "checkpoint/writer.h"

#include <gmock/gmock.h>

#include <numeric>

#include "checkpoint/checkpoint.h"
#include "support/files.h"

namespace hadal {
namespace {

using test::TempFolder;

TEST(Writer, RoundTripInPieces) {
  const TempFolder folder;
  std::vector<float> floats(600);
  std::iota(floats.begin(), floats.end(), 0.5f);
  const std::vector<int64_t> ids = {3, -1, 7};
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5};
  {
    SafetensorsWriter writer(folder / "out.safetensors",
                             {{"odd", DType::kF8E8M0, {5}},
                              {"logits", DType::kF32, {20, 30}},
                              {"quote\"d", DType::kBF16, {0, 4}},
                              {"ids", DType::kI64, {3}}},
                             {{"made", "by a test"}});
    const auto all = std::as_bytes(std::span(floats));
    writer.append(1, all.first(7));
    writer.append(3, std::as_bytes(std::span(ids)));
    writer.append(1, all.subspan(7, 1000));
    writer.append(0, std::as_bytes(std::span(bytes)));
    writer.append(1, all.subspan(1007));
    EXPECT_FALSE(std::filesystem::exists(folder / "out.safetensors"));
    writer.finish();
  }
  const auto checkpoint = Checkpoint::open(folder / "out.safetensors");
  EXPECT_EQ(checkpoint->stored_tensors(), 4u);
  const TensorInfo* logits = checkpoint->find("logits");
  ASSERT_NE(logits, nullptr);
  EXPECT_EQ(logits->shape, (std::vector<int64_t>{20, 30}));
  EXPECT_EQ(std::memcmp(logits->bytes.data(), floats.data(), 2400), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(logits->bytes.data()) % 4, 0u);
  const TensorInfo* stored_ids = checkpoint->find("ids");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(stored_ids->bytes.data()) % 8, 0u);
  EXPECT_EQ(std::memcmp(stored_ids->bytes.data(), ids.data(), 24), 0);
  EXPECT_EQ(std::memcmp(checkpoint->find("odd")->bytes.data(), bytes.data(), 5), 0);
  EXPECT_TRUE(checkpoint->find("quote\"d")->bytes.empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Writer, WithoutFinishTheOldFileStays) {
  const TempFolder folder;
  folder.write("x.safetensors", "old");
  {
    SafetensorsWriter writer(folder / "x.safetensors", {{"a", DType::kI8, {4}}});
  }
  EXPECT_EQ(test::read_bytes(folder / "x.safetensors"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Writer, NoTensorsIsAFileToo) {
  const TempFolder folder;
  write_safetensors(folder / "x.safetensors", {});
  EXPECT_TRUE(Checkpoint::open(folder / "x.safetensors")->tensors().empty());
}

TEST(WriterDeathTest, MistakesOfTheCallerAreBugs) {
  const TempFolder folder;
  const std::vector<std::byte> five(5);
  EXPECT_DEATH(SafetensorsWriter(folder / "x", {{"a", DType::kI8, {1}}, {"a", DType::kI8, {1}}}), "twice");
  EXPECT_DEATH(SafetensorsWriter(folder / "x", {{"a", DType::kI8, {4}}}).append(0, five), "too many");
  EXPECT_DEATH(SafetensorsWriter(folder / "x", {{"a", DType::kI8, {4}}}).finish(), "4 bytes missing");
}

TEST(Writer, AFolderThatIsNotThere) {
  EXPECT_NE(test::error_of(ErrorCode::kIo, [] { write_safetensors("/no/such/folder/x", {}); })
                .find("/no/such/folder/x"),
            std::string::npos);
}

}  // namespace
}  // namespace hadal
