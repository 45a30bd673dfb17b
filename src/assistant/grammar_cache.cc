#include "assistant/grammar_cache.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace hadal {

using grammar::Grammar;

GrammarCache::GrammarCache(const TextModel& text, GrammarCacheLimits limits) : text_(text), limits_(limits) {}

Result<CompiledAnswer> GrammarCache::get(const AnswerRules& rules, std::vector<int32_t> end_ids) {
  const std::string key = fmt::format("{} {}", rules.key(), fmt::join(end_ids, " "));
  std::shared_ptr<Compiling> compiling;
  {
    std::unique_lock lock(mutex_);
    if (const auto known = index_.find(key); known != index_.end()) {
      ++stats_.hits;
      order_.splice(order_.end(), order_, known->second);
      return known->second->answer;
    }
    if (const auto running = compiling_.find(key); running != compiling_.end()) {
      compiling = running->second;
      compiled_.wait(lock, [&] { return compiling->done; });
      stats_.hits += compiling->result.has_value();
      return compiling->result;
    }
    compiling = compiling_.emplace(key, std::make_shared<Compiling>()).first->second;
  }
  const auto begin = std::chrono::steady_clock::now();
  Result<CompiledAnswer> result = problem("", "the grammar could not be compiled");
  try {
    CompiledAnswer answer;
    auto grammar =
        answer_grammar(text_.vocabulary(), std::move(end_ids), text_.style(), rules, &answer.notes);
    if (grammar) {
      // The first mask here and not on the engine's thread, where others wait.
      std::vector<uint32_t> bits((*grammar)->vocabulary().words());
      grammar::Matcher(*grammar).allow(bits);
      answer.grammar = std::move(*grammar);
      result = std::move(answer);
    } else {
      result = tl::make_unexpected(grammar.error());
    }
  } catch (const std::exception& error) {
    result = problem("", error.what());
  } catch (...) {  // others wait for it, whatever happens; `result` says that it went wrong
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::lock_guard lock(mutex_);
  stats_.compile_seconds += seconds;
  ++(result ? stats_.compiled : stats_.refused);
  compiling->result = result;
  compiling->done = true;
  compiling_.erase(key);
  compiled_.notify_all();
  if (result) keep(key, *result);
  return result;
}

// The old ones go as far as is needed for it.
void GrammarCache::keep(std::string key, CompiledAnswer answer) {
  order_.push_back({std::move(key), std::move(answer), 0});
  const auto added = std::prev(order_.end());
  index_.emplace(added->key, added);
  stats_.bytes = 0;
  for (auto entry = order_.begin(); entry != order_.end();) {
    const auto next = std::next(entry);
    entry->bytes = entry->answer.grammar->bytes();
    stats_.bytes += entry->bytes;
    if (entry->bytes > limits_.one) forget(entry);
    entry = next;
  }
  while (stats_.bytes > limits_.bytes) forget(order_.begin());
  stats_.grammars = static_cast<int64_t>(order_.size());
}

void GrammarCache::forget(Order::iterator entry) {
  stats_.bytes -= entry->bytes;
  index_.erase(entry->key);
  order_.erase(entry);
}

GrammarCacheStats GrammarCache::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace hadal
