// Whole conversations of an agent: answers tokenised at random, clients that spell the same thing otherwise.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "assistant/answer_stream.h"
#include "assistant/assistant_support.h"
#include "assistant/replay.h"
#include "chat/python_json.h"
#include "text/json_value.h"

namespace hadal {
namespace {

using namespace test;

using Random = std::mt19937;

size_t below(Random& random, size_t n) {
  return random() % n;
}

std::string random_text(Random& random, size_t pieces) {
  static const std::vector<std::string> kPieces = {"a",  "The ",  "fox", " went", "\n", "\n\n",
                                                   ".",  "<",     "é",   "日本",  "  ", "1234",
                                                   "</", "\"x\"", "\\",  "🦊",    "{}", "think>"};
  std::string out;
  for (size_t n = below(random, pieces); n > 0; --n) out += kPieces[below(random, kPieces.size())];
  return out;
}

JsonValue random_json(Random& random, int depth) {
  JsonValue out;
  out.kind = static_cast<JsonValue::Kind>(below(random, depth > 0 ? 7 : 5));
  if (out.is(JsonValue::Kind::kNumber))
    out.text =
        std::vector<std::string>{"0", "-7", "1.0", "2.50", "1e3", "12345678901234567890"}[below(random, 6)];
  if (out.is_string()) out.text = random_text(random, 6);
  if (out.is_array() || out.is_object())
    for (size_t n = below(random, 4); n > 0; --n) {
      if (out.is_object()) out.keys.push_back("k" + std::to_string(n) + "é");
      out.items.push_back(random_json(random, depth - 1));
    }
  return out;
}

JsonValue random_arguments(Random& random) {
  JsonValue out;
  do out = random_json(random, 3);
  while (!out.is_object());
  return out;
}

// What JSON.stringify or another library makes of a value: no spaces, escapes, keys the other way round.
std::string respelled(const JsonValue& value, bool reverse) {
  switch (value.kind) {
    case JsonValue::Kind::kArray:
    case JsonValue::Kind::kObject: {
      std::string out;
      const size_t n = value.items.size();
      for (size_t i = 0; i < n; ++i) {
        const size_t at = reverse && value.is_object() ? n - 1 - i : i;
        out += i > 0 ? "," : "";
        if (value.is_object()) out += json_quoted(value.keys[at]) + " :";
        out += respelled(value.items[at], reverse);
      }
      return value.is_object() ? "{" + out + "}" : "[ " + out + "]";
    }
    case JsonValue::Kind::kString: {
      std::string out = "\"";
      for (const char c : value.text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == '/')
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
      }
      return out + '"';
    }
    default:
      return python_json(value);
  }
}

// Items as ids, the text cut at random places first.
std::vector<int32_t> sampled(const std::vector<PromptItem>& items, Random& random) {
  std::vector<int32_t> ids;
  for (const PromptItem& item : items) {
    if (item.special) {
      ids.push_back(*mini_tokenizer().added_id(item.text));
      continue;
    }
    for (size_t at = 0; at < item.text.size();) {
      size_t end = at + 1 + below(random, 9);
      while (end < item.text.size() && (static_cast<unsigned char>(item.text[end]) & 0xC0) == 0x80) ++end;
      const auto more = mini_tokenizer().encode(item.text.substr(at, end - at));
      ids.insert(ids.end(), more.begin(), more.end());
      at = end;
    }
  }
  return ids;
}

// Without the newlines that a parser swallows.
std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of('\n');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of('\n') - first + 1);
}

class Agent {
 public:
  Agent(uint32_t seed, bool swallowed)
      : random_(seed), swallowed_(swallowed), style_(prompt_template(PromptGeneration::kV4Official)) {
    request_.mode = below(random_, 3) > 0 ? Mode::kThinking : Mode::kChat;
    if (below(random_, 3) > 0) request_.tools = {R"({"name": "f", "description": "x", "parameters": {}})"};
    if (below(random_, 2) > 0) say("system", random_text(random_, 20));
    say("user", random_text(random_, 20));
  }

