#include "serve/trace_file.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>

#include "support/files.h"
#include "text/json_value.h"

namespace hadal::serve {
namespace {

using hadal::test::read_bytes;
using hadal::test::TempFolder;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

const TimePoint kOrigin(1h);

std::vector<JsonValue> events_of(const std::string& bytes) {
  auto value = parse_json(bytes);
  EXPECT_TRUE(value) << (value ? "" : value.error().to_string()) << "\n" << bytes;
  return value && value->is_array() ? value->items : std::vector<JsonValue>();
}

std::vector<JsonValue> named(const std::vector<JsonValue>& events, const std::string& name) {
  std::vector<JsonValue> out;
  for (const JsonValue& event : events)
    if (event.find("name") != nullptr && event.find("name")->text == name) out.push_back(event);
  return out;
}

TEST(TraceFile, IsJsonOnceClosed) {
  const TempFolder folder;
  folder.write("trace.json", "something old");
  {
    TraceFile trace(folder / "trace.json", kOrigin);
    trace.name_track(7, "a \"track\"\n");
    trace.span("work", "test", 7, kOrigin + 1ms, kOrigin + 3500us,
               std::array{TraceArg{"tokens", int64_t{12}}, TraceArg{"share", 0.5},
                          TraceArg{"text", std::string_view("x\ny")}});
    trace.span("backwards", "test", 7, kOrigin + 2ms, kOrigin + 1ms);
    trace.counter("queue", kOrigin + 2ms, std::array{TraceArg{"running", int64_t{3}}});
    EXPECT_EQ(trace.dropped(), 0);
  }
  const auto events = events_of(read_bytes(folder / "trace.json"));
  const auto work = named(events, "work");
  ASSERT_EQ(work.size(), 1u);
  EXPECT_EQ(work[0].find("ph")->text, "X");
  EXPECT_EQ(work[0].find("tid")->text, "7");
  EXPECT_EQ(work[0].find("cat")->text, "test");
  EXPECT_EQ(work[0].find("ts")->text, "1000.000");
  EXPECT_EQ(work[0].find("dur")->text, "2500.000");
  EXPECT_EQ(work[0].find("args")->find("tokens")->text, "12");
  EXPECT_EQ(work[0].find("args")->find("text")->text, "x\ny");
  EXPECT_EQ(named(events, "backwards").at(0).find("dur")->text, "0.000");
  EXPECT_EQ(named(events, "queue").at(0).find("ph")->text, "C");
  EXPECT_EQ(named(events, "thread_name").at(0).find("args")->find("name")->text, "a \"track\"\n");
  EXPECT_EQ(named(events, "trace_end").at(0).find("args")->find("dropped_events")->text, "0");
}

TEST(TraceFile, ARequestAndTheEngine) {
  const TempFolder folder;
  {
    TraceFile trace(folder / "trace.json", kOrigin);
    RequestTrace request;
    request.track = 3;
    request.request_id = "req-3";
    request.route = "POST /v1/messages";
    request.model = "m";
    request.finish_reason = "stop";
    request.submitted = kOrigin + 1s;
    request.finished = kOrigin + 4s;
    request.info.prompt_tokens = 100;
    request.info.cached_tokens = 60;
    request.info.generated_tokens = 9;
    request.info.queue_seconds = 0.5;
    request.info.prefill_seconds = 1.5;
    request.info.decode_seconds = 7;  // the clock of another thread: never beyond the request
    trace_request(trace, request);

    EngineStats stats;
    stats.running = 2;
    stats.memory_used = 100;
    stats.running_bytes = 40;
    EngineTrace engine;
    engine.sample(trace, kOrigin, stats);
    stats.seconds.forward = 1.5;
    stats.decoded_tokens = 30;
    engine.sample(trace, kOrigin + 2s, stats);
    engine.sample(trace, kOrigin + 2s, stats);  // no time has passed: no rates
  }
  const auto events = events_of(read_bytes(folder / "trace.json"));
  EXPECT_EQ(named(events, "request").at(0).find("dur")->text, "3000000.000");
  EXPECT_EQ(named(events, "request").at(0).find("args")->find("route")->text, "POST /v1/messages");
  EXPECT_EQ(named(events, "queue").at(0).find("ts")->text, "1000000.000");
  EXPECT_EQ(named(events, "prefill").at(0).find("ts")->text, "1500000.000");
  EXPECT_EQ(named(events, "prefill").at(0).find("args")->find("computed_tokens")->text, "40");
  EXPECT_EQ(named(events, "decode").at(0).find("ts")->text, "3000000.000");
  EXPECT_EQ(named(events, "decode").at(0).find("dur")->text, "1000000.000");
  EXPECT_EQ(named(events, "requests").size(), 3u);
  EXPECT_EQ(named(events, "memory bytes").at(0).find("args")->find("kept")->text, "60");
  ASSERT_EQ(named(events, "engine time").size(), 1u);
  EXPECT_EQ(named(events, "engine time")[0].find("args")->find("forward")->text, "0.750000");
  EXPECT_EQ(named(events, "tokens per second").at(0).find("args")->find("decoded")->text, "15.000000");
}

TEST(TraceFile, ManyThreads) {
  const TempFolder folder;
  {
    TraceFile trace(folder / "trace.json", kOrigin);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) trace.span("s", "c", t, kOrigin, kOrigin + 1us);
      });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(named(events_of(read_bytes(folder / "trace.json")), "s").size(), 2000u);
}

// The viewers take an array without its end, with a comma before it.
TEST(TraceFile, OpensAfterAKill) {
  const TempFolder folder;
  std::mt19937_64 random(5);
  size_t seen = 0;
  for (int round = 0; round < 10; ++round) {
    const auto file = folder / ("trace" + std::to_string(round));
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      TraceFile trace(file, kOrigin);
      for (;;) {
        trace.span("s", "c", 1, kOrigin, kOrigin + 1us);
        if (random() % 100 == 0) trace.flush();
      }
    }
    for (std::error_code ignored; std::filesystem::file_size(file, ignored) < 1000 || ignored;)
      std::this_thread::sleep_for(1ms);
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    std::string bytes = read_bytes(file);
    bytes.resize(bytes.rfind(",\n"));
    seen += named(events_of(bytes + "]"), "s").size();
  }
  EXPECT_GT(seen, 0u);
}

TEST(TraceFile, AFolderThatIsNotThere) {
  const TempFolder folder;
  hadal::test::error_of(ErrorCode::kIo, [&] { TraceFile trace(folder / "no" / "trace.json"); });
}

}  // namespace
}  // namespace hadal::serve
