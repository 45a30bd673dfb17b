#include "serve/request_log.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <thread>

#include "support/files.h"
#include "text/json_value.h"

namespace hadal::serve {
namespace {

using hadal::test::read_bytes;
using hadal::test::TempFolder;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono;
using namespace std::chrono_literals;

const system_clock::time_point kWhen = sys_days(year(2026) / 3 / 2) + 5h + 4min + 3s + 21ms;

RequestRecord record() {
  RequestRecord out;
  out.request_id = "req-1";
  out.key = "ann";
  out.peer = "127.0.0.1";
  out.route = "POST /v1/chat/completions";
  out.model = "deepseek-v4-flash";
  out.finish_reason = "stop";
  out.prompt_tokens = 200;
  out.cached_tokens = 128;
  out.completion_tokens = 51;
  out.reasoning_tokens = 20;
  out.queue_seconds = 0.0015;
  out.first_token_seconds = 0.25;
  out.total_seconds = 1.25;
  out.decode_seconds = 1;
  out.cost = Money{123'000};
  out.prompt = "the prompt";
  out.answer = "the answer";
  return out;
}

// An independent reader: words of name=value, values plain or in quotes.
std::map<std::string, std::string> parse_logfmt(const std::string& line) {
  std::map<std::string, std::string> out;
  size_t i = 0;
  while (i < line.size()) {
    const size_t equals = line.find('=', i);
    const std::string name = line.substr(i, equals - i);
    std::string value;
    i = equals + 1;
    if (i < line.size() && line[i] == '"') {
      const size_t begin = i++;
      while (line.at(i) != '"') i += line[i] == '\\' ? 2 : 1;
      ++i;
      value = parse_json(line.substr(begin, i - begin))->text;
    } else {
      while (i < line.size() && line[i] != ' ') value += line[i++];
    }
    EXPECT_TRUE(out.emplace(name, value).second) << name;
    if (i < line.size()) {
      EXPECT_EQ(line[i++], ' ');
    }
  }
  return out;
}

TEST(RequestLog, Logfmt) {
  EXPECT_EQ(
      format_request_line(record(), kWhen, false, false),
      "time=2026-03-02T05:04:03.021Z id=req-1 key=ann peer=127.0.0.1 route=\"POST /v1/chat/completions\" "
      "model=deepseek-v4-flash status=200 finish_reason=stop prompt_tokens=200 cached_tokens=128 "
      "completion_tokens=51 reasoning_tokens=20 queue_ms=1.500 first_token_ms=250.000 total_ms=1250.000 "
      "tokens_per_second=50.000 cost=0.000123");
  const auto fields = parse_logfmt(format_request_line(record(), kWhen, false, true));
  EXPECT_EQ(fields.at("prompt"), "the prompt");
  EXPECT_EQ(fields.at("answer"), "the answer");
}

TEST(RequestLog, JsonLines) {
  const auto line = parse_json(format_request_line(record(), kWhen, true, false));
  ASSERT_TRUE(line);
  EXPECT_EQ(line->find("time")->text, "2026-03-02T05:04:03.021Z");
  EXPECT_EQ(line->find("key")->text, "ann");
  EXPECT_EQ(line->find("status")->text, "200");
  EXPECT_EQ(line->find("status")->kind, JsonValue::Kind::kNumber);
  EXPECT_EQ(line->find("first_token_ms")->text, "250.000");
  EXPECT_EQ(line->find("prompt"), nullptr);
  EXPECT_EQ(line->find("answer"), nullptr);
}

TEST(RequestLog, WhatIsNotKnownIsLeftOut) {
  RequestRecord refused;
  refused.status = 401;
  refused.error = "no key";
  const auto fields = parse_logfmt(format_request_line(refused, kWhen, false, true));
  EXPECT_EQ(fields.at("error"), "no key");
  for (const char* const name : {"id", "key", "first_token_ms", "tokens_per_second", "cost", "prompt"})
    EXPECT_FALSE(fields.contains(name)) << name;
  refused.completion_tokens = 1;
  refused.decode_seconds = 3;
  EXPECT_FALSE(parse_logfmt(format_request_line(refused, kWhen, false, false)).contains("tokens_per_second"));
  EXPECT_TRUE(parse_json(format_request_line(RequestRecord(), kWhen, true, true)));
}

// A client chooses its request id, and the texts. Whatever they are, there is one line, with these fields.
RC_GTEST_PROP(RequestLog, NothingCanForgeALine, ()) {
  const auto text = [] {
    return *rc::gen::container<std::string>(rc::gen::oneOf(
        rc::gen::arbitrary<char>(), rc::gen::elementOf(std::string("\n\r\"\\ =\x1b\xe2\x80\xa8"))));
  };
  RequestRecord r = record();
  r.request_id = text();
  r.prompt = text();
  r.answer = text();
  r.error = text();
  for (const bool json : {false, true}) {
    const std::string line = format_request_line(r, kWhen, json, true);
    for (const char c : line) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    if (json) {
      const auto value = parse_json(line);
      RC_ASSERT(value.has_value());
      RC_ASSERT(!value->had_repeats);
      RC_ASSERT(value->find("status")->text == "200");
    } else {
      const auto fields = parse_logfmt(line);
      RC_ASSERT(fields.at("status") == "200");
      RC_ASSERT(fields.at("key") == "ann");
    }
  }
}

TEST(RequestLog, WritesToAFileAndRotates) {
  const TempFolder folder;
  RequestLogOptions options;
  options.file = folder / "requests.log";
  options.clock = [] { return kWhen; };
  {
    RequestLog log(options);
    EXPECT_FALSE(log.wants_prompts());
    log.write(record());
    log.flush();
    std::filesystem::rename(folder / "requests.log", folder / "requests.log.1");
    log.reopen();
    log.write(record());
    log.write(record());
  }
  const std::string line = format_request_line(record(), kWhen, false, false) + "\n";
  EXPECT_EQ(read_bytes(folder / "requests.log.1"), line);
  EXPECT_EQ(read_bytes(folder / "requests.log"), line + line);
  EXPECT_THAT(line, Not(HasSubstr("the prompt")));

  options.json = options.log_prompts = true;
  {
    RequestLog log(options);
    EXPECT_TRUE(log.wants_prompts());
    log.write(record());
  }
  EXPECT_THAT(read_bytes(folder / "requests.log"), HasSubstr(R"("answer":"the answer"})"));
}

}  // namespace
}  // namespace hadal::serve
