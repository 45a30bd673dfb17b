// The fixed texts of the V4 prompt, byte for byte (api.md A1.1, A7, A10).
#pragma once

#include <string>
#include <string_view>

namespace hadal {

struct DsmlTags;

extern const std::string_view kEffortAbsolute;  // 476 bytes
extern const std::string_view kEffortBeyond;    // 528 bytes

// The tools block before and after the definitions. In it the tag token, <think> and </think> are special
// tokens.
std::string tools_block_head(const DsmlTags& tags);
std::string_view tools_block_tail();

extern const std::string_view kResponseFormatHead;

}  // namespace hadal
