#include "engine/sequence_memory.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace hadal {

SequenceMemory::SequenceMemory(const StateLayout& layout, KvPool pool, int64_t boundary_bytes,
                               std::unique_ptr<PrefixCache> cache)
    : layout_(layout),
      pool_(std::move(pool)),
      shape_{layout.fixed_bytes, layout.block_bytes, kBlockTokens},
      // Sums of a few of these must not overflow.
      limit_(std::min(pool_.limit_bytes(), std::numeric_limits<int64_t>::max() / 8)),
      boundary_bytes_(boundary_bytes),
      cache_(std::move(cache)) {}

int64_t SequenceMemory::used() const {
  return static_cast<int64_t>(residents_.size()) * shape_.fixed_bytes +
         static_cast<int64_t>(uses_.size()) * shape_.block_bytes;
}

int64_t SequenceMemory::held(ResidentSequence& sequence) const {
  if (sequence.version != version_) {
    sequence.alone = std::count_if(sequence.counted.begin(), sequence.counted.end(),
                                   [&](const Storage* block) { return block && uses_.at(block) == 1; });
    sequence.version = version_;
  }
  return shape_.fixed_bytes + sequence.alone * shape_.block_bytes;
}

int64_t SequenceMemory::owed(const ResidentSequence& sequence) const {
  const int64_t length = sequence.state.length();
  if (length % kBlockTokens == 0) return 0;
  const KvPiece& rows = sequence.state.blocks()[static_cast<size_t>(length / kBlockTokens)].rows;
  return rows && rows.use_count() > 1 ? shape_.block_bytes : 0;
}

void SequenceMemory::count(ResidentSequence& sequence, size_t from) {
  const std::vector<KvBlock>& blocks = sequence.state.blocks();
  drop(sequence, from);
  for (size_t i = sequence.counted.size(); i < blocks.size(); ++i) {
    const Storage* block = blocks[i].rows.get();
    sequence.counted.push_back(block);
    if (block == nullptr) continue;
    if (++uses_[block] == 1)
      ++sequence.alone;
    else
      ++version_;
  }
}

void SequenceMemory::drop(ResidentSequence& sequence, size_t to) {
  for (; sequence.counted.size() > to; sequence.counted.pop_back()) {
    const Storage* block = sequence.counted.back();
    if (block == nullptr) continue;
    const auto found = uses_.find(block);
    HADAL_CHECK(found != uses_.end(), "a block that was never counted");
    if (--found->second > 0) {
      ++version_;
      continue;
    }
    uses_.erase(found);
    --sequence.alone;
  }
}

std::unique_ptr<ResidentSequence> SequenceMemory::open(std::span<const int32_t> ids, int64_t prompt,
                                                       int64_t most, std::string_view scope) {
  PrefixCache::Match match;
  most = std::min(most, static_cast<int64_t>(ids.size()) - 1);
  if (cache_ && most > 0) match = cache_->match(ids, most, scope);
  if (!make_room(shape_.fixed_bytes)) {
    // The match itself may hold what is missing: first its boundaries, which a state can do without.
    for (KvBlock& block : match.snapshot.blocks) block.boundary.reset();
    if (!make_room(shape_.fixed_bytes)) {
      match = {};
      make_room(shape_.fixed_bytes);
    }
  }
  auto sequence = std::make_unique<ResidentSequence>(layout_, pool_);
  if (match.snapshot.length() > 0) sequence->state.restore(match.snapshot);
  if (cache_) {
    sequence->stops = {match.fork, (prompt - 1) / kBlockTokens * kBlockTokens};
    std::ranges::sort(sequence->stops);
  }
  sequence->scope = scope;
  sequence->version = version_;
  residents_.push_back(sequence.get());
  count(*sequence, 0);
  return sequence;
}

int64_t SequenceMemory::next_stop(const ResidentSequence& sequence) const {
  const auto next = std::ranges::upper_bound(sequence.stops, sequence.state.length());
  return next == sequence.stops.end() ? ScheduledSequence::kNoStop : *next;
}

bool SequenceMemory::make_room(int64_t bytes) {
  const auto missing = [&] { return bytes - (pool_.limit_bytes() - pool_.used_bytes()); };
  const auto shrink = [&] {
    if (cache_ && missing() > 0) cache_->shrink(missing());
  };
  shrink();
  for (size_t i = 0; i < residents_.size() && missing() > 0; ++i) {
    residents_[i]->state.thin_boundaries(0);
    shrink();  // what the two shared
  }
  if (cache_ && missing() > 0) {
    cache_->flush();  // what waits to be written holds memory too
    shrink();
  }
  return missing() <= 0;
}

void SequenceMemory::update(ResidentSequence& sequence, int64_t from) {
  SequenceState& state = sequence.state;
  const int64_t end = state.length() / kBlockTokens * kBlockTokens;
  if (end > from && state.keep_boundary(std::ranges::binary_search(sequence.stops, end)))
    state.thin_boundaries(boundary_bytes_);
  // Full blocks never change; the last one may have been replaced by a copy.
  count(sequence, static_cast<size_t>(std::min(from, state.length()) / kBlockTokens));
}

void SequenceMemory::publish(const ResidentSequence& sequence) {
  if (cache_) cache_->insert(sequence.state, sequence.scope);
}

void SequenceMemory::close(std::unique_ptr<ResidentSequence> sequence) {
  drop(*sequence, 0);
  std::erase(residents_, sequence.get());
}

}  // namespace hadal
