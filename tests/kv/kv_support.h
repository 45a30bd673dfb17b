// Sequences, rows and tails for tests: all bytes follow from the block's key, so that a wrong row always
// shows.
#pragma once

#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kv/chain.h"
#include "kv/disk_store.h"
#include "kv/kv_writer.h"
#include "support/files.h"

namespace hadal::test {

// These tests flush thousands of small files. What they prove does not need a disk, so their folders lie in
// memory when there is room (unless TMPDIR says otherwise).
inline const bool kFoldersInMemory = [] {
  struct statvfs space{};
  constexpr uint64_t kEnough = uint64_t{1} << 30;
  const bool there = ::access("/dev/shm", W_OK) == 0 && ::statvfs("/dev/shm", &space) == 0 &&
                     uint64_t{space.f_bavail} * space.f_frsize >= kEnough;
  return there && ::setenv("TMPDIR", "/dev/shm", 0) == 0;
}();

constexpr int64_t kTokens = kChainBlockTokens;

inline KvIdentity identity_of(int64_t block_bytes, uint64_t model = 1) {
  return {{model, model * 7}, "release", "v4-preview", block_bytes};
}

inline std::vector<std::byte> bytes_of(const BlockKey& key, int64_t count, uint64_t kind = 0) {
  std::vector<std::byte> out(static_cast<size_t>(count));
  uint64_t state = key.low ^ (key.high * 0x9e3779b97f4a7c15) ^ (kind * 0xd1342543de82ef95);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i % 8 == 0) state = (state ^ (state >> 29)) * 0xbf58476d1ce4e5b9 + 0x94d049bb133111eb;
    out[i] = static_cast<std::byte>(state >> (8 * (i % 8)));
  }
  return out;
}

inline int64_t tail_bytes_of(const BlockKey& key, int64_t scale = 500) {
  return 1 + static_cast<int64_t>(key.low % static_cast<uint64_t>(scale));
}

inline std::vector<std::byte> tail_of(const BlockKey& key) {
  return bytes_of(key, tail_bytes_of(key), 1);
}

inline int64_t mtp_of(const BlockKey& key) {
  return static_cast<int64_t>(key.high % 1000) - 1;
}

// A prefix whose first `shared` blocks are those of every other made with the same `family`.
inline std::vector<int32_t> ids_of(uint64_t family, int64_t shared, uint64_t branch, int64_t blocks) {
  std::vector<int32_t> ids;
  std::mt19937_64 common(family), own(family * 1000003 + branch + 1);
  for (int64_t i = 0; i < blocks * kTokens; ++i)
    ids.push_back(static_cast<int32_t>((i < shared * kTokens ? common() : own()) % 129280));
  return ids;
}

// A sequence with the rows and tails that belong to it.
struct Sequence {
  KvIdentity identity;
  std::vector<int32_t> ids;
  std::vector<BlockKey> keys;
  std::vector<std::vector<std::byte>> rows;

  Sequence(const KvIdentity& id, std::vector<int32_t> tokens) : identity(id), ids(std::move(tokens)) {
    keys = chain_keys(chain_root(identity), ids);
    for (const BlockKey& key : keys) rows.push_back(bytes_of(key, identity.block_bytes));
  }
  int64_t blocks() const { return static_cast<int64_t>(keys.size()); }
  const BlockKey& key_before(int64_t block) const {
    static thread_local BlockKey root;
    root = chain_root(identity);
    return block == 0 ? root : keys[static_cast<size_t>(block - 1)];
  }

  // Puts blocks [first, end) with tails after these blocks (their count from the start of the sequence).
  bool put(DiskStore& store, int64_t first, int64_t end, const std::vector<int64_t>& tails_at) const {
    std::vector<const std::byte*> blocks_to_put;
    for (int64_t i = first; i < end; ++i) blocks_to_put.push_back(rows[static_cast<size_t>(i)].data());
    std::vector<std::vector<std::byte>> tail_bytes;
    for (const int64_t at : tails_at) tail_bytes.push_back(tail_of(key_before(at)));
    std::vector<KvTailSource> tails;
    for (size_t i = 0; i < tails_at.size(); ++i)
      tails.push_back({tails_at[i] * kTokens, mtp_of(key_before(tails_at[i])), tail_bytes[i]});
    DiskEntry entry;
    entry.parent = key_before(first);
    entry.first_block = first;
    entry.ids = std::span(ids).subspan(static_cast<size_t>(first * kTokens),
                                       static_cast<size_t>((end - first) * kTokens));
    entry.blocks = blocks_to_put;
    entry.tails = tails;
    return store.put(entry);
  }
  bool put(DiskStore& store) const { return put(store, 0, blocks(), {blocks()}); }

  DiskMatch find(DiskStore& store, int64_t more_than = 0) const {
    return store.find(store.root(), keys, ids, more_than);
  }

  enum Outcome { kMiss, kRight, kWrong };
  // What a find gives, loaded and compared; `blocks`: how many.
  Outcome load(DiskStore& store, const DiskMatch& match, int64_t from_block = 0) const {
    if (match.tokens == 0) return kMiss;
    const auto end = static_cast<size_t>(match.tokens / kTokens);
    if (end > keys.size() || match.tail_bytes != tail_bytes_of(keys[end - 1]) ||
        match.mtp_length != mtp_of(keys[end - 1]))
      return kWrong;
    std::vector<std::vector<std::byte>> memory(
        end - static_cast<size_t>(from_block),
        std::vector<std::byte>(static_cast<size_t>(identity.block_bytes)));
    std::vector<std::byte*> pointers;
    for (auto& block : memory) pointers.push_back(block.data());
    std::vector<std::byte> tail(static_cast<size_t>(match.tail_bytes));
    if (!store.load(match, from_block, pointers, tail)) return kMiss;
    for (size_t i = 0; i < memory.size(); ++i)
      if (memory[i] != rows[static_cast<size_t>(from_block) + i]) return kWrong;
    return tail == tail_of(keys[end - 1]) ? kRight : kWrong;
  }
  Outcome fetch(DiskStore& store, int64_t* blocks_found = nullptr) const {
    const DiskMatch match = find(store);
    if (blocks_found != nullptr) *blocks_found = match.tokens / kTokens;
    return load(store, match);
  }
};

inline std::unique_ptr<DiskStore> open_store(const std::filesystem::path& folder, const KvIdentity& identity,
                                             int64_t max_bytes = int64_t{1} << 40) {
  DiskStoreOptions options;
  options.folder = folder;
  options.max_bytes = max_bytes;
  options.write_pause = std::chrono::milliseconds(0);
  options.busy_ms = 20'000;
  return DiskStore::open(options, identity);
}

inline std::vector<std::filesystem::path> files_with(const std::filesystem::path& folder,
                                                     const std::string& part) {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().find(part) != std::string::npos) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace hadal::test
