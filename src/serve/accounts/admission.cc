// What Accounts answers: callers, refusals and their words.
#include <fmt/format.h>

#include "serve/accounts/accounts.h"
#include "serve/accounts/key_state.h"

namespace hadal::serve {

const std::string& Caller::name() const {
  return state_->name;
}

bool Caller::is_admin() const {
  const std::lock_guard lock(state_->mutex);
  return state_->info.role == Role::kAdmin;
}

std::string Authentication::message() const {
  switch (failure) {
    case Failure::kMissing:
      return "Authentication Fails, no api key was sent: expected 'Authorization: Bearer KEY' or 'x-api-key: "
             "KEY'";
    case Failure::kWrong:
      return fmt::format("Authentication Fails, Your api key: ****{} is invalid", last_four);
    case Failure::kExpired:
      return fmt::format("Authentication Fails, Your api key: ****{} has expired", last_four);
    case Failure::kRevoked:
      return fmt::format("Authentication Fails, Your api key: ****{} has been revoked", last_four);
  }
  return {};
}

Admission::Admission(Admission&& other) noexcept
    : refusal_(other.refusal_),
      retry_after_(other.retry_after_),
      limit_(other.limit_),
      state_(std::exchange(other.state_, nullptr)) {}

Admission& Admission::operator=(Admission&& other) noexcept {
  // What this one held is given back when the argument's old owner ends.
  std::swap(refusal_, other.refusal_);
  std::swap(retry_after_, other.retry_after_);
  std::swap(limit_, other.limit_);
  std::swap(state_, other.state_);
  return *this;
}

Admission::~Admission() {
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  --state_->active;
}

int Admission::status() const {
  switch (refusal_) {
    case Refusal::kNone:
      return 200;
    case Refusal::kBalance:
      return 402;
    default:
      return 429;
  }
}

std::string Admission::message() const {
  switch (refusal_) {
    case Refusal::kNone:
      return {};
    case Refusal::kBalance:
      return "Insufficient Balance";
    case Refusal::kConcurrency:
      return fmt::format("Rate limit reached: this api key may have {} request{} at a time", limit_,
                         limit_ == 1 ? "" : "s");
    case Refusal::kRequestRate:
      return fmt::format("Rate limit reached: this api key may send {} request{} per minute; retry in {} s",
                         limit_, limit_ == 1 ? "" : "s", retry_after_);
    case Refusal::kTokenRate:
      return fmt::format("Rate limit reached: this api key may use {} token{} per minute; retry in {} s",
                         limit_, limit_ == 1 ? "" : "s", retry_after_);
  }
  return {};
}

}  // namespace hadal::serve
