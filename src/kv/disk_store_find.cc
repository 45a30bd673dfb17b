// DiskStore: from token ids to rows. The index proposes, the files decide.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "kv/disk_store.h"

namespace hadal {

// What the index proposes; readers are not opened yet.
struct DiskStore::Plan {
  std::vector<DiskMatch::Piece> pieces;
  DiskMatch::Piece tail;
  int64_t tokens = 0;
};

DiskStore::Plan DiskStore::plan_find(DiskIndex& index, std::span<const BlockKey> keys,
                                     int64_t more_than_tokens) {
  Plan plan;
  int64_t there = 0;
  for (const BlockKey& key : keys) {
    const std::vector<IndexPlace> places = index.blocks(key);
    if (places.empty()) break;
    // Going on in the same file makes fewer pieces.
    DiskMatch::Piece* const last = plan.pieces.empty() ? nullptr : &plan.pieces.back();
    const bool goes_on =
        last != nullptr && std::any_of(places.begin(), places.end(), [&](const IndexPlace& at) {
          return at.file == last->name && at.place == last->place + last->count;
        });
    if (goes_on)
      ++last->count;
    else
      plan.pieces.push_back({places.front().file, nullptr, places.front().place, there, 1});
    ++there;
  }
  for (; there * kChainBlockTokens > more_than_tokens && there > 0; --there) {
    const std::vector<IndexPlace> tails = index.tails(keys[static_cast<size_t>(there - 1)]);
    if (tails.empty()) continue;
    plan.tail = {tails.front().file, nullptr, tails.front().place, there, 0};
    plan.tokens = there * kChainBlockTokens;
    while (plan.pieces.back().first >= there) plan.pieces.pop_back();
    plan.pieces.back().count = there - plan.pieces.back().first;
    return plan;
  }
  return {};
}

// A file that cannot be read leaves the index. `again`: it makes sense to ask the index once more.
bool DiskStore::open_piece(DiskMatch::Piece& piece, bool hold, bool& again) {
  if (!is_payload_name(piece.name)) {
    const std::lock_guard lock(mutex_);
    log_.report(FailureLog::kDamagedIndex, "cache index made again: a file name in it is none");
    reopen(true);
    return false;
  }
  auto reader = KvReader::open(options_.folder / piece.name, hold);
  if (!reader) {
    again = reader.error().fault != KvFault::kSystem;
    discard(piece.name, reader.error());
    return false;
  }
  piece.file = std::move(*reader);
  return true;
}

std::optional<DiskMatch> DiskStore::open_plan(const Plan& plan, const BlockKey& root,
                                              std::span<const BlockKey> keys, std::span<const int32_t> ids,
                                              bool& again) {
  DiskMatch match;
  match.tokens = plan.tokens;
  match.pieces = plan.pieces;
  match.tail = plan.tail;
  std::vector<DiskMatch::Piece*> all;
  for (DiskMatch::Piece& piece : match.pieces) all.push_back(&piece);
  all.push_back(&match.tail);

  // A conversation of very many turns would take all descriptors of the process.
  constexpr size_t kMostHeld = 64;
  const bool hold = all.size() <= kMostHeld;
  again = true;
  for (DiskMatch::Piece* const piece : all) {
    const bool is_tail = piece == &match.tail;
    if (is_tail && piece->name == match.pieces.back().name)
      piece->file = match.pieces.back().file;
    else if (!open_piece(*piece, hold, again))
      return std::nullopt;
    const KvHeader& header = piece->file->header();

    // Is it the place the index says, with the key it says?
    const auto place = static_cast<size_t>(piece->place);
    const bool in_file = is_tail ? piece->place >= 0 && place < header.tails.size()
                                 : piece->place >= 0 && piece->place <= header.blocks() - piece->count;
    const int64_t at = !in_file  ? -1
                       : is_tail ? header.tails[place].length
                                 : header.begin() + piece->place * kChainBlockTokens;
    const int64_t used_end = piece->first + piece->count;
    const int64_t own = (used_end - header.first_block) * kChainBlockTokens;  // ids of the file up to there
    const bool right_place =
        at == piece->first * kChainBlockTokens && own <= static_cast<int64_t>(header.ids.size());
    const auto own_ids = std::span(header.ids).first(right_place ? static_cast<size_t>(own) : 0);
    const std::vector<BlockKey> own_keys = chain_keys(header.parent, own_ids);
    if (!right_place ||
        (own_keys.empty() ? header.parent : own_keys.back()) != keys[static_cast<size_t>(used_end - 1)]) {
      const std::lock_guard lock(mutex_);
      log_.report(FailureLog::kDamagedIndex,
                  fmt::format("cache index made again: {} is not what it says", piece->file->where()));
      reopen(true);
      return std::nullopt;
    }

    // Is it this prefix, for this model, and not only one whose hash is the same?
    const BlockKey& before =
        header.first_block == 0 ? root : keys[static_cast<size_t>(header.first_block - 1)];
    const auto wanted = ids.subspan(static_cast<size_t>(header.begin()), static_cast<size_t>(own));
    if (header.identity != identity_ || header.parent != before ||
        !std::equal(wanted.begin(), wanted.end(), own_ids.begin())) {
      discard(piece->name,
              {{piece->file->where(), "token ids or identity: not those of its key"}, KvFault::kDamaged});
      return std::nullopt;
    }
  }
  match.mtp_length = match.tail.file->header().tails[static_cast<size_t>(match.tail.place)].mtp_length;
  match.tail_bytes = match.tail.file->header().tails[static_cast<size_t>(match.tail.place)].bytes;
  return match;
}

DiskMatch DiskStore::find(const BlockKey& root, std::span<const BlockKey> keys, std::span<const int32_t> ids,
                          int64_t more_than_tokens) {
  HADAL_CHECK(ids.size() >= keys.size() * kChainBlockTokens, "{} ids for {} keys", ids.size(), keys.size());
  // Each round that fails has removed a bad file or a bad index.
  constexpr int kMostRounds = 64;
  for (int round = 0; round < kMostRounds; ++round) {
    Plan plan;
    if (!with_index([&](DiskIndex& index) { plan = plan_find(index, keys, more_than_tokens); }) ||
        plan.tokens == 0)
      break;
    bool again = false;
    if (auto match = open_plan(plan, root, keys, ids, again)) {
      const std::lock_guard lock(mutex_);
      ++stats_.hits;
      return std::move(*match);
    }
    if (!again) break;
  }
  const std::lock_guard lock(mutex_);
  ++stats_.misses;
  return {};
}

void DiskStore::discard(const std::string& name, const KvProblem& problem) {
  switch (problem.fault) {
    case KvFault::kSystem:
      log_.report(FailureLog::kIndexFailure, fmt::format("cache file not read: {}", problem.to_string()));
      return;
    case KvFault::kMissing:  // another process has evicted it
      log_debug("cache file gone: {}", problem.to_string());
      break;
    case KvFault::kForeign:
      log_.report(FailureLog::kForeignFile, fmt::format("cache file ignored: {}", problem.to_string()));
      break;
    case KvFault::kDamaged:
      log_.report(FailureLog::kDamagedFile, fmt::format("cache file removed: {}", problem.to_string()));
      break;
  }
  with_index([&](DiskIndex& index) {
    SqliteTransaction transaction(index.database());
    index.remove(name);
    transaction.commit();
    if (writable_ && problem.fault == KvFault::kDamaged) remove_payloads(options_.folder, {name});
  });
}

bool DiskStore::load(const DiskMatch& match, int64_t from_block, std::span<std::byte* const> blocks,
                     std::span<std::byte> tail) {
  const int64_t end = match.tokens / kChainBlockTokens;
  HADAL_CHECK(match.tokens > 0 && from_block >= 0 && static_cast<int64_t>(blocks.size()) == end - from_block,
              "{} blocks from {} of {}", blocks.size(), from_block, end);
  HADAL_CHECK(static_cast<int64_t>(tail.size()) == match.tail_bytes, "{} bytes for {}", tail.size(),
              match.tail_bytes);
  KvRead read;
  int64_t bytes = match.tail_bytes;
  for (const DiskMatch::Piece& piece : match.pieces) {
    const int64_t first = std::max(piece.first, from_block), last = piece.first + piece.count;
    if (first >= last) continue;
    read.add_blocks(
        *piece.file, piece.place + first - piece.first,
        blocks.subspan(static_cast<size_t>(first - from_block), static_cast<size_t>(last - first)));
    bytes += (last - first) * identity_.block_bytes;
  }
  read.add_tail(*match.tail.file, static_cast<size_t>(match.tail.place), tail);
  const auto failures = read.run();
  for (const KvRead::Failure& failure : failures) {
    const auto bad =
        std::find_if(match.pieces.begin(), match.pieces.end(),
                     [&](const DiskMatch::Piece& piece) { return piece.file.get() == failure.file; });
    discard(bad != match.pieces.end() ? bad->name : match.tail.name, failure.problem);
  }

  constexpr size_t kMostTouches = 256;
  size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!failures.empty()) {
      ++stats_.failed_loads;
      return false;
    }
    stats_.loaded_bytes += bytes;
    const int64_t now = now_us();
    for (const DiskMatch::Piece& piece : match.pieces) touches_[piece.name] = now;
    touches_[match.tail.name] = now;
    waiting = touches_.size();
    if (!writable_) touches_.clear();
  }
  if (waiting > kMostTouches) flush();
  return true;
}

}  // namespace hadal
