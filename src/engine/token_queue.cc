#include "engine/token_queue.h"

namespace hadal {

bool TokenQueue::on_token(const TokenEvent& event) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  ids_.push_back(event.id);
  changed_.notify_all();
  return true;
}

void TokenQueue::on_finish(const FinishInfo& info) {
  const std::lock_guard lock(mutex_);
  finish_ = info;
  changed_.notify_all();
}

std::optional<int32_t> TokenQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ids_.empty() || finish_; });
  if (ids_.empty()) return std::nullopt;
  const int32_t id = ids_.front();
  ids_.pop_front();
  return id;
}

std::vector<int32_t> TokenQueue::take() {
  const std::lock_guard lock(mutex_);
  std::vector<int32_t> ids(ids_.begin(), ids_.end());
  ids_.clear();
  return ids;
}

FinishInfo TokenQueue::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finish_.has_value(); });
  return *finish_;
}

void TokenQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace hadal
