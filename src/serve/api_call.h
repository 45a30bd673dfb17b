// One request on its way through the server, after the door: who asks, by which route, and how to answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "serve/api_error.h"
#include "serve/http/message.h"
#include "serve/request_scope.h"
#include "text/json_value.h"

namespace hadal::serve {

struct ApiCall {
  HttpRequest request;
  Wake wake;
  ApiStyle style = ApiStyle::kOpenAi;
  std::string tail;  // what a route's {id} stands for
  std::shared_ptr<RequestScope> scope;

  const Caller& caller() const { return *scope->caller; }
  // The body as a JSON object; errors as the hosted API words them.
  Asked<JsonValue> body() const;
};

using Answered = Asked<std::unique_ptr<HttpAnswer>>;

// A whole answer.
inline Answered reply(std::string body, HttpHead head = {}) {
  return std::make_unique<ReadyAnswer>(std::move(head), std::move(body));
}

}  // namespace hadal::serve
