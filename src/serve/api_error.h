// What a client is told when its request cannot be served, in the form of each API (api.md B1.6).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/result.h"
#include "serve/http/message.h"

namespace hadal::serve {

// Whose errors a client expects.
enum class ApiStyle { kOpenAi, kAnthropic, kOllama };
ApiStyle style_of(std::string_view path);

struct ApiError {
  int status = 400;
  std::string message;
  std::string code = {};   // OpenAI's `code`; empty: the usual one of the status
  std::string param = {};  // the field that is wrong, or empty
  int retry_after = 0;     // seconds; 0: no such header
  std::optional<int64_t> n_prompt_tokens = std::nullopt,
                         n_ctx = std::nullopt;  // of a context that is too long
  std::string allow = {};                       // 405: the methods there are
};

template <class T>
using Asked = tl::expected<T, ApiError>;

inline tl::unexpected<ApiError> refuse(std::string message, std::string param = {}) {
  return tl::make_unexpected(ApiError{.message = std::move(message), .param = std::move(param)});
}
// A problem of a field is the client's.
inline tl::unexpected<ApiError> refuse(const Problem& problem) {
  return refuse(problem.to_string(), problem.where);
}
inline ApiError server_busy(std::string message, int retry_after = 1) {
  return {.status = 503, .message = std::move(message), .retry_after = retry_after};
}

// The names of the kind of an error in the two families.
std::string_view openai_error_type(int status);
std::string_view anthropic_error_type(int status);

std::string error_body(ApiStyle style, const ApiError& error, std::string_view request_id = {});
HttpHead error_head(const ApiError& error);
std::unique_ptr<HttpAnswer> error_answer(ApiStyle style, const ApiError& error,
                                         std::string_view request_id = {});

}  // namespace hadal::serve
