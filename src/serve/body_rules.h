// What the readers of request bodies need to know of the server; readers are functions of a body and this.
#pragma once

#include <functional>
#include <string_view>

#include "serve/api_error.h"
#include "serve/model_names.h"

namespace hadal::serve {

struct BodyRules {
  int most_choices = 16;  // n
  std::function<Asked<ModelChoice>(std::string_view name)> choose_model;
};

}  // namespace hadal::serve
