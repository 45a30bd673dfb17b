#include "serve/model_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hadal::serve {
namespace {

constexpr std::array<std::string_view, 2> kHosted = {"deepseek-v4-flash", "deepseek-v4-pro"};
constexpr std::string_view kRetiredChat = "deepseek-chat", kRetiredReasoner = "deepseek-reasoner";
// Families of names that clients are set to by default, for which the loaded model stands in: the family
// alone, or with more after a hyphen.
constexpr std::array<std::string_view, 10> kMapped = {"claude",  "opus",  "sonnet", "haiku", "gpt",
                                                      "chatgpt", "codex", "o1",     "o3",    "o4"};

bool cut_suffix(std::string_view& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  name.remove_suffix(suffix.size());
  return true;
}

}  // namespace

ModelNames::ModelNames(std::string own, std::vector<std::string> aliases) : own_(std::move(own)) {
  listed_.push_back(own_);
  const auto add = [&](std::string_view name) {
    if (!name.empty() && std::find(listed_.begin(), listed_.end(), name) == listed_.end())
      listed_.emplace_back(name);
  };
  for (const std::string& alias : aliases) add(alias);
  for (const std::string_view name : kHosted) add(name);
}

bool ModelNames::known(std::string_view name) const {
  if (std::find(listed_.begin(), listed_.end(), name) != listed_.end()) return true;
  return std::any_of(kMapped.begin(), kMapped.end(), [&](std::string_view family) {
    return name.starts_with(family) && (name.size() == family.size() || name[family.size()] == '-');
  });
}

Asked<ModelChoice> ModelNames::resolve(std::string_view name) const {
  ModelChoice choice{own_, std::nullopt, {}};
  if (name.empty() || name == own_) return choice;
  std::string_view rest = name;
  const auto exact = [&] { return std::find(listed_.begin(), listed_.end(), rest) != listed_.end(); };
  for (bool cut = true; cut && !exact();) {  // an alias may contain any of these
    cut = cut_suffix(rest, "[1m]") || cut_suffix(rest, ":latest");
    if (!cut && cut_suffix(rest, ":nothinking")) choice.thinking = false, cut = true;
    if (!cut && cut_suffix(rest, ":thinking")) choice.thinking = true, cut = true;
  }
  if (rest == kRetiredChat || rest == kRetiredReasoner) {
    if (!choice.thinking) choice.thinking = rest == kRetiredReasoner;
    choice.deprecated = rest;
    return choice;
  }
  if (known(rest)) return choice;
  return tl::make_unexpected(ApiError{
      .status = 404,
      .message =
          fmt::format("The model `{}` does not exist. This server has {}.", name, fmt::join(listed_, ", ")),
      .code = "model_not_found",
      .param = "model"});
}

}  // namespace hadal::serve
