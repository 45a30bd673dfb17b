#include "apps/bench_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

#include "apps/xz_lines.h"
#include "base/error.h"
#include "chat/python_json.h"
#include "sample/grammar/json_grammar.h"
#include "text/json_value.h"
#include "text/tokenizer.h"

namespace hadal::apps {
namespace {

using Clock = std::chrono::steady_clock;
using grammar::Matcher;
using grammar::Vocabulary;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

Spread spread(std::vector<double>& values) {
  Spread result;
  if (values.empty()) return result;
  std::ranges::sort(values);
  const auto at = [&values](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  };
  for (const double value : values) result.average += value / static_cast<double>(values.size());
  result.p50 = at(0.5), result.p90 = at(0.9), result.p99 = at(0.99), result.max = values.back();
  return result;
}

struct Measured {
  std::vector<double> ttfm, mask, bytes;
};

class Bench {
 public:
  Bench(Tokenizer tokenizer, GrammarBenchResult& result, Measured& measured)
      : tokenizer_(tokenizer),
        vocabulary_(std::make_shared<Vocabulary>(tokenizer, tokenizer.vocab_size())),
        bits_(vocabulary_->words()),
        result_(result),
        measured_(measured) {}

  // One line's schema and its texts. Returns the verdict: "pass", or what went wrong.
  std::string run(const JsonValue& line) {
    const JsonValue* schema = grammar::member(line, "schema");
    const JsonValue* tests = grammar::member(line, "tests");
    if (!schema || !tests || !tests->is_array())
      fail(ErrorCode::kInvalidInput, "expected \"schema\" and a list \"tests\"");
    ++result_.schemas;
    slowest_ = 0;
    const Clock::time_point start = Clock::now();
    // Texts come with any white space and their keys in any order.
    const grammar::JsonStyle style{.space = grammar::JsonStyle::Space::kAny,
                                   .any_order = true,
                                   .any_spelling = true,
                                   .formats_by_dialect = true};
    const auto compiled = grammar::json_schema_grammar(vocabulary_, {}, *schema, style);
    if (!compiled) {
      ++result_.compile_error;
      return "compile error: " + compiled.error().to_string();
    }
    try {
      Matcher(*compiled).allow(bits_);
      measured_.ttfm.push_back(microseconds_since(start));
      bool missed = false, let_in = false;
      std::string verdict;
      for (const JsonValue& test : tests->items) {
        const JsonValue* valid = grammar::member(test, "valid");
        const JsonValue* text = grammar::member(test, "text");
        const JsonValue* data = grammar::member(test, "data");
        if (!valid || !valid->is_bool() || !(data || (text && text->is_string())))
          fail(ErrorCode::kInvalidFile, "a test without \"valid\" and \"text\" or \"data\"");
        const std::string written = text ? text->text : python_json(*data);
        const bool fits = accepts(*compiled, written);
        if (fits == valid->is(JsonValue::Kind::kTrue)) continue;
        (fits ? let_in : missed) = true;
        if (verdict.empty())
          verdict =
              (fits ? "accepts an invalid text: " : "does not accept a valid text: ") + stopped_at_ + written;
      }
      measured_.bytes.push_back(static_cast<double>((*compiled)->bytes()));
      result_.validation_error += missed;
      result_.invalidation_error += let_in;
      if (missed || let_in) return verdict;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInvalidFile) throw;
      ++result_.compile_error;
      return std::string("compile error: ") + error.what();
    }
    ++result_.passing;
    return "pass";
  }

  // Microseconds of the last schema's slowest mask.
  double last_slowest() const { return slowest_; }

 private:
  bool accepts(const std::shared_ptr<grammar::Grammar>& compiled, const std::string& text) {
    Matcher matcher(compiled);
    std::string read;
    stopped_at_.clear();
    for (const int32_t id : tokenizer_.encode(text)) {
      const Clock::time_point start = Clock::now();
      matcher.allow(bits_);
      measured_.mask.push_back(microseconds_since(start));
      slowest_ = std::max(slowest_, measured_.mask.back());
      ++result_.tokens;
      const bool allowed = bits_[static_cast<size_t>(id) / 32] >> (static_cast<uint32_t>(id) % 32) & 1;
      const bool accepted = matcher.accept(id);
      if (accepted != allowed)
        fail(ErrorCode::kInvalidFile, "the mask and the automaton disagree about token {} after {}", id,
             read);
      if (!accepted) {
        stopped_at_ = fmt::format("[stopped after {} bytes] ", read.size());
        return false;
      }
      read += tokenizer_.token_bytes(id);
    }
    return matcher.can_end();
  }

  Tokenizer tokenizer_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  grammar::TokenBits bits_;
  std::string stopped_at_;
  double slowest_ = 0;
  GrammarBenchResult& result_;
  Measured& measured_;
};

}  // namespace

GrammarBenchResult run_grammar_bench(const GrammarBenchOptions& options) {
  GrammarBenchResult result;
  Measured measured;
  Bench bench(Tokenizer::load(options.tokenizer), result, measured);
  XzLines lines(options.in);
  std::ofstream verdicts;
  if (!options.verdicts.empty()) {
    verdicts.open(options.verdicts);
    if (!verdicts) fail(ErrorCode::kIo, "{}: cannot be written", options.verdicts);
  }
  std::string text;
  for (int64_t number = 1; lines.next(text) && (options.limit == 0 || number <= options.limit); ++number) {
    if (text.empty()) continue;
    const auto line = parse_json(text);
    if (!line) fail(ErrorCode::kInvalidFile, "{} line {}: {}", options.in, number, line.error().to_string());
    std::string verdict;
    try {
      verdict = bench.run(*line);
    } catch (const Error& error) {
      fail(error.code(), "{} line {}: {}", options.in, number, error.what());
    }
    if (!verdicts.is_open()) continue;
    const JsonValue* name = grammar::member(*line, "name");
    verdicts << (name ? name->text : std::to_string(number)) << '\t' << bench.last_slowest() << '\t'
             << verdict << '\n';
  }
  result.ttfm_us = spread(measured.ttfm);
  result.mask_us = spread(measured.mask);
  result.bytes = spread(measured.bytes);
  return result;
}

}  // namespace hadal::apps