  void turn() {
    const auto items = encode_chat(request_, style_);
    RC_ASSERT(items.has_value());
    const auto prompt = replay_.prompt_ids("me", *items);
    RC_ASSERT(prompt.has_value());
    RC_ASSERT(swallowed_ || text_of(*prompt) == render_flat(*items));
    if (grows_)
      RC_ASSERT(prompt->size() >= before_.size() &&
                std::equal(before_.begin(), before_.end(), prompt->begin()));

    // The model says something, and the client hears it.
    const std::vector<int32_t> answer = make_answer();
    CollectingSink sink;
    ParserOptions options;
    options.tools = !request_.tools.empty();
    options.start = parser_start(*items);
    AnswerStream stream(mini_tokenizer(), options, sink);
    for (const int32_t id : answer) stream.push(id);
    stream.finish(cut_ ? FinishCause::kLength : FinishCause::kEos);
    Message message;
    message.role = "assistant";
    message.reasoning_content = sink.message.reasoning;
    message.content = sink.message.content;
    for (const ParsedCall& call : sink.message.calls)
      message.tool_calls.push_back({"call_" + std::to_string(++calls_), call.name, call.arguments});
    RC_ASSERT(replay_.remember("me", {*prompt, answer, message, request_.mode, !cut_}) != "");

    before_ = *prompt;
    before_.insert(before_.end(), answer.begin(), answer.end());
    if (!cut_) before_.push_back(*mini_tokenizer().added_id(special::kEos));
    // A prompt without the reasoning begins another way, and so does one with less than was said: newlines
    // and the beginning of a character at the end of a cut answer are in no message.
    const bool dropped = request_.mode == Mode::kThinking && request_.tools.empty();
    const auto turn = std::span(before_).subspan(turn_begin(*prompt, mini_tokenizer()));
    grows_ = !dropped &&
             (!cut_ || render_flat(*turn_items(message, request_.mode, style_)).starts_with(text_of(turn)));
    remember_in_client(std::move(message));
  }

 private:
  void say(std::string role, std::string content) {
    Message message;
    message.role = std::move(role);
    message.content = std::move(content);
    request_.messages.push_back(std::move(message));
  }

  std::vector<int32_t> make_answer() {
    Message meant;
    meant.reasoning_content = trimmed(random_text(random_, 30));
    meant.content = trimmed(random_text(random_, 30));
    if (!request_.tools.empty())
      for (size_t n = below(random_, 3); n > 0; --n)
        meant.tool_calls.push_back({"", "f", python_json(random_arguments(random_))});
    auto items = *turn_items(meant, request_.mode, style_);
    items.erase(items.begin());  // in the prompt
    if (swallowed_)
      for (PromptItem& item : items)
        if (!item.special && below(random_, 2) == 0) item.text = "\n" + item.text + "\n";
    std::vector<int32_t> ids = sampled(items, random_);
    cut_ = below(random_, 4) == 0;
    if (cut_) ids.resize(below(random_, ids.size() + 1));
    return ids;
  }

  void remember_in_client(Message message) {
    for (ToolCall& call : message.tool_calls)
      if (const auto value = parse_json(call.arguments); value && below(random_, 2) == 0)
        call.arguments = respelled(*value, below(random_, 2) == 0);
    const std::vector<ToolCall> calls = message.tool_calls;
    if (!calls.empty() && below(random_, 2) == 0) message.reasoning_content.clear();
    request_.messages.push_back(std::move(message));
    for (const ToolCall& call : calls) {
      say("tool", random_text(random_, 10));
      request_.messages.back().tool_call_id = call.id;
    }
    if (calls.empty() || below(random_, 3) == 0) say("user", random_text(random_, 10));
    replay_.restore("me", request_.messages);
  }

  Random random_;
  const bool swallowed_;
  const PromptTemplate& style_;
  Replay replay_{mini_tokenizer(), style_};
  ChatRequest request_;
  std::vector<int32_t> before_;
  bool grows_ = false, cut_ = false;
  int calls_ = 0;
};

// The text of every prompt is the one without a memory, and a prompt goes on from all tokens before it.
RC_GTEST_PROP(ReplayProperty, TheTextStaysAndTheTokensGrow, (uint32_t seed)) {
  Agent agent(seed, false);
  for (int turn = 0; turn < 5; ++turn) agent.turn();
}

// Also with newlines that no message has.
RC_GTEST_PROP(ReplayProperty, WhatTheParserSwallowedStays, (uint32_t seed)) {
  Agent agent(seed, true);
  for (int turn = 0; turn < 5; ++turn) agent.turn();
}

}  // namespace
}  // namespace hadal
