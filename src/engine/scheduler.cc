#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/check.h"

namespace hadal {
namespace {

bool before(const ScheduledSequence& a, const ScheduledSequence& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.arrival < b.arrival;
}

struct Slot {
  ScheduledSequence sequence;
  bool admitted = false;  // in this step

  int64_t remaining() const { return sequence.known - sequence.length; }
  bool decodes() const { return remaining() <= sequence.fresh; }
};

class Planner {
 public:
  Planner(const SchedulerConfig& config, const MemoryShape& shape, const Workload& load)
      : config_(config), shape_(shape), available_(load.available) {
    HADAL_CHECK(config.chunk_tokens > 0 && config.max_batch > 0 && shape.block_tokens > 0);
    for (const ScheduledSequence& s : load.running) slots_.push_back({s});
    waiting_.assign(load.waiting.begin(), load.waiting.end());
    for (const auto& list : {load.running, load.waiting})
      for (const ScheduledSequence& s : list)
        HADAL_CHECK(s.known > s.length && s.most >= s.known && s.stop_at > s.length,
                    "sequence {}: {} of {} tokens, at most {}, stop at {}", s.id, s.length, s.known, s.most,
                    s.stop_at);
    std::sort(slots_.begin(), slots_.end(),
              [](const Slot& a, const Slot& b) { return before(a.sequence, b.sequence); });
    std::sort(waiting_.begin(), waiting_.end(), before);
  }

  Plan run() {
    admit();
    assign();
    return std::move(plan_);
  }

 private:
  // Bytes until all known tokens and a block more are in the state.
  int64_t commitment(const Slot& slot) const {
    const ScheduledSequence& s = slot.sequence;
    const int64_t goal = shape_.bytes(std::min(s.known + shape_.block_tokens, s.most));
    return slot.admitted ? goal - s.shared : goal - shape_.bytes(s.length) + s.owed;
  }
  // Bytes that the next n tokens add.
  int64_t growth(const Slot& slot, int64_t n) const {
    const ScheduledSequence& s = slot.sequence;
    if (slot.admitted) return shape_.bytes(s.length + n) - s.shared;  // what a cache supplies is in use then
    return n == 0 ? 0 : shape_.bytes(s.length + n) - shape_.bytes(s.length) + s.owed;
  }

  // Tokens that those before `next` have to prefill.
  int64_t prefill_before(const ScheduledSequence& next) const {
    int64_t tokens = 0;
    for (const Slot& slot : slots_)
      if (!slot.decodes() && before(slot.sequence, next)) tokens += slot.remaining();
    return tokens;
  }

  // Lets in as many of the waiting as fit, in order. If somebody comes in, everybody's commitment is covered,
  // and assign() preempts nobody.
  void admit() {
    int64_t committed = 0;
    for (const Slot& slot : slots_) committed += commitment(slot);
    for (const ScheduledSequence& next : waiting_) {
      const Slot candidate{next, true};
      if (first_preempted_ && before(*first_preempted_, next)) return;  // who gave way is not overtaken
      if (!candidate.decodes() && prefill_before(next) >= config_.chunk_tokens) return;  // no work for it yet
      // How many of the last must give way.
      const int64_t need = commitment(candidate);
      int64_t freed = 0;
      size_t stay = slots_.size();
      const auto fits = [&] {
        return static_cast<int64_t>(stay) < config_.max_batch && committed + need <= available_ + freed;
      };
      while (!fits()) {
        if (stay == 0) return;
        const Slot& last = slots_[stay - 1];
        if (last.admitted || last.sequence.priority >= next.priority) return;
        freed += last.sequence.held;
        committed -= commitment(last);
        --stay;
      }
      while (slots_.size() > stay) preempt_last();
      committed += need;
      plan_.admit.push_back(next.id);
      slots_.insert(
          std::upper_bound(slots_.begin(), slots_.end(), candidate,
                           [](const Slot& a, const Slot& b) { return before(a.sequence, b.sequence); }),
          candidate);
    }
  }

  // What decoding adds.
  int64_t fresh(const Slot& slot) const {
    const int64_t all = std::min(slot.sequence.known, slot.sequence.stop_at) - slot.sequence.length;
    return growth(slot, all) > available_ ? 1 : all;
  }

  // Gives everyone work in order, at the expense of the last where memory is short.
  void assign() {
    int64_t budget = config_.chunk_tokens;
    bool first_chunk = true;
    for (size_t i = 0; i < slots_.size(); ++i) {
      int64_t n = slots_[i].decodes() ? fresh(slots_[i]) : chunk(slots_[i].sequence, budget, first_chunk);
      if (n == 0 && !slots_[i].admitted) continue;
      while (growth(slots_[i], n) > available_ && slots_.size() > i + 1) preempt_last();
      if (growth(slots_[i], n) > available_) {
        if (!slots_[i].decodes()) {  // waits with what it has
          n = chunk(slots_[i].sequence, std::min(n, tokens_that_fit(slots_[i])), true);
        } else {
          if (i > 0) preempt_last();
          n = 0;
        }
        if (n == 0) return;
      }
      available_ -= growth(slots_[i], n);
      if (n == 0) continue;
      if (!slots_[i].decodes()) {
        budget -= n;
        first_chunk = false;
      }
      plan_.work.push_back({slots_[i].sequence.id, n});
    }
  }

  // At most `budget` tokens. `any_end`: a chunk that reaches no multiple of a block is better than none.
  int64_t chunk(const ScheduledSequence& s, int64_t budget, bool any_end) const {
    const int64_t goal = std::min(s.known, s.stop_at);
    const int64_t end = std::min(goal, s.length + budget);
    if (end == goal) return end - s.length;
    const int64_t aligned = end / shape_.block_tokens * shape_.block_tokens;
    if (aligned > s.length) return aligned - s.length;
    return any_end ? end - s.length : 0;
  }

  int64_t tokens_that_fit(const Slot& slot) const {
    const ScheduledSequence& s = slot.sequence;
    const int64_t room = available_ - growth(slot, 1);  // besides the block that the next token is in
    if (room < 0) return 0;
    if (shape_.block_bytes == 0) return s.known - s.length;
    return (shape_.blocks(s.length + 1) + room / shape_.block_bytes) * shape_.block_tokens - s.length;
  }

  void preempt_last() {
    available_ += slots_.back().sequence.held;
    plan_.preempt.push_back(slots_.back().sequence.id);
    first_preempted_ = slots_.back().sequence;
    slots_.pop_back();
  }

  const SchedulerConfig& config_;
  const MemoryShape& shape_;
  int64_t available_;
  std::vector<Slot> slots_;  // running and admitted, in order
  std::vector<ScheduledSequence> waiting_;
  std::optional<ScheduledSequence> first_preempted_;  // in the order, which is the last that was
  Plan plan_;
};

}  // namespace

Plan make_plan(const SchedulerConfig& config, const MemoryShape& shape, const Workload& load) {
  return Planner(config, shape, load).run();
}

Result<void> check_admissible(const MemoryShape& shape, int64_t tokens, int64_t budget) {
  const int64_t need = shape.bytes(tokens);
  if (need <= budget) return {};
  // Rounded apart, so that the two never look the same.
  constexpr double kTenth = (1 << 20) / 10.0;
  return problem("", fmt::format("needs {:.1f} MiB of state for {} tokens, the engine has {:.1f} MiB",
                                 std::ceil(static_cast<double>(need) / kTenth) / 10, tokens,
                                 std::floor(static_cast<double>(budget) / kTenth) / 10));
}

}  // namespace hadal
