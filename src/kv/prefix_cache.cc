#include "kv/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "model/tail_record.h"

namespace hadal {
namespace {

std::span<const int32_t> block_ids(std::span<const int32_t> ids, size_t block) {
  return ids.subspan(block * kBlockTokens, kBlockTokens);
}

}  // namespace

// 128 tokens after those of `parent`.
struct PrefixCache::Node {
  BlockKey key;
  Node* parent = nullptr;
  std::vector<int32_t> ids;  // compared on every lookup: a key alone is never believed
  KvBlock block;
  int children = 0;
  Queue queue = Queue::kNone;
  Order::iterator at;  // in its queue

  int64_t rows_bytes() const { return block.rows ? block.rows->bytes() : 0; }
  int64_t boundary_bytes() const { return block.boundary ? block.boundary->bytes() : 0; }
};

PrefixCache::PrefixCache(const StateLayout& layout, KvPool pool, PrefixCacheOptions options)
    : layout_(layout),
      pool_(std::move(pool)),
      root_(chain_root(options.identity)),
      memory_bytes_(std::min(options.memory_bytes, pool_.limit_bytes())),
      disk_(std::move(options.disk)) {
  if (disk_) writer_ = std::make_unique<DiskWriter>(*disk_, options.disk_queue_bytes);
}

PrefixCache::~PrefixCache() = default;

PrefixCache::Node* PrefixCache::find(const BlockKey& key, std::span<const int32_t> ids) {
  const auto found = nodes_.find(key);
  if (found == nodes_.end() || !std::ranges::equal(found->second->ids, ids)) return nullptr;
  return found->second.get();
}

PrefixCache::Node& PrefixCache::add(const BlockKey& key, Node* parent, std::span<const int32_t> ids) {
  auto node = std::make_unique<Node>();
  node->key = key;
  node->parent = parent;
  node->ids.assign(ids.begin(), ids.end());
  if (parent != nullptr) ++parent->children;
  return *(nodes_[key] = std::move(node));
}

void PrefixCache::place(Node& node, Queue queue, bool recent) {
  const auto order = [&](Queue q) -> Order& { return q == Queue::kProtected ? protected_ : probation_; };
  if (node.queue != Queue::kNone) {
    order(node.queue).erase(node.at);
    if (node.queue == Queue::kProtected) protected_bytes_ -= node.boundary_bytes();
  }
  node.queue = queue;
  if (queue == Queue::kNone) return;
  Order& to = order(queue);
  node.at = to.insert(recent ? to.end() : to.begin(), &node);
  if (queue == Queue::kProtected) protected_bytes_ += node.boundary_bytes();
}

void PrefixCache::anchor(Node& node, const KvPiece& boundary, int64_t mtp_length, bool recent) {
  if (node.block.boundary) return;
  node.block.boundary = boundary;
  node.block.boundary_mtp_length = mtp_length;
  bytes_ += node.boundary_bytes();
  place(node, Queue::kProbation, recent);
}

void PrefixCache::used(Node& node) {
  place(node, Queue::kProtected, true);
  // The protected ones have three quarters; the longest unused of them must prove itself again.
  while (protected_bytes_ / 3 > memory_bytes_ / 4 && protected_.size() > 1)
    place(*protected_.front(), Queue::kProbation, true);
}

bool PrefixCache::idle(const Node& node) const {
  return node.block.boundary.use_count() == 1;
}

// Takes an anchor away and the blocks that no anchor needs any more; returns the bytes the pool got back.
int64_t PrefixCache::evict(Node& node) {
  int64_t freed = node.block.boundary.use_count() == 1 ? node.boundary_bytes() : 0;
  bytes_ -= node.boundary_bytes();
  place(node, Queue::kNone, false);
  node.block.boundary.reset();
  ++stats_.evicted_anchors;
  for (Node* at = &node; at != nullptr && at->children == 0 && !at->block.boundary;) {
    freed += at->block.rows && at->block.rows.use_count() == 1 ? at->rows_bytes() : 0;
    bytes_ -= at->rows_bytes();
    Node* parent = at->parent;
    if (parent != nullptr) --parent->children;
    nodes_.erase(BlockKey(at->key));
    at = parent;
  }
  return freed;
}

// Evicts the anchor that comes first; -1 when there is none.
int64_t PrefixCache::evict_worst(bool idle_only) {
  for (Order* order : {&probation_, &protected_})
    for (Node* node : *order)
      if (!idle_only || idle(*node)) return evict(*node);
  return -1;
}

int64_t PrefixCache::shrink(int64_t bytes) {
  int64_t freed = 0;
  while (freed < bytes) {
    const int64_t more = evict_worst(true);
    if (more < 0) break;
    freed += more;
  }
  return freed;
}

void PrefixCache::keep_within_limits() {
  while (bytes_ > memory_bytes_ && evict_worst(false) >= 0) {
  }
}

void PrefixCache::flush() {
  if (writer_) writer_->flush();
}

void PrefixCache::insert(const SequenceState& state, std::string_view scope) {
  const auto blocks = static_cast<size_t>(state.length() / kBlockTokens);
  size_t last = 0;  // blocks up to the last anchor
  for (size_t i = 0; i < blocks; ++i)
    if (state.blocks()[i].boundary) last = i + 1;
  if (last == 0) return;
  const auto ids = state.tokens().first(last * kBlockTokens);
  const BlockKey root = chain_scope(root_, scope);
  const std::vector<BlockKey> keys = chain_keys(root, ids);
  Node* parent = nullptr;
  for (size_t i = 0; i < last; ++i) {
    const KvBlock& block = state.blocks()[i];
    Node* node = find(keys[i], block_ids(ids, i));
    if (node == nullptr) {
      if (nodes_.contains(keys[i])) return;  // two prefixes with one hash: the first one stays
      node = &add(keys[i], parent, block_ids(ids, i));
      node->block.rows = block.rows;
      bytes_ += node->rows_bytes();
    }
    // What nobody asked for may be the first to go.
    if (block.boundary)
      anchor(*node, block.boundary, block.boundary_mtp_length, block.marked || i + 1 == last);
    parent = node;
  }
  keep_within_limits();
  if (writer_ && layout_.block_bytes > 0)
    writer_->put(root, {ids.begin(), ids.end()},
                 {state.blocks().begin(), state.blocks().begin() + static_cast<int64_t>(last)});
}

PrefixCache::Match PrefixCache::match_memory(std::span<const BlockKey> keys, std::span<const int32_t> ids,
                                             Node*& last) {
  std::vector<Node*> path;
  size_t anchored = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    Node* node = find(keys[i], block_ids(ids, i));
    if (node == nullptr) break;
    path.push_back(node);
    if (node->block.boundary) anchored = i + 1;
  }
  Match out;
  out.fork = static_cast<int64_t>(path.size()) * kBlockTokens;
  last = anchored > 0 ? path[anchored - 1] : nullptr;
  if (last == nullptr) return out;
  const auto prefix = ids.first(anchored * kBlockTokens);
  out.snapshot.tokens.assign(prefix.begin(), prefix.end());
  out.snapshot.mtp_length = last->block.boundary_mtp_length;
  out.snapshot.tail = last->block.boundary;
  for (size_t i = 0; i < anchored; ++i) out.snapshot.blocks.push_back(path[i]->block);
  return out;
}

