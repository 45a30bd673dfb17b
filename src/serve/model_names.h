// Which names the loaded model answers to (api.md B2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/api_error.h"

namespace hadal::serve {

struct ModelChoice {
  std::string name;              // to report back: the loaded model's own
  std::optional<bool> thinking;  // what the name says of it: deepseek-chat, ":thinking", ...
  std::string deprecated;        // the name that was asked for, if it is a retired one
};

// Immutable; safe from any thread.
class ModelNames {
 public:
  // own: what the model is called in answers, first of the list. aliases: more names of the same.
  ModelNames(std::string own, std::vector<std::string> aliases);

  const std::string& own() const { return own_; }
  // The names of /models: the model's own and its aliases, then the hosted ones it stands for.
  const std::vector<std::string>& listed() const { return listed_; }
  // An empty name is the loaded model. Problem: 404, with the names there are.
  Asked<ModelChoice> resolve(std::string_view name) const;

 private:
  bool known(std::string_view name) const;

  const std::string own_;
  std::vector<std::string> listed_;
};

}  // namespace hadal::serve
