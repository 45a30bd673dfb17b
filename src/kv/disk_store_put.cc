// DiskStore: rows to files. A payload file is whole and durable before the index knows it, and the index
// forgets it before it is removed.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/check.h"
#include "kv/disk_store.h"

namespace hadal {
namespace {

constexpr int64_t kSegmentBytes = int64_t{64} << 20;

}  // namespace

// One payload file to be: blocks [first, first + count) of the entry, and tails of its own.
struct DiskStore::Segment {
  int64_t first = 0, count = 0;
  std::vector<KvTailSource> tails;
};

std::vector<DiskStore::Segment> DiskStore::missing_segments(DiskIndex& index, const DiskEntry& entry,
                                                            std::span<const BlockKey> keys) {
  std::vector<Segment> segments;
  const auto count = static_cast<int64_t>(keys.size());
  const int64_t most = std::max<int64_t>(1, kSegmentBytes / identity_.block_bytes);
  std::vector<size_t> segment_of(keys.size(), SIZE_MAX);
  bool open = false;
  for (int64_t i = 0; i < count; ++i) {
    if (!index.blocks(keys[static_cast<size_t>(i)]).empty()) {
      open = false;
      continue;
    }
    if (!open || segments.back().count == most) segments.push_back({i, 0, {}});
    open = true;
    ++segments.back().count;
    segment_of[static_cast<size_t>(i)] = segments.size() - 1;
  }
  std::vector<Segment> alone;  // tails whose blocks are there already
  for (const KvTailSource& tail : entry.tails) {
    const int64_t block = tail.length / kChainBlockTokens - entry.first_block - 1;
    const BlockKey& key = block < 0 ? entry.parent : keys[static_cast<size_t>(block)];
    if (!index.tails(key).empty()) continue;
    const size_t segment = block < 0 ? SIZE_MAX : segment_of[static_cast<size_t>(block)];
    if (segment != SIZE_MAX)
      segments[segment].tails.push_back(tail);
    else
      alone.push_back({block + 1, 0, {tail}});
  }
  segments.insert(segments.end(), alone.begin(), alone.end());
  return segments;
}

bool DiskStore::put(const DiskEntry& entry) {
  const auto blocks = static_cast<int64_t>(entry.blocks.size());
  HADAL_CHECK(entry.first_block >= 0 && static_cast<int64_t>(entry.ids.size()) == blocks * kChainBlockTokens,
              "{} ids for {} blocks", entry.ids.size(), blocks);
  for (const KvTailSource& tail : entry.tails)
    HADAL_CHECK(tail.length % kChainBlockTokens == 0 &&
                    tail.length >= entry.first_block * kChainBlockTokens && tail.length > 0 &&
                    tail.length <= (entry.first_block + blocks) * kChainBlockTokens,
                "tail at {}", tail.length);
  const std::vector<BlockKey> keys = chain_keys(entry.parent, entry.ids);

  bool possible = false;
  std::vector<Segment> segments;
  const bool looked = with_index([&](DiskIndex& index) {
    possible = writable_ && std::chrono::steady_clock::now() >= writes_resume_ &&
               (entry.first_block == 0 || !index.blocks(entry.parent).empty());
    if (!possible) return;
    segments = missing_segments(index, entry, keys);
    if (segments.empty()) {
      const int64_t now = now_us();
      for (const std::string& name : index.chain_of(keys.empty() ? entry.parent : keys.back()))
        touches_[name] = now;
    }
  });
  const bool done = looked && possible && (segments.empty() || write_segments(segments, entry, keys));
  if (!done) {
    const std::lock_guard lock(mutex_);
    ++stats_.refused_puts;
  }
  return done;
}

bool DiskStore::write_segments(std::span<const Segment> segments, const DiskEntry& entry,
                               std::span<const BlockKey> keys) {
  std::deque<KvWriter> writers;
  std::vector<std::string> names;
  int64_t bytes = 0;
  for (const Segment& segment : segments) {
    const auto first = static_cast<size_t>(segment.first), count = static_cast<size_t>(segment.count);
    KvContent content;
    content.identity = &identity_;
    content.parent = first == 0 ? entry.parent : keys[first - 1];
    content.first_block = entry.first_block + segment.first;
    content.ids = entry.ids.subspan(first * kChainBlockTokens, count * kChainBlockTokens);
    content.blocks = entry.blocks.subspan(first, count);
    content.tails = segment.tails;
    const KvWriter& writer = writers.emplace_back(content);
    const auto name = payload_name(writer.header(), writer.header_checksum());
    HADAL_CHECK(name.has_value());
    names.push_back(*name);
    bytes += writer.file_bytes();
  }

  // Room first, so that the folder does not pass its limit; not at the cost of the prefix that the entry
  // continues.
  std::set<std::string> keep;
  std::vector<std::string> evicted;
  bool room = false;
  bool ready = with_index([&](DiskIndex& index) {
    evicted.clear();
    keep = index.chain_of(entry.parent);
    for (const BlockKey& key : keys)
      for (const IndexPlace& at : index.blocks(key)) keep.insert(at.file);
    SqliteTransaction transaction(index.database());
    apply_touches(index);
    room = index.make_room(bytes, options_.max_bytes, keep, evicted);
    if (!room) {
      evicted.clear();
      return;
    }
    transaction.commit();
    touches_.clear();
    stats_.evicted_files += static_cast<int64_t>(evicted.size());
  });
  if (ready) remove_payloads(options_.folder, evicted);
  if (ready && !room)
    log_.report(FailureLog::kTooLarge,
                fmt::format("{}: an entry of {} bytes does not fit the {} bytes of the cache",
                            options_.folder.string(), bytes, options_.max_bytes));
  if (!ready || !room) return false;

  size_t written = 0;
  try {
    for (; written < writers.size(); ++written) writers[written].write(options_.folder / names[written]);
  } catch (const std::exception& error) {
    log_.report(FailureLog::kWrite, fmt::format("cache not written: {}", error.what()));
    const std::lock_guard lock(mutex_);
    writes_resume_ = std::chrono::steady_clock::now() + options_.write_pause;
  }

  evicted.clear();
  ready = with_index([&](DiskIndex& index) {
    evicted.clear();
    SqliteTransaction transaction(index.database());
    const int64_t now = now_us();
    int64_t added = 0;
    for (size_t i = 0; i < written; ++i)
      if (index.add(names[i], writers[i].header(), now)) added += writers[i].file_bytes();
    for (const std::string& name : keep) index.touch(name, now);
    keep.insert(names.begin(), names.end());
    index.make_room(0, options_.max_bytes, keep, evicted);  // another process may have written as well
    transaction.commit();
    stats_.stored_bytes += added;
    stats_.evicted_files += static_cast<int64_t>(evicted.size());
  });
  if (ready) remove_payloads(options_.folder, evicted);
  return ready && written == writers.size();
}

}  // namespace hadal