KvPiece PrefixCache::allocate(int64_t bytes) {
  const int64_t room = pool_.limit_bytes() - pool_.used_bytes();
  if (room < bytes) shrink(bytes - room);
  return pool_.allocate(bytes);
}

// Rows and tail from disk into memory. False: a miss, for whatever reason.
bool PrefixCache::load(const DiskMatch& found, std::span<const BlockKey> keys, std::span<const int32_t> ids) {
  if (found.tail_bytes != hadal::tail_bytes(layout_, found.tokens)) return false;
  const auto blocks = static_cast<size_t>(found.tokens / kBlockTokens);
  std::vector<KvPiece> rows;  // held from here on, so that making room does not take them away
  std::vector<std::byte*> missing;
  size_t have = 0;
  while (have < blocks) {
    Node* node = find(keys[have], block_ids(ids, have));
    if (node == nullptr) break;
    rows.push_back(node->block.rows);
    ++have;
  }
  for (size_t i = have; i < blocks; ++i)
    if (nodes_.contains(keys[i])) return false;  // two prefixes with one hash: the first one stays
  KvPiece tail;
  try {
    for (size_t i = have; i < blocks; ++i) {
      rows.push_back(allocate(layout_.block_bytes));
      missing.push_back(rows.back()->data());
    }
    tail = allocate(found.tail_bytes);
  } catch (const Error&) {
    return false;  // no memory: then it is computed
  }
  if (!disk_->load(found, static_cast<int64_t>(have), missing, bytes_of(tail))) return false;
  Node* parent = nullptr;
  for (size_t i = 0; i < blocks; ++i) {
    Node* node = find(keys[i], block_ids(ids, i));
    if (node == nullptr) {
      node = &add(keys[i], parent, block_ids(ids, i));
      node->block.rows = rows[i];
      bytes_ += node->rows_bytes();
    }
    parent = node;
  }
  anchor(*parent, tail, found.mtp_length, true);
  return true;
}

