#include "kv/session_file.h"

#include <vector>

#include "base/error.h"
#include "kv/kv_reader.h"
#include "kv/kv_writer.h"
#include "model/tail_record.h"

namespace hadal {
namespace {

[[noreturn]] void refuse(const KvProblem& problem) {
  const ErrorCode code = problem.fault == KvFault::kMissing  ? ErrorCode::kNotFound
                         : problem.fault == KvFault::kSystem ? ErrorCode::kIo
                                                             : ErrorCode::kInvalidFile;
  fail(code, "{}", problem.to_string());
}

void check_identity(const KvReader& file, const KvIdentity& want) {
  const KvHeader& header = file.header();
  const KvIdentity& found = header.identity;
  const auto differs = [&](const char* field, const auto& is, const auto& should) {
    if (is != should)
      fail(ErrorCode::kInvalidFile, "{}: {} is {}, expected {}", file.where(), field, is, should);
  };
  differs("the model's fingerprint", found.fingerprint.hex(), want.fingerprint.hex());
  differs("numerics", found.numerics, want.numerics);
  differs("prompt generation", found.prompt_generation, want.prompt_generation);
  differs("the size of a block", found.block_bytes, want.block_bytes);
  differs("the first block", header.first_block, int64_t{0});
}

}  // namespace

void save_session(const std::filesystem::path& path, const KvIdentity& identity, const Snapshot& snapshot) {
  if (snapshot.length() == 0)
    fail(ErrorCode::kInvalidInput, "{}: an empty sequence cannot be saved", path.string());
  std::vector<const std::byte*> rows;
  std::vector<KvTailSource> tails;
  for (size_t i = 0; i < snapshot.blocks.size(); ++i) {
    const KvBlock& block = snapshot.blocks[i];
    const int64_t end = static_cast<int64_t>(i + 1) * kBlockTokens;
    rows.push_back(block.rows->data());
    if (block.boundary && end < snapshot.length())
      tails.push_back({end, block.boundary_mtp_length, bytes_of(block.boundary)});
  }
  tails.push_back({snapshot.length(), snapshot.mtp_length, bytes_of(snapshot.tail)});
  KvContent content;
  content.identity = &identity;
  content.parent = chain_root(identity);
  content.ids = snapshot.tokens;
  content.blocks = rows;
  content.tails = tails;
  KvWriter(content).write(path);
}

Snapshot load_session(const std::filesystem::path& path, const KvIdentity& identity,
                      const StateLayout& layout, const KvPool& pool) {
  const auto file = KvReader::open(path);
  if (!file) refuse(file.error());
  check_identity(**file, identity);
  const KvHeader& header = (*file)->header();
  if (header.tails.empty() || header.tails.back().length != header.end())
    fail(ErrorCode::kInvalidFile, "{}: no tail at its end, {} tokens: a part of a prefix, not a session",
         path.string(), header.end());

  Snapshot out;
  out.tokens = header.ids;
  out.blocks.resize(static_cast<size_t>(header.blocks()));
  KvRead read;
  std::vector<std::byte*> rows;
  for (KvBlock& block : out.blocks) {
    block.rows = pool.allocate(layout.block_bytes);
    rows.push_back(block.rows->data());
  }
  read.add_blocks(**file, 0, rows);
  for (size_t i = 0; i < header.tails.size(); ++i) {
    const KvTail& tail = header.tails[i];
    const bool last = i + 1 == header.tails.size();
    if (tail.bytes != tail_bytes(layout, tail.length) || tail.mtp_length < 0 ||
        tail.mtp_length >= tail.length || (!last && tail.length % kBlockTokens != 0))
      fail(ErrorCode::kInvalidFile, "{}: the tail at {} has {} bytes, expected {}", path.string(),
           tail.length, tail.bytes, tail_bytes(layout, tail.length));
    KvPiece record = pool.allocate(tail.bytes);
    read.add_tail(**file, i, bytes_of(record));
    if (last) {
      out.tail = std::move(record);
      out.mtp_length = tail.mtp_length;
    } else {
      KvBlock& block = out.blocks[static_cast<size_t>(tail.length / kBlockTokens - 1)];
      block.boundary = std::move(record);
      block.boundary_mtp_length = tail.mtp_length;
    }
  }
  if (const std::vector<KvRead::Failure> failures = read.run(); !failures.empty())
    refuse(failures.front().problem);
  return out;
}

}  // namespace hadal
