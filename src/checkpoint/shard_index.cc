#include "checkpoint/shard_index.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "checkpoint/safetensors.h"

namespace hadal {
namespace {

using Json = nlohmann::json;

// A shard lies in the folder of the index or below it: a checkpoint must not make the program open other
// files.
bool inside_folder(const std::string& file) {
  if (file.empty() || file.find('\0') != std::string::npos) return false;
  const std::filesystem::path path(file);
  if (path.is_absolute()) return false;
  for (const auto& part : path)
    if (part == "..") return false;
  return path.has_filename();
}

// Token by token, because a document tree keeps only the last of two equal keys. Whatever stands beside
// weight_map is skipped.
class IndexReader : public nlohmann::json_sax<Json> {
 public:
  explicit IndexReader(std::string_view file) : file_(file) {}

  std::map<std::string, std::string, std::less<>> files;
  bool found = false;

  bool null() override { return value("null"); }
  bool boolean(bool v) override { return value(v ? "true" : "false"); }
  bool number_integer(number_integer_t v) override { return value(std::to_string(v)); }
  bool number_unsigned(number_unsigned_t v) override { return value(std::to_string(v)); }
  bool number_float(number_float_t, const string_t& text) override { return value(printable_name(text)); }
  bool binary(binary_t&) override { return value("binary data"); }

  bool string(string_t& text) override {
    if (!in_map()) return value("a string");
    if (!inside_folder(text))
      fail(ErrorCode::kInvalidFile,
           "{}: tensor {} is said to be in \"{}\", expected the name of a file in the same folder", file_,
           printable_name(key_), printable_name(text));
    files[key_] = std::move(text);
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      at_map_ = name == "weight_map";
      if (at_map_ && found)
        fail(ErrorCode::kInvalidFile, "{}: weight_map is given twice, expected once", file_);
    }
    if (in_map() && files.contains(name))
      fail(ErrorCode::kInvalidFile, "{}: tensor {} is listed twice in weight_map, expected once", file_,
           printable_name(name));
    key_ = std::move(name);
    return true;
  }
  bool start_object(std::size_t) override {
    if (in_map()) value("an object");
    if (depth_ == 1 && at_map_) found = true;
    ++depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (in_map() || depth_ == 0) value("a list");
    if (depth_ == 1 && at_map_) value("a list");
    ++depth_;
    return true;
  }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(ErrorCode::kInvalidFile, "{}: not JSON (at byte {})", file_, position);
  }

 private:
  bool in_map() const { return depth_ == 2 && at_map_; }
  bool leave() {
    --depth_;
    return true;
  }
  bool value(const std::string& what) const {
    if (in_map())
      fail(ErrorCode::kInvalidFile, "{}: weight_map entry of tensor {}: a file name expected, found {}",
           file_, printable_name(key_), what);
    if (depth_ == 0) fail(ErrorCode::kInvalidFile, "{}: a JSON object expected, found {}", file_, what);
    if (depth_ == 1 && at_map_)
      fail(ErrorCode::kInvalidFile,
           "{}: weight_map: an object of tensor names and file names expected, found {}", file_, what);
    return true;
  }

  std::string_view file_;
  int depth_ = 0;
  bool at_map_ = false;  // the value of the current key of the outermost object is weight_map
  std::string key_;
};

}  // namespace

std::map<std::string, std::string, std::less<>> parse_shard_index(std::string_view json_text,
                                                                  std::string_view name) {
  IndexReader reader(name);
  Json::sax_parse(json_text.begin(), json_text.end(), &reader);
  if (!reader.found)
    fail(ErrorCode::kInvalidFile,
         "{}: \"weight_map\" is missing, expected tensor names and the files that hold them", name);
  if (reader.files.empty())
    fail(ErrorCode::kInvalidFile, "{}: weight_map is empty, expected at least one tensor", name);
  return std::move(reader.files);
}

}  // namespace hadal