// How many more blocks than `from` are on disk: keys are a chain, so they are there up to some point.
int64_t PrefixCache::fork_on_disk(std::span<const BlockKey> keys, int64_t from) const {
  int64_t low = from, high = static_cast<int64_t>(keys.size());
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (disk_->contains(keys[static_cast<size_t>(middle - 1)]))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

PrefixCache::Match PrefixCache::match(std::span<const int32_t> ids, int64_t most, std::string_view scope) {
  const BlockKey root = chain_scope(root_, scope);
  const auto whole = std::min<int64_t>(most, static_cast<int64_t>(ids.size())) / kBlockTokens * kBlockTokens;
  const auto prefix = ids.first(static_cast<size_t>(std::max<int64_t>(whole, 0)));
  const std::vector<BlockKey> keys = chain_keys(root, prefix);
  Node* last = nullptr;
  Match out = match_memory(keys, prefix, last);
  const int64_t in_memory = out.snapshot.length();
  int64_t fork = out.fork;
  if (disk_ && !keys.empty() && layout_.block_bytes > 0) {
    const DiskMatch found = disk_->find(root, keys, prefix, in_memory);
    if (found.tokens > in_memory && load(found, keys, prefix)) {
      Match loaded = match_memory(keys, prefix, last);
      if (loaded.snapshot.length() > in_memory) out = std::move(loaded);
    }
    fork = std::max(fork, fork_on_disk(keys, fork / kBlockTokens) * kBlockTokens);
  }
  if (last != nullptr) used(*last);
  const int64_t length = out.snapshot.length();
  out.fork = fork > length ? fork : 0;
  ++stats_.lookups;
  stats_.wanted_tokens += static_cast<int64_t>(ids.size());
  stats_.hits += length > 0 ? 1 : 0;
  stats_.disk_hits += length > in_memory ? 1 : 0;
  stats_.memory_tokens += in_memory;
  stats_.disk_tokens += length - in_memory;
  keep_within_limits();  // the snapshot holds what it needs
  return out;
}

PrefixCacheStats PrefixCache::stats() const {
  stats_.blocks = static_cast<int64_t>(nodes_.size());
  stats_.anchors = static_cast<int64_t>(probation_.size() + protected_.size());
  stats_.bytes = bytes_;
  if (disk_) stats_.disk = disk_->stats();
  return stats_;
}

}  // namespace hadal
