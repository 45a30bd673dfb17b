#include "chat/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace hadal {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& text : stops) {
    if (text.empty()) continue;
    std::vector<size_t> border(text.size() + 1, 0);
    for (size_t i = 1, k = 0; i < text.size(); ++i) {
      while (k > 0 && text[i] != text[k]) k = border[k];
      if (text[i] == text[k]) ++k;
      border[i + 1] = k;
    }
    stops_.push_back({std::move(text), std::move(border)});
  }
}

bool StopMatcher::push(char byte, std::string& out) {
  if (stops_.empty()) {
    out.push_back(byte);
    return false;
  }
  held_.push_back(byte);
  size_t keep = 0;
  const Stop* found = nullptr;
  for (Stop& stop : stops_) {
    size_t& k = stop.matched;
    while (k > 0 && stop.text[k] != byte) k = stop.border[k];
    if (stop.text[k] == byte) ++k;
    keep = std::max(keep, k);
    if (k == stop.text.size() && (found == nullptr || k > found->text.size())) found = &stop;
  }
  if (found != nullptr) keep = found->text.size();
  const size_t passed = held_.size() - head_ - keep;
  out.append(held_, head_, passed);
  head_ += passed;
  if (head_ > held_.size() / 2) {
    held_.erase(0, head_);
    head_ = 0;
  }
  if (found == nullptr) return false;
  matched_ = found->text;
  return true;
}

void StopMatcher::flush(std::string& out) {
  out.append(held_, head_);
  held_.clear();
  head_ = 0;
}

}  // namespace hadal
