#include "chat/prompt_template.h"

#include <array>

#include "base/check.h"
#include "chat/prompt_texts.h"
#include "chat/python_json.h"
#include "chat/special_tokens.h"
#include "text/json_value.h"

namespace hadal {
namespace {

// Both V4 generations: one DSML vocabulary, system text without a marker. They differ in the effort texts.
class V4Template : public PromptTemplate {
 public:
  constexpr V4Template(PromptGeneration generation, std::string_view high, std::string_view max)
      : generation_(generation), high_(high), max_(max) {}

  PromptGeneration generation() const override { return generation_; }
  const DsmlTags& tags() const override {
    static constexpr DsmlTags kTags = {special::kDsml, "tool_calls", "invoke", "parameter"};
    return kTags;
  }
  void write_effort(Effort effort, PromptWriter& out) const override {
    if (effort == Effort::kHigh) out.text(high_);
    if (effort == Effort::kMax) out.text(max_);
  }
  void write_system(const std::vector<PromptItem>& body, PromptWriter& out) const override {
    out.append(body);
  }
  bool has_late_system() const override { return false; }

 private:
  PromptGeneration generation_;
  std::string_view high_, max_;
};

struct Name {
  PromptGeneration generation;
  std::string_view name;
};
constexpr std::array<Name, 2> kNames = {
    {{PromptGeneration::kV4Preview, "v4-preview"}, {PromptGeneration::kV4Official, "v4-official"}}};

}  // namespace

std::string_view generation_name(PromptGeneration generation) {
  for (const Name& entry : kNames)
    if (entry.generation == generation) return entry.name;
  HADAL_CHECK(false, "generation {} has no name", static_cast<int>(generation));
  return {};
}

std::optional<PromptGeneration> generation_from_name(std::string_view name) {
  for (const Name& entry : kNames)
    if (entry.name == name) return entry.generation;
  return std::nullopt;
}

const PromptTemplate& prompt_template(PromptGeneration generation) {
  static const V4Template preview(PromptGeneration::kV4Preview, "", kEffortAbsolute);
  static const V4Template official(PromptGeneration::kV4Official, kEffortAbsolute, kEffortBeyond);
  return generation == PromptGeneration::kV4Preview ? preview : official;
}

void PromptTemplate::write_tools(std::string_view definitions, PromptWriter& out) const {
  const std::array<std::string_view, 3> literals = {tags().token, special::kThink, special::kEndThink};
  out.markup(tools_block_head(tags()), literals);
  out.text(definitions);
  out.markup(tools_block_tail(), literals);
}

void PromptTemplate::write_response_format(std::string_view schema, PromptWriter& out) const {
  out.text(kResponseFormatHead);
  out.text(schema);
}

void PromptTemplate::write_open(std::string_view name, PromptWriter& out) const {
  out.text("<");
  out.special(tags().token);
  out.text(name);
}

void PromptTemplate::write_close(std::string_view name, PromptWriter& out) const {
  out.text("</");
  out.special(tags().token);
  out.text(name);
  out.text(">");
}

void PromptTemplate::write_call(const ToolCall& call, PromptWriter& out) const {
  Result<JsonValue> arguments = parse_json(call.arguments);
  if (!arguments || !arguments->is_object()) {
    // The model sees what it once wrote, even if that was no JSON object (A8.2).
    JsonValue raw;
    raw.kind = JsonValue::Kind::kObject;
    raw.keys.push_back("arguments");
    JsonValue& text = raw.items.emplace_back();
    text.kind = JsonValue::Kind::kString;
    text.text = call.arguments;
    arguments = std::move(raw);
  }
  write_open(tags().invoke, out);
  out.text(" name=\"");
  out.text(call.name);
  out.text("\">\n");
  for (size_t i = 0; i < arguments->items.size(); ++i) {
    const JsonValue& value = arguments->items[i];
    if (i > 0) out.text("\n");
    write_open(tags().parameter, out);
    out.text(" name=\"");
    out.text(arguments->keys[i]);
    out.text(value.is_string() ? "\" string=\"true\">" : "\" string=\"false\">");
    out.text(value.is_string() ? value.text : python_json(value));
    write_close(tags().parameter, out);
  }
  out.text("\n");
  write_close(tags().invoke, out);
}

void PromptTemplate::write_calls(const std::vector<ToolCall>& calls, PromptWriter& out) const {
  out.text("\n\n");
  write_open(tags().block, out);
  out.text(">\n");
  for (const ToolCall& call : calls) {
    write_call(call, out);
    out.text("\n");
  }
  write_close(tags().block, out);
}

}  // namespace hadal
