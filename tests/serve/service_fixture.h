// The whole server behind its sockets, on the bundled model: requests in, complete answers out.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "assistant/grammar_cache.h"
#include "assistant/replay.h"
#include "assistant/text_model.h"
#include "cpu/cpu_ops.h"
#include "engine/engine.h"
#include "kv/prefix_cache.h"
#include "serve/service.h"
#include "text/json_value.h"

namespace hadal::serve::test {

// What a client got.
struct Reply {
  int status = 0;
  std::string content_type;
  std::vector<Header> headers;
  std::string body;

  std::string header(std::string_view name) const {
    for (const Header& h : headers)
      if (h.name == name) return h.value;
    return {};
  }
  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> values;
    for (const Header& h : headers)
      if (h.name == name) values.push_back(h.value);
    return values;
  }
  JsonValue json() const {
    auto value = parse_json(body);
    EXPECT_TRUE(value) << body;
    return value ? *value : JsonValue{};
  }
  // The data of every event of a stream, in order.
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
      const size_t end = body.find('\n', at);
      out.push_back(body.substr(at + 6, end - at - 6));
      at = end;
    }
    return out;
  }
};

// The value at a path such as "choices.0.message.content"; null where there is none.
inline JsonValue at(const JsonValue& value, std::string_view path) {
  const JsonValue* here = &value;
  while (!path.empty() && here != nullptr) {
    const size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    if (here->is_array()) {
      const size_t index = std::stoul(key);
      here = index < here->items.size() ? &here->items[index] : nullptr;
    } else {
      here = here->is_object() ? here->find(key) : nullptr;
    }
  }
  return here != nullptr ? *here : JsonValue{};
}

// Where the model lies.
inline std::filesystem::path bundled_model() {
  return HADAL_SOURCE_DIR "/models/hadal-mini";
}

// One for all tests of a file is enough: loading takes a moment. Requests may come from several threads.
class TestServer {
 public:
  struct Options {
    ServiceConfig service;
    AccountsOptions accounts;
    std::vector<std::string> aliases;
  };
  explicit TestServer(Options options = {})
      : ops_(CpuOptions{}),
        text_(Model::open(bundled_model(), Numerics::kRelease), bundled_model()),
        pool_(ops_, int64_t{256} << 20),
        engine_(text_.model(), ops_, pool_, EngineConfig{}, cache()),
        accounts_(std::move(options.accounts)),
        metrics_({"hadal-mini", text_.model()->config().max_position_embeddings, "0.0.0", "release"}),
        replay_(text_.tokenizer(), text_.style()),
        grammars_(text_),
        log_({.file = "/dev/null"}),
        service_({text_, engine_, accounts_, metrics_, replay_, grammars_, log_, nullptr},
                 ModelNames("hadal-mini", options.aliases), completed(options.service)),
        thread_([this] { engine_.run(); }) {}
  ~TestServer() {
    engine_.stop();
    thread_.join();
  }

  Service& service() { return service_; }
  Engine& engine() { return engine_; }
  const TextModel& text() const { return text_; }

  // The answer on its way. The answer must be gone before the server is.
  struct Pending {
    std::unique_ptr<HttpAnswer> answer;
    std::shared_ptr<std::pair<std::mutex, std::condition_variable>> bell;
    std::shared_ptr<bool> rung;

    // Pulls until there is something or the end. True: that was the last.
    bool more(std::string& out) {
      const size_t before = out.size();
      for (;;) {
        if (answer->pull(out)) return true;
        if (out.size() > before) return false;
        std::unique_lock lock(bell->first);
        bell->second.wait(lock, [&] { return *rung; });
        *rung = false;
      }
    }
  };
  Pending begin(std::string method, std::string path, std::string body = {},
                std::vector<Header> headers = {}) {
    Pending pending;
    pending.bell = std::make_shared<std::pair<std::mutex, std::condition_variable>>();
    pending.rung = std::make_shared<bool>(false);
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.peer = "127.0.0.1";
    request.id = "req_test";
    pending.answer = service_.handle(std::move(request), [bell = pending.bell, rung = pending.rung] {
      const std::lock_guard lock(bell->first);
      *rung = true;
      bell->second.notify_one();
    });
    return pending;
  }
  Reply ask(std::string method, std::string path, std::string body = {}, std::vector<Header> headers = {}) {
    Pending pending = begin(std::move(method), std::move(path), std::move(body), std::move(headers));
    Reply reply;
    while (!pending.more(reply.body)) {
    }
    const HttpHead& head = pending.answer->head();
    reply.status = head.status;
    reply.content_type = head.content_type;
    reply.headers = head.headers;
    return reply;
  }
  Reply post(std::string path, std::string body, std::vector<Header> headers = {}) {
    return ask("POST", std::move(path), std::move(body), std::move(headers));
  }
  Reply get(std::string path, std::vector<Header> headers = {}) {
    return ask("GET", std::move(path), {}, std::move(headers));
  }

 private:
  std::unique_ptr<PrefixCache> cache() const {
    PrefixCacheOptions options;
    options.identity.numerics = "release";
    options.identity.prompt_generation = generation_name(text_.style().generation());
    options.identity.block_bytes = text_.model()->state_layout().block_bytes;
    return std::make_unique<PrefixCache>(text_.model()->state_layout(), pool_, std::move(options));
  }
  ServiceConfig completed(ServiceConfig config) const {
    if (config.rules.context_tokens == 0) config.rules.context_tokens = 16384;
    config.version = "0.0.0";
    config.model_path = "models/hadal-mini";
    return config;
  }

  CpuOps ops_;
  TextModel text_;
  KvPool pool_;
  Engine engine_;
  Accounts accounts_;
  Metrics metrics_;
  Replay replay_;
  GrammarCache grammars_;
  RequestLog log_;
  Service service_;
  std::thread thread_;
};

}  // namespace hadal::serve::test
