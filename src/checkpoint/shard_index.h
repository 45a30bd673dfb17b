// model.safetensors.index.json: which shard holds which tensor.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace hadal {

// Tensor name to shard file name, relative to the folder of the index. Throws Error(kInvalidFile) naming the
// index and the entry: not JSON, no weight_map, an entry twice, a shard outside the folder. name: for
// messages.
std::map<std::string, std::string, std::less<>> parse_shard_index(std::string_view json_text,
                                                                  std::string_view name);

}  // namespace hadal
