// The tools of a Responses body (api.md B10.1): flat functions, functions in namespaces, and the custom tool
// apply_patch; what the model is shown of them, and back from its names to the client's.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "serve/api_error.h"
#include "text/json_value.h"

namespace hadal::serve::responses {

inline constexpr size_t kMostTools = 1024;
inline constexpr std::string_view kPatchTool = "apply_patch";

// What the client calls a tool.
struct ToolName {
  std::string name;
  std::string name_space;  // empty: none
  bool custom = false;     // its input is text instead of JSON
  auto operator<=>(const ToolName&) const = default;
};

class Tools {
 public:
  // `tools` of a body. Those that this server does not run, a web search for one, are left out.
  static Asked<Tools> read(const JsonValue& tools);

  // For the prompt: {"name": ..., "description": ..., "parameters": ...} each.
  const std::vector<std::string>& shown() const { return shown_; }
  // Names in the prompt of tools whose arguments must fit their schema.
  const std::vector<std::string>& strict() const { return strict_; }
  // What a name of the model's means. One that is in no list is split at the first "::".
  ToolName name_of(std::string_view prompt_name) const;
  // How the model knows a tool.
  std::string prompt_name(const ToolName& name) const;
  bool has(const ToolName& name) const { return by_name_.contains(name); }

 private:
  Asked<void> add(const JsonValue& tool, const std::string& where);
  Asked<void> add_function(const JsonValue& tool, const std::string& where, const JsonValue* name_space);
  Asked<void> add_custom(const JsonValue& tool, const std::string& where);
  // Returns the name in the prompt.
  Asked<std::string> show(ToolName name, std::string description, JsonValue parameters,
                          const std::string& where);

  std::map<std::string, ToolName, std::less<>> by_prompt_name_;
  std::map<ToolName, std::string> by_name_;  // of several the first
  std::map<std::string, int> clashes_;       // how often a name was wanted
  std::vector<std::string> shown_, strict_;
};

// The arguments by which the model is known to have called a custom tool with this input.
std::string custom_arguments(std::string_view input);

}  // namespace hadal::serve::responses
