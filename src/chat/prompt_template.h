// What differs between the prompt generations of one model family (api.md A1): the names of the tool tags,
// where the effort goes and how system text is marked. Everything else is common (encode.h).
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/message.h"
#include "chat/prompt_item.h"

namespace hadal {

enum class PromptGeneration { kV4Preview, kV4Official };

// "v4-preview", "v4-official".
std::string_view generation_name(PromptGeneration generation);
std::optional<PromptGeneration> generation_from_name(std::string_view name);

// Which generation a checkpoint folder was trained for: read from encoding/encoding_dsv4.py in it, otherwise
// v4-official with a warning in the log. Never throws for a missing or unreadable file.
PromptGeneration detect_generation(const std::filesystem::path& model_folder);

// A tag is "<" token name ">" or "</" token name ">", with `token` one special token.
struct DsmlTags {
  std::string_view token;
  std::string_view block;
  std::string_view invoke;
  std::string_view parameter;
};

// Immutable; safe from any thread.
class PromptTemplate {
 public:
  virtual ~PromptTemplate() = default;
  virtual PromptGeneration generation() const = 0;
  virtual const DsmlTags& tags() const = 0;
  // What stands between BOS and the first message in thinking mode; may write nothing.
  virtual void write_effort(Effort effort, PromptWriter& out) const = 0;
  // One system message; body is not empty.
  virtual void write_system(const std::vector<PromptItem>& body, PromptWriter& out) const = 0;
  // Whether a system message after the conversation began has a form of its own; otherwise it is shown as a
  // user message (A3.2).
  virtual bool has_late_system() const = 0;

  // The tools block of A7 around the definitions, one a line.
  void write_tools(std::string_view definitions, PromptWriter& out) const;
  // The response-format block of A10.
  void write_response_format(std::string_view schema, PromptWriter& out) const;
  // The calls of one assistant turn (A8), with the empty line that separates them from the content.
  void write_calls(const std::vector<ToolCall>& calls, PromptWriter& out) const;
  // "<" token name, and the closing form; the rest of the tag is the caller's.
  void write_open(std::string_view name, PromptWriter& out) const;
  void write_close(std::string_view name, PromptWriter& out) const;

 private:
  void write_call(const ToolCall& call, PromptWriter& out) const;
};

// The templates are constants of the program.
const PromptTemplate& prompt_template(PromptGeneration generation);

}  // namespace hadal
