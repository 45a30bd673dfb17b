// Compiled grammars, kept for the next request with the same rules.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "assistant/answer_grammar.h"
#include "assistant/text_model.h"
#include "base/result.h"
#include "sample/grammar/grammar.h"

namespace hadal {

struct GrammarCacheLimits {
  int64_t bytes = int64_t{256} << 20;  // of all
  int64_t one = int64_t{32} << 20;     // a larger one is not kept
};

struct GrammarCacheStats {
  int64_t compiled = 0, refused = 0, hits = 0;
  double compile_seconds = 0;
  int64_t grammars = 0, bytes = 0;  // kept now
};

// What an answer must be, and what of its schemas has no effect.
struct CompiledAnswer {
  std::shared_ptr<grammar::Grammar> grammar;
  std::vector<grammar::SchemaNote> notes{};
};

// Thread-safe. Compiles on the calling thread: never call it on the engine's. Borrows the model.
class GrammarCache {
 public:
  explicit GrammarCache(const TextModel& text, GrammarCacheLimits limits = {});

  // Whoever asks for rules that are being compiled waits for that. Problem: as answer_grammar's.
  Result<CompiledAnswer> get(const AnswerRules& rules, std::vector<int32_t> end_ids);

  GrammarCacheStats stats() const;

 private:
  struct Entry {
    std::string key;
    CompiledAnswer answer;
    int64_t bytes = 0;  // when it was last looked at: grammars grow while they are used
  };
  using Order = std::list<Entry>;  // the least recently used first

  void keep(std::string key, CompiledAnswer answer);
  void forget(Order::iterator entry);

  const TextModel& text_;
  const GrammarCacheLimits limits_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable compiled_;
  Order order_;
  std::unordered_map<std::string, Order::iterator> index_;
  // What is being compiled, and what came of it, for those who wait.
  struct Compiling {
    bool done = false;
    Result<CompiledAnswer> result{};
  };
  std::unordered_map<std::string, std::shared_ptr<Compiling>> compiling_;
  GrammarCacheStats stats_;
};

}  // namespace hadal
