#include "serve/accounts/account.h"

#include <algorithm>

#include "text/utf8.h"

namespace hadal::serve {

Clocks Clocks::system() {
  return {[] { return std::chrono::steady_clock::now(); },
          [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }};
}

std::string_view role_name(Role role) {
  return role == Role::kAdmin ? "admin" : "user";
}

std::optional<Role> parse_role(std::string_view name) {
  for (const Role role : {Role::kUser, Role::kAdmin})
    if (name == role_name(role)) return role;
  return std::nullopt;
}

Result<std::string> check_key_name(std::string_view name) {
  constexpr size_t kMostBytes = 128;
  const auto bad = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '"' || c == '\\';
  };
  if (name.empty() || name.size() > kMostBytes || utf8_valid_prefix(name) != name.size() ||
      std::ranges::any_of(name, bad))
    return problem(
        "name", "expected 1 to 128 bytes of UTF-8 without control characters, double quotes and backslashes");
  if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
    return problem("name", "expected something other than a number: numbers are the ids of keys");
  return std::string(name);
}

void UsageTotals::add(const Usage& usage, Money its_cost) {
  add(UsageTotals{1, usage.error ? 1 : 0, usage.cache_hit_tokens, usage.cache_miss_tokens,
                  usage.completion_tokens, usage.reasoning_tokens, its_cost});
}

void UsageTotals::add(const UsageTotals& other) {
  requests += other.requests;
  errors += other.errors;
  cache_hit_tokens += other.cache_hit_tokens;
  cache_miss_tokens += other.cache_miss_tokens;
  completion_tokens += other.completion_tokens;
  reasoning_tokens += other.reasoning_tokens;
  cost = cost + other.cost;
}

}  // namespace hadal::serve
