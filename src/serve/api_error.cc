#include "serve/api_error.h"

#include "serve/json_out.h"

namespace hadal::serve {

ApiStyle style_of(std::string_view path) {
  if (path.starts_with("/api/") || path == "/api") return ApiStyle::kOllama;
  if (path.starts_with("/anthropic") || path.find("/messages") != std::string_view::npos)
    return ApiStyle::kAnthropic;
  return ApiStyle::kOpenAi;
}

std::string_view openai_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 408:
    case 504:
      return "timeout";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string_view anthropic_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string error_body(ApiStyle style, const ApiError& error, std::string_view request_id) {
  std::string out;
  JsonOut json(out);
  json.begin('{');
  if (style == ApiStyle::kOllama) {
    json.field("error", error.message).end('}');
    return out;
  }
  const bool anthropic = style == ApiStyle::kAnthropic;
  if (anthropic) json.field("type", "error");
  json.key("error").begin('{');
  json.field("message", error.message);
  json.field("type", anthropic ? anthropic_error_type(error.status) : openai_error_type(error.status));
  if (error.param.empty())
    json.null_field("param");
  else
    json.field("param", error.param);
  if (!error.code.empty())
    json.field("code", error.code);
  else if (error.status < 500)
    json.field("code", "invalid_request_error");  // what the hosted API says of every 4xx
  else
    json.null_field("code");
  if (error.n_prompt_tokens) json.field("n_prompt_tokens", *error.n_prompt_tokens);
  if (error.n_ctx) json.field("n_ctx", *error.n_ctx);
  json.end('}');
  if (anthropic && !request_id.empty()) json.field("request_id", request_id);
  json.end('}');
  return out;
}

HttpHead error_head(const ApiError& error) {
  HttpHead head;
  head.status = error.status;
  if (error.retry_after > 0) head.headers.push_back({"Retry-After", fmt::format("{}", error.retry_after)});
  if (!error.allow.empty()) head.headers.push_back({"Allow", error.allow});
  if (error.status == 401) head.headers.push_back({"WWW-Authenticate", "Bearer"});
  return head;
}

std::unique_ptr<HttpAnswer> error_answer(ApiStyle style, const ApiError& error, std::string_view request_id) {
  return std::make_unique<ReadyAnswer>(error_head(error), error_body(style, error, request_id));
}

}  // namespace hadal::serve
