// Which handler a method and a path lead to. Pure, no library; does not know what a handler is.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal::serve {

// Methods and path patterns to numbers. A pattern is a path ("/v1/models") or a path whose end is captured
// ("/v1/models/{id}"): the capture is not empty and may contain "/". A whole path goes before a capture, a
// longer beginning before a shorter one. Immutable use from any thread.
class RouteTable {
 public:
  // Adding the same method and pattern twice, or a pattern that does not begin with "/", is a bug and
  // CHECKed.
  void add(std::string_view method, std::string_view pattern, size_t target);

  struct Found {
    std::optional<size_t> target;
    std::string_view capture;  // of `path`
    std::string allow;         // 405: the value of an Allow header. Empty without target: 404
  };
  // HEAD finds what GET has where it has nothing of its own. `path`: decoded, without query and trailing "/".
  Found find(std::string_view method, std::string_view path) const;

 private:
  using Methods = std::map<std::string, size_t, std::less<>>;
  std::map<std::string, Methods, std::less<>> paths_;
  // By what comes before the capture.
  std::map<std::string, Methods, std::less<>> captures_;
};

// A RouteTable that keeps a T (a std::function of the caller's own signature) for each target.
template <class T>
class Router {
 public:
  // All spellings of one endpoint.
  void add(std::string_view method, std::initializer_list<std::string_view> patterns, T target) {
    for (const std::string_view pattern : patterns) table_.add(method, pattern, targets_.size());
    targets_.push_back(std::move(target));
  }

  struct Match {
    const T* target = nullptr;  // null: 405 if `allow` is not empty, 404 otherwise
    std::string_view capture;
    std::string allow;
  };
  // `path` must outlive the match's capture.
  Match find(std::string_view method, std::string_view path) const {
    RouteTable::Found found = table_.find(method, path);
    return {found.target ? &targets_[*found.target] : nullptr, found.capture, std::move(found.allow)};
  }
  // In the order in which they were added.
  const std::vector<T>& targets() const { return targets_; }

 private:
  RouteTable table_;
  std::vector<T> targets_;
};

}  // namespace hadal::serve
