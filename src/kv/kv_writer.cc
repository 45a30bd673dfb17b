#include "kv/kv_writer.h"

#include "base/atomic_file.h"
#include "base/check.h"

namespace hadal {

KvWriter::KvWriter(const KvContent& content) : content_(content) {
  header_.identity = *content.identity;
  header_.parent = content.parent;
  header_.first_block = content.first_block;
  header_.ids.assign(content.ids.begin(), content.ids.end());
  const auto block_bytes = static_cast<size_t>(header_.identity.block_bytes);
  const size_t wanted = (content.ids.size() + kChainBlockTokens - 1) / kChainBlockTokens;
  HADAL_CHECK(content.blocks.size() == wanted, "{} blocks for {} ids", content.blocks.size(),
              content.ids.size());
  for (const std::byte* const block : content.blocks)
    header_.block_checksums.push_back(kv_checksum({block, block_bytes}));
  for (const KvTailSource& tail : content.tails)
    header_.tails.push_back(
        {tail.length, tail.mtp_length, static_cast<int64_t>(tail.bytes.size()), 0, kv_checksum(tail.bytes)});
  place_sections(header_);
  encoded_ = encode_kv_header(header_);
}

uint64_t KvWriter::header_checksum() const {
  return kv_header_checksum(encoded_);
}

void KvWriter::write(const std::filesystem::path& path) const {
  AtomicFile file(path);
  file.append(encoded_);
  for (const std::byte* const block : content_.blocks)
    file.append({block, static_cast<size_t>(header_.identity.block_bytes)});
  for (size_t i = 0; i < content_.tails.size(); ++i)
    file.write_at(header_.tails[i].offset, content_.tails[i].bytes);
  file.commit();
}

}  // namespace hadal
