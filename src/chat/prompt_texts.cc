// The texts, as raw literals: a line of the prompt is a line here.
#include "chat/prompt_texts.h"

#include <fmt/format.h>

#include "chat/prompt_template.h"

namespace hadal {

const std::string_view kEffortAbsolute =
    R"(Reasoning Effort: Absolute maximum with no shortcuts permitted.
You MUST be very thorough in your thinking and comprehensively decompose the problem to resolve the root cause, rigorously stress-testing your logic against all potential paths, edge cases, and adversarial scenarios.
Explicitly write out your entire deliberation process, documenting every intermediate step, considered alternative, and rejected hypothesis to ensure absolutely no assumption is left unchecked.

)";

const std::string_view kEffortBeyond =
    R"(Reasoning Effort: Beyond maximum — exhaustive, relentless, and uncompromising.
You MUST reason with the utmost depth and rigor, leaving absolutely nothing to chance: exhaustively decompose the problem into its most fundamental components, trace every causal chain to its root, and resolve the underlying cause rather than any surface symptom.
Do not stop reasoning until you have independently verified the solution from multiple angles and are certain that no assumption remains unchecked and no error remains undiscovered.

)";

const std::string_view kResponseFormatHead =
    R"(## Response Format:

You MUST strictly adhere to the following schema to reply:
)";

std::string tools_block_head(const DsmlTags& tags) {
  return fmt::format(
      R"(## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<{token}{block}>" block like the following:

<{token}{block}>
<{token}{invoke} name="$TOOL_NAME">
<{token}{parameter} name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</{token}{parameter}>
...
</{token}{invoke}>
<{token}{invoke} name="$TOOL_NAME2">
...
</{token}{invoke}>
</{token}{block}>

String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set `string="false"`.

If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside <think>...</think> BEFORE any tool calls or final response.

Otherwise, output directly after </think> with tool calls or final response.

### Available Tool Schemas

)",
      fmt::arg("token", tags.token), fmt::arg("block", tags.block), fmt::arg("invoke", tags.invoke),
      fmt::arg("parameter", tags.parameter));
}

std::string_view tools_block_tail() {
  return R"(

You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.
)";
}

}  // namespace hadal
