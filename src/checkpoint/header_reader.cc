#include "checkpoint/header_reader.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "checkpoint/safetensors.h"

namespace hadal {
namespace {

class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string_view file) : file_(file) {}

  HeaderText out;

  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t elements) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(std::size_t elements) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::detail::exception& problem) override;

 private:
  enum class Place { kOutside, kTop, kTensor, kMetadata, kShape, kOffsets };

  [[noreturn]] void unexpected(std::string_view found) const;
  std::string where() const;

  std::string_view file_;
  Place place_ = Place::kOutside;
  std::string key_;  // the last one seen
  std::unordered_set<std::string> names_;
};

std::string HeaderReader::where() const {
  switch (place_) {
    case Place::kOutside:
      return fmt::format("{}: the header", file_);
    case Place::kTop:
      return fmt::format("{}: the entry of tensor {}", file_, printable_name(key_));
    case Place::kMetadata:
      return fmt::format("{}: __metadata__ key {}", file_, printable_name(key_));
    case Place::kTensor:
    case Place::kShape:
    case Place::kOffsets:
      break;
  }
  return fmt::format("{}: {} of tensor {}", file_, printable_name(key_),
                     printable_name(out.entries.back().name));
}

void HeaderReader::unexpected(std::string_view found) const {
  std::string_view expected = "a JSON object";
  if (place_ == Place::kMetadata) expected = "a string";
  if (place_ == Place::kTensor) {
    if (key_ == "dtype") expected = "a string";
    if (key_ == "shape") expected = "a list of dimensions";
    if (key_ == "data_offsets") expected = "a list of two byte offsets";
  }
  if (place_ == Place::kShape) expected = "dimensions that are whole numbers, zero or more,";
  if (place_ == Place::kOffsets) expected = "two byte offsets that are whole numbers, zero or more,";
  fail(ErrorCode::kInvalidFile, "{}: {} expected, found {}", where(), expected, found);
}

bool HeaderReader::null() {
  unexpected("null");
}
bool HeaderReader::boolean(bool value) {
  unexpected(value ? "true" : "false");
}
bool HeaderReader::number_integer(number_integer_t value) {
  unexpected(std::to_string(value));
}
bool HeaderReader::number_float(number_float_t, const string_t& text) {
  unexpected(printable_name(text));
}
bool HeaderReader::binary(binary_t&) {
  unexpected("binary data");
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::kShape) {
    if (out.entries.back().shape.size() == kMaxRank)
      fail(ErrorCode::kInvalidFile, "{}: more than {} dimensions", where(), kMaxRank);
    out.entries.back().shape.push_back(value);
  } else if (place_ == Place::kOffsets) {
    if (out.entries.back().offsets.size() == 2)
      fail(ErrorCode::kInvalidFile, "{}: exactly two numbers expected, found more", where());
    out.entries.back().offsets.push_back(value);
  } else {
    unexpected(std::to_string(value));
  }
  return true;
}

bool HeaderReader::string(string_t& value) {
  if (place_ == Place::kMetadata) {
    out.metadata[key_] = std::move(value);
  } else if (place_ == Place::kTensor && key_ == "dtype") {
    out.entries.back().dtype = std::move(value);
    out.entries.back().has_dtype = true;
  } else {
    unexpected(fmt::format("the string \"{}\"", printable_name(value)));
  }
  return true;
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::kOutside) {
    place_ = Place::kTop;
  } else if (place_ == Place::kTop && key_ == "__metadata__") {
    place_ = Place::kMetadata;
  } else if (place_ == Place::kTop) {
    HeaderEntry entry;
    entry.name = key_;
    out.entries.push_back(std::move(entry));
    place_ = Place::kTensor;
  } else {
    unexpected("an object");
  }
  return true;
}

bool HeaderReader::key(string_t& value) {
  if (place_ == Place::kTop && !names_.insert(value).second)
    fail(ErrorCode::kInvalidFile, "{}: tensor {} is listed twice in the header, expected once", file_,
         printable_name(value));
  if (place_ == Place::kTensor) {
    const HeaderEntry& entry = out.entries.back();
    if (value != "dtype" && value != "shape" && value != "data_offsets")
      fail(ErrorCode::kInvalidFile,
           "{}: tensor {}: unknown key \"{}\", expected dtype, shape and data_offsets", file_,
           printable_name(entry.name), printable_name(value));
    if ((value == "dtype" && entry.has_dtype) || (value == "shape" && entry.has_shape) ||
        (value == "data_offsets" && entry.has_offsets))
      fail(ErrorCode::kInvalidFile, "{}: tensor {}: {} is given twice, expected once", file_,
           printable_name(entry.name), value);
  }
  key_ = std::move(value);
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::kTensor) {
    const HeaderEntry& entry = out.entries.back();
    const char* missing = !entry.has_dtype     ? "dtype"
                          : !entry.has_shape   ? "shape"
                          : !entry.has_offsets ? "data_offsets"
                                               : nullptr;
    if (missing != nullptr)
      fail(ErrorCode::kInvalidFile, "{}: tensor {}: {} is missing, expected dtype, shape and data_offsets",
           file_, printable_name(entry.name), missing);
  }
  place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ == Place::kTensor && key_ == "shape") {
    out.entries.back().has_shape = true;
    place_ = Place::kShape;
  } else if (place_ == Place::kTensor && key_ == "data_offsets") {
    out.entries.back().has_offsets = true;
    place_ = Place::kOffsets;
  } else {
    unexpected("a list");
  }
  return true;
}

bool HeaderReader::end_array() {
  if (place_ == Place::kOffsets && out.entries.back().offsets.size() != 2)
    fail(ErrorCode::kInvalidFile, "{}: exactly two numbers expected, found {}", where(),
         out.entries.back().offsets.size());
  place_ = Place::kTensor;
  return true;
}

bool HeaderReader::parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
  fail(ErrorCode::kInvalidFile, "{}: the header is not JSON (at byte {} of it)", file_, position);
}

}  // namespace

HeaderText read_header(std::string_view json, std::string_view file) {
  HeaderReader reader(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.out);
}

}  // namespace hadal
