// Finding and reading a tokenizer file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "text/small_tokenizer.h"
#include "text/tokenizer.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

class TokenizerFileTest : public ::testing::Test {
 protected:
  TokenizerFileTest()
      : folder_(fs::path(::testing::TempDir()) / fmt::format("tokenizer_file_{}", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~TokenizerFileTest() override { fs::remove_all(folder_); }
  void write(const fs::path& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  void write_gz(const fs::path& name, const std::string& content) {
    gzFile f = gzopen((folder_ / name).c_str(), "wb");
    gzwrite(f, content.data(), static_cast<unsigned>(content.size()));
    gzclose(f);
  }
  std::string content_of(const fs::path& name) {
    std::ifstream f(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(f), {}};
  }
  ErrorCode code_of(const fs::path& path) {
    try {
      Tokenizer::load(path);
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(folder_.string()));
      return e.code();
    }
    ADD_FAILURE() << path << " was taken";
    return {};
  }
  const fs::path folder_;
};

TEST_F(TokenizerFileTest, ReadsAFileAGzippedFileAndAFolder) {
  const std::string text = testing::small_tokenizer_json().dump();
  write_gz("tokenizer.json.gz", text);
  EXPECT_EQ(Tokenizer::load(folder_ / "tokenizer.json.gz").vocab_size(), testing::kPad + 1);
  EXPECT_EQ(Tokenizer::load(folder_).vocab_size(), testing::kPad + 1);
  json other = testing::small_tokenizer_json();
  other["added_tokens"].push_back({{"id", 400}, {"content", "<more>"}});
  write("tokenizer.json", other.dump());
  EXPECT_EQ(Tokenizer::load(folder_ / "tokenizer.json").vocab_size(), 401);
  EXPECT_EQ(Tokenizer::load(folder_).vocab_size(), 401);  // the plain file first
}

TEST_F(TokenizerFileTest, NamesWhatIsWrongWithTheFile) {
  EXPECT_EQ(code_of(folder_ / "none.json"), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(folder_), ErrorCode::kNotFound);
  write("empty.json", "");
  EXPECT_EQ(code_of(folder_ / "empty.json"), ErrorCode::kInvalidFile);
  write_gz("whole.gz", testing::small_tokenizer_json().dump());
  const std::string whole = content_of("whole.gz");
  write("half.gz", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(code_of(folder_ / "half.gz"), ErrorCode::kInvalidFile);
  std::string damaged = whole;
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // in the checksum
  write("damaged.gz", damaged);
  EXPECT_EQ(code_of(folder_ / "damaged.gz"), ErrorCode::kInvalidFile);
  write_gz("bomb.gz", std::string(130 << 20, ' '));
  EXPECT_LT(fs::file_size(folder_ / "bomb.gz"), 1u << 20);
  EXPECT_EQ(code_of(folder_ / "bomb.gz"), ErrorCode::kInvalidFile);
  fs::create_directories(folder_ / "nested" / "tokenizer.json");
  EXPECT_EQ(code_of(folder_ / "nested"), ErrorCode::kIo);
}

}  // namespace
}  // namespace hadal
