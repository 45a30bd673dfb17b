// Configuration files from hostile folders: an Error, or a configuration whose sizes can be computed with.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "model/config.h"
#include "model/inventory.h"

using namespace hadal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Config config = Config::parse(text, "fuzz");
    int64_t rows = 0;
    for (int i = 0; i <= config.num_hidden_layers; ++i) rows += config.ratio(i) + config.compressor_width(i);
    HADAL_CHECK(rows > 0 && config.kv_row_bytes() % 8 == 0 && config.q_dim() % config.o_groups == 0);
    HADAL_CHECK(sequence_bytes(config, config.max_position_embeddings).total() >= 0);
    HADAL_CHECK(longest_sequence(config, int64_t{1} << 30) <= config.max_position_embeddings);
    if (int64_t{config.num_hidden_layers} * config.n_routed_experts <= 256) {
      const ModelSize sizes = model_size(config, inventory(config));
      HADAL_CHECK(sizes.bytes > 0 && sizes.active_parameters <= sizes.parameters);
    }
  } catch (const Error&) {
  }
  try {
    const GenerationConfig generation = GenerationConfig::parse(text, "fuzz");
    HADAL_CHECK(generation.temperature >= 0 && generation.top_p <= 1);
  } catch (const Error&) {
  }
  return 0;
}
