#include "serve/http/request_id.h"

#include <algorithm>
#include <random>

namespace hadal::serve {

std::string request_id(const HttpRequest& request) {
  const auto sent = request.header("x-request-id");
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (sent && !sent->empty() && sent->size() <= 128 && std::all_of(sent->begin(), sent->end(), printable))
    return std::string(*sent);
  return new_request_id();
}

std::string new_request_id() {
  // Seeded once a thread: an id must not repeat, it need not be a secret.
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "req_";
  for (int word = 0; word < 2; ++word) {
    uint64_t bits = random();
    for (int i = 0; i < 12; ++i, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

}  // namespace hadal::serve
