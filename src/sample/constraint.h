// What an answer must fit, token by token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace hadal {

// The state of one answer; not thread-safe. Calls may throw Error{kInvalidInput} where the rules turn out to
// be too complex; the answer then ends with that error.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // Sets the bits of the tokens that may come next, [(vocab + 31) / 32], and clears the others. At least one
  // is set.
  virtual void allow(std::span<uint32_t> bits) = 0;
  // The token that did come. False, and nothing changes, if it may not.
  virtual bool accept(int32_t id) = 0;
  // Tokens to be taken instead of sampling, because the text that comes next is certain. Empty: sample.
  virtual std::vector<int32_t> forced() { return {}; }
  // Tokens accepted so far; and going back to fewer of them.
  virtual int64_t length() const = 0;
  virtual void rewind(int64_t length) = 0;
  // An independent copy.
  virtual std::unique_ptr<TokenConstraint> fork() const = 0;
};

}  // namespace hadal
