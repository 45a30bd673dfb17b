#include "text/tokenizer_sax.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/tokenizer_json.h"

namespace hadal {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 32;

// Receives the parser's events. Three states: inside model.vocab, inside model.merges, or anywhere else,
// where a tree is built. stack_ holds the open containers of that tree, path_ the key each of them was opened
// under.
class Handler {
 public:
  Handler(const std::string& name, RawTokenizer& raw, Json& rest) : name_(name), raw_(raw), rest_(rest) {}

  bool null() { return value(nullptr); }
  bool boolean(bool b) { return value(b); }
  bool number_integer(Json::number_integer_t n) { return state_ == State::kVocab ? id(n, n) : value(n); }
  bool number_unsigned(Json::number_unsigned_t n) {
    if (state_ != State::kVocab) return value(n);
    return id(n < TokenizerFile::kMaxVocabSize ? static_cast<int64_t>(n) : -1, n);
  }
  bool number_float(Json::number_float_t n, const std::string&) { return value(n); }
  bool binary(Json::binary_t&) { return false; }

  bool string(std::string& s) {
    if (state_ != State::kMerges) return value(std::move(s));
    if (in_pair_) {
      if (pair_size_ == 2) bad_merge();
      (pair_size_++ == 0 ? pair_.first : pair_.second) = std::move(s);
      return true;
    }
    const size_t space = s.find(' ');
    if (space == std::string::npos || s.find(' ', space + 1) != std::string::npos) bad_merge();
    raw_.merges.emplace_back(s.substr(0, space), s.substr(space + 1));
    return true;
  }

  bool start_object(size_t) {
    if (state_ == State::kVocab) bad_id("an object");
    if (state_ == State::kMerges) bad_merge();
    if (at_model_field("vocab")) {
      once(raw_.has_vocab, "vocab");
      state_ = State::kVocab;
      return true;
    }
    return open(Json::object());
  }
  bool end_object() {
    if (state_ == State::kVocab) {
      state_ = State::kTree;
    } else {
      close();
    }
    return true;
  }
  bool start_array(size_t) {
    if (state_ == State::kVocab) bad_id("an array");
    if (state_ == State::kMerges) {
      if (in_pair_) bad_merge();
      in_pair_ = true;
      pair_size_ = 0;
      return true;
    }
    if (at_model_field("merges")) {
      once(raw_.has_merges, "merges");
      state_ = State::kMerges;
      return true;
    }
    return open(Json::array());
  }
  bool end_array() {
    if (state_ != State::kMerges) {
      close();
    } else if (in_pair_) {
      if (pair_size_ != 2) bad_merge();
      in_pair_ = false;
      raw_.merges.push_back(std::move(pair_));
      pair_ = {};
    } else {
      state_ = State::kTree;
    }
    return true;
  }
  bool key(std::string& k) {
    key_ = std::move(k);
    if (state_ == State::kTree && stack_.back()->contains(key_)) {
      fail(ErrorCode::kInvalidFile, "{}: the key {} is given twice in one object", name_, quote(key_));
    }
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) {
    // The library's own text, from behind its bracketed class name.
    const std::string_view what = e.what();
    const size_t space = what.find("] ");
    fail(ErrorCode::kInvalidFile, "{}: not valid JSON at byte {}: {}", name_, position,
         space == std::string_view::npos ? what : what.substr(space + 2));
  }

 private:
  enum class State { kTree, kVocab, kMerges };

  [[noreturn]] void bad_id(std::string_view found) const {
    fail(ErrorCode::kInvalidFile, "{}: model.vocab[{}] is {}; expected an id in 0..{}", name_, quote(key_),
         found, TokenizerFile::kMaxVocabSize - 1);
  }
  [[noreturn]] void bad_merge() const {
    fail(ErrorCode::kInvalidFile,
         "{}: model.merges[{}] is not a pair of tokens; expected \"left right\" or [\"left\", \"right\"]",
         name_, raw_.merges.size());
  }
  void once(bool& seen, std::string_view field) const {
    if (seen) fail(ErrorCode::kInvalidFile, "{}: model.{} is given twice", name_, field);
    seen = true;
  }

  template <class T>
  bool id(int64_t n, T shown) {
    if (n < 0 || n >= TokenizerFile::kMaxVocabSize) bad_id(fmt::format("{}", shown));
    raw_.vocab.emplace_back(std::move(key_), static_cast<int32_t>(n));
    return true;
  }

  bool at_model_field(std::string_view field) const {
    return stack_.size() == 2 && key_ == field && path_[1] == "model" && stack_.back()->is_object();
  }

  bool value(Json v) {
    if (state_ == State::kVocab) bad_id(v.is_number() ? v.dump() : std::string(v.type_name()));
    if (state_ == State::kMerges) bad_merge();
    place(std::move(v));
    return true;
  }
  Json& place(Json v) {
    if (stack_.empty()) return rest_ = std::move(v);
    Json& into = *stack_.back();
    if (into.is_object()) return into[key_] = std::move(v);
    into.push_back(std::move(v));
    return into.back();
  }
  // Containers are not moved while they are open: only the innermost one grows.
  bool open(Json container) {
    if (stack_.size() == kMaxDepth) {
      fail(ErrorCode::kInvalidFile, "{}: JSON nested deeper than {}", name_, kMaxDepth);
    }
    std::string under = stack_.empty() || stack_.back()->is_array() ? "" : key_;
    stack_.push_back(&place(std::move(container)));
    path_.push_back(std::move(under));
    return true;
  }
  void close() {
    stack_.pop_back();
    path_.pop_back();
  }

  const std::string& name_;
  RawTokenizer& raw_;
  Json& rest_;
  State state_ = State::kTree;
  std::vector<Json*> stack_;
  std::vector<std::string> path_;
  std::string key_;
  bool in_pair_ = false;
  int pair_size_ = 0;
  std::pair<std::string, std::string> pair_;
};

}  // namespace

std::string quote(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string shown = Json(text.substr(0, kShown)).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kShown) shown += "…";
  return shown;
}

RawTokenizer parse_raw_tokenizer(std::string_view json, const std::string& name, Json& rest) {
  RawTokenizer raw;
  Handler handler(name, raw, rest);
  if (!Json::sax_parse(json.begin(), json.end(), &handler)) {
    fail(ErrorCode::kInvalidFile, "{}: not valid JSON", name);
  }
  return raw;
}

}  // namespace hadal
