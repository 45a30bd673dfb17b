// What the tests of this module share: golden files and requests written as JSON.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "chat/encode.h"

namespace hadal::test {

using Json = nlohmann::ordered_json;

inline const std::filesystem::path kGolden =
    std::filesystem::path(HADAL_SOURCE_DIR) / "tests" / "golden" / "encoding";
inline const std::filesystem::path kShared = std::filesystem::path(HADAL_SOURCE_DIR) / ".." / "shared";

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline ChatRequest request_of(const std::string& json) {
  Result<ChatRequest> request = chat_request_from_json(json);
  EXPECT_TRUE(request) << (request ? "" : request.error().to_string()) << "\n" << json;
  return request ? *request : ChatRequest{};
}

// The items of a request that must be valid.
inline std::vector<PromptItem> items_of(const std::string& json, Dialect dialect = Dialect::kHosted,
                                        PromptGeneration generation = PromptGeneration::kV4Preview) {
  const auto items = encode_chat(request_of(json), prompt_template(generation), {dialect});
  EXPECT_TRUE(items) << (items ? "" : items.error().to_string()) << "\n" << json;
  return items ? *items : std::vector<PromptItem>{};
}

inline std::string flat_of(const std::string& json, Dialect dialect = Dialect::kHosted,
                           PromptGeneration generation = PromptGeneration::kV4Preview) {
  return render_flat(items_of(json, dialect, generation));
}

// The problem of a request that must not be valid.
inline std::string problem_of(const std::string& json, Dialect dialect = Dialect::kHosted) {
  const auto request = chat_request_from_json(json);
  if (!request) return request.error().to_string();
  const auto items = encode_chat(*request, prompt_template(PromptGeneration::kV4Preview), {dialect});
  return items ? "none" : items.error().to_string();
}

}  // namespace hadal::test
