#include "serve/http/router.h"

#include <set>

#include "base/check.h"

namespace hadal::serve {

void RouteTable::add(std::string_view method, std::string_view pattern, size_t target) {
  HADAL_CHECK(pattern.starts_with('/'), "pattern '{}'", pattern);
  const size_t brace = pattern.find('{');
  HADAL_CHECK(brace == std::string_view::npos || (pattern.ends_with('}') && pattern[brace - 1] == '/'),
              "pattern '{}'", pattern);
  auto& routes = brace == std::string_view::npos ? paths_ : captures_;
  Methods& methods = routes[std::string(pattern.substr(0, brace))];
  HADAL_CHECK(methods.emplace(method, target).second, "{} {} twice", method, pattern);
}

RouteTable::Found RouteTable::find(std::string_view method, std::string_view path) const {
  std::set<std::string> allowed;
  const auto look = [&](const Methods& methods) -> std::optional<size_t> {
    auto found = methods.find(method);
    if (found == methods.end() && method == "HEAD") found = methods.find("GET");
    if (found != methods.end()) return found->second;
    for (const auto& [name, target] : methods) allowed.insert(name);
    return std::nullopt;
  };
  if (const auto whole = paths_.find(path); whole != paths_.end())
    if (const auto target = look(whole->second)) return {target, {}, {}};
  for (size_t slash = path.rfind('/'); slash != std::string_view::npos;
       slash = slash == 0 ? std::string_view::npos : path.rfind('/', slash - 1)) {
    const std::string_view capture = path.substr(slash + 1);
    const auto begins = captures_.find(path.substr(0, slash + 1));
    if (capture.empty() || begins == captures_.end()) continue;
    if (const auto target = look(begins->second)) return {target, capture, {}};
  }
  if (allowed.empty()) return {};
  if (allowed.contains("GET")) allowed.insert("HEAD");
  allowed.insert("OPTIONS");
  Found none;
  for (const std::string& name : allowed) none.allow += (none.allow.empty() ? "" : ", ") + name;
  return none;
}

}  // namespace hadal::serve
