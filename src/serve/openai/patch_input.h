// The input of a custom tool while it comes: the model writes {"input": "..."}, the client wants the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hadal::serve::responses {

// Reads the JSON of one call's arguments in pieces cut anywhere between characters. What push returned and
// then finish, strung together, is the text of the first member "input", be it a JSON string or text without
// quotes. Of arguments that have none it is all of their JSON, so that nothing the model said is lost. Not
// thread-safe.
class PatchInput {
 public:
  std::string push(std::string_view json);
  std::string finish();

 private:
  enum class State {
    kBegin,   // before "{"
    kMember,  // before a key
    kKey,
    kColon,
    kValue,        // before a value
    kInput,        // inside the wanted string
    kBareInput,    // inside a wanted value that is no string
    kOtherString,  // inside a value that is not wanted
    kOtherNested,
    kOtherScalar,
    kNone,   // there is no input
    kFound,  // all of it was returned
  };

  void step(char c, std::string& out);
  // A byte inside a string; appends what it means. True: the string has ended.
  bool string_byte(char c, std::string& out);
  void hex_digit(int digit, std::string& out);
  void end_pair(std::string& out);

  State state_ = State::kBegin;
  std::string all_;   // until it is known that there is an input
  std::string text_;  // a key, or a bare input
  std::string skipped_;
  int depth_ = 0;  // of brackets in a value that is not wanted
  bool quoted_ = false;
  // Inside a string.
  bool escaped_ = false;
  int digits_ = 0;     // of \uXXXX that are still to come
  uint32_t unit_ = 0;  // of UTF-16
  uint32_t high_ = 0;  // the first unit of a pair
};

}  // namespace hadal::serve::responses
