// Typed access to the members of a JSON object that a client sent, with problems that name the member by its
// path and say what was expected there.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/json_value.h"

namespace hadal {

// The number of a JSON value; none when it is no number, or one that no float can hold.
std::optional<double> json_real(const JsonValue& value);
// The whole number of a JSON value; none when it has a fraction or does not fit. 8.0 and 1e3 are whole.
template <std::integral Integer>
std::optional<Integer> json_whole(const JsonValue& value);
template <>
std::optional<int64_t> json_whole(const JsonValue& value);
template <>
std::optional<uint64_t> json_whole(const JsonValue& value);

// A member that is absent or null leaves `out` as it is, and so does one with a problem. Every `out` may be a
// std::optional as well. Borrows the object.
class Fields {
  // What an optional holds, and else the type itself.
  template <class T>
  struct Inner {
    using Type = T;
  };
  template <class T>
  struct Inner<std::optional<T>> {
    using Type = T;
  };
  template <class T>
  using Bare = typename Inner<T>::Type;

 public:
  // path: where the object stands: "messages[2]", or empty for the outermost.
  explicit Fields(const JsonValue& object, std::string path = {}) : object_(object), path_(std::move(path)) {}

  // nullptr when absent or null.
  const JsonValue* find(std::string_view key) const { return object_.find(key); }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The path of a member (of the object itself for an empty key), and of an element of a member.
  std::string where(std::string_view key) const;
  std::string where(std::string_view key, size_t index) const;
  // The problem that a member is not `what`.
  tl::unexpected<Problem> expected(std::string_view key, std::string_view what) const;

  template <class Text>
  Result<void> text(std::string_view key, Text& out) const {
    return read(key, "a string", out, [](const JsonValue& value) {
      return value.is_string() ? std::optional(value.text) : std::nullopt;
    });
  }
  template <class Bool>
  Result<void> boolean(std::string_view key, Bool& out) const {
    return read(key, "true or false", out, [](const JsonValue& value) {
      return value.is_bool() ? std::optional(value.is(JsonValue::Kind::kTrue)) : std::nullopt;
    });
  }
  template <class Real>
  Result<void> real(std::string_view key, Real& out) const {
    return read(key, "a number", out, [](const JsonValue& value) -> std::optional<Bare<Real>> {
      const std::optional<double> number = json_real(value);
      if (!number) return std::nullopt;
      return static_cast<Bare<Real>>(*number);
    });
  }
  // Within [low, high].
  template <class Whole>
  Result<void> whole(std::string_view key, std::type_identity_t<Bare<Whole>> low,
                     std::type_identity_t<Bare<Whole>> high, Whole& out) const {
    return read(key, fmt::format("a whole number from {} to {}", low, high), out,
                [&](const JsonValue& value) -> std::optional<Bare<Whole>> {
                  const auto number = json_whole<Bare<Whole>>(value);
                  return number && *number >= low && *number <= high ? number : std::nullopt;
                });
  }
  // At most `most` strings; one_is_enough: a string stands for a list of one.
  Result<void> texts(std::string_view key, size_t most, bool one_is_enough,
                     std::vector<std::string>& out) const;
  // `out` borrows the value.
  Result<void> object(std::string_view key, const JsonValue*& out) const;
  Result<void> array(std::string_view key, const JsonValue*& out) const;

 private:
  template <class Out, class Read>
  Result<void> read(std::string_view key, std::string_view what, Out& out, const Read& reader) const {
    const JsonValue* value = find(key);
    if (value == nullptr) return {};
    auto found = reader(*value);
    if (!found) return expected(key, what);
    out = std::move(*found);
    return {};
  }

  const JsonValue& object_;
  std::string path_;
};

template <std::integral Integer>
std::optional<Integer> json_whole(const JsonValue& value) {
  const auto wide = json_whole<std::conditional_t<std::is_signed_v<Integer>, int64_t, uint64_t>>(value);
  if (!wide || !std::in_range<Integer>(*wide)) return std::nullopt;
  return static_cast<Integer>(*wide);
}

}  // namespace hadal
