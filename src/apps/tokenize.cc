// hadal tokenize: text to ids and back, for people and for comparison with other tokenizers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "base/error.h"
#include "text/tokenizer.h"

namespace hadal::apps {

namespace {

using Json = nlohmann::json;

struct Options {
  std::string tokenizer;
  std::string text;
  bool has_text = false;
  bool jsonl = false, json = false, decode = false, added = true, skip_special = false;
};

std::vector<int32_t> encode(const Tokenizer& tokenizer, const Options& options, std::string_view text) {
  return options.added ? tokenizer.encode_with_added(text) : tokenizer.encode(text);
}

std::vector<int32_t> ids_of(const Json& list) {
  if (!list.is_array())
    fail(ErrorCode::kInvalidInput, "expected an array of token ids, found {}", list.type_name());
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    // Compared as the type the parser chose, so that a huge number does not wrap around.
    const bool fits = item.is_number_unsigned()
                          ? item.get<uint64_t>() <= INT32_MAX
                          : item.is_number_integer() && item.get<int64_t>() >= INT32_MIN;
    // Lists and objects are not printed: that recurses as deep as a hostile line is nested.
    if (!fits)
      fail(ErrorCode::kInvalidInput, "entry {} is {}, not a token id", ids.size(),
           item.is_structured() ? item.type_name() : item.dump().substr(0, 40));
    ids.push_back(item.get<int32_t>());
  }
  return ids;
}

Json parse(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    fail(ErrorCode::kInvalidInput, "not valid JSON at byte {}", e.byte);
  } catch (const Json::exception&) {
    fail(ErrorCode::kInvalidInput, "a number is outside the range of a double");
  }
}

// One JSON value in, one out. Output is ASCII, so that a line is a line to every reader.
std::string convert_line(const Tokenizer& tokenizer, const Options& options, std::string_view line) {
  const Json in = parse(line);
  if (options.decode) {
    return Json(tokenizer.decode(ids_of(in), options.skip_special)).dump(-1, ' ', true);
  }
  if (!in.is_string()) fail(ErrorCode::kInvalidInput, "expected a JSON string, found {}", in.type_name());
  return Json(encode(tokenizer, options, in.get_ref<const std::string&>())).dump();
}

void run_lines(const Tokenizer& tokenizer, const Options& options) {
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    try {
      fmt::print("{}\n", convert_line(tokenizer, options, line));
    } catch (const Error& e) {
      std::fflush(stdout);
      throw Error(e.code() == ErrorCode::kInvalidInput ? ErrorCode::kInvalidFile : e.code(),
                  fmt::format("line {}: {}", number, e.what()));
    }
  }
}

// Ids as a person writes them: a JSON array, or numbers between spaces or commas.
std::vector<int32_t> ids_from_text(std::string text) {
  if (text.find('[') != std::string::npos) return ids_of(parse(text));
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(" \t\r\n,", at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(" \t\r\n,", at), text.size());
    const std::string_view word = std::string_view(text).substr(at, end - at);
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size()) {
      fail(ErrorCode::kInvalidInput, "\"{}\" is not a token id", word);
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

void run_text(const Tokenizer& tokenizer, const Options& options) {
  std::string input = options.text;
  if (!options.has_text) input.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (options.decode) {
    const std::string text = tokenizer.decode(ids_from_text(std::move(input)), options.skip_special);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  const std::vector<int32_t> ids = encode(tokenizer, options, input);
  if (!options.json) {
    fmt::print("{}\n", fmt::join(ids, " "));
    return;
  }
  nlohmann::ordered_json out = {{"ids", ids}, {"tokens", Json::array()}};
  for (const int32_t id : ids) out["tokens"].push_back(tokenizer.decode({&id, 1}));
  fmt::print("{}\n", out.dump());
}

}  // namespace

void add_tokenize(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  auto options = std::make_shared<Options>();
  command
      ->add_option("model", options->tokenizer,
                   "A tokenizer.json, a tokenizer.json.gz, or a folder with one of them")
      ->required()
      ->type_name("MODEL");
  CLI::Option* text =
      command->add_option("--text", options->text, "The text (or the ids); otherwise standard input");
  CLI::Option* jsonl = command->add_flag("--jsonl", options->jsonl,
                                         "One JSON string a line in, one JSON array of ids a line out");
  CLI::Option* decode = command->add_flag("--decode", options->decode, "The reverse: ids in, text out");
  command->add_flag("--json", options->json, "Print one object: ids, and the text of each token")
      ->excludes(jsonl)
      ->excludes(decode);
  command
      ->add_flag(
          "--added,!--plain", options->added,
          "Literals of added tokens, such as <think>, become their ids (the default); --plain: they are text "
          "like any other")
      ->excludes(decode);
  command->add_flag("--skip-special", options->skip_special, "Leave special tokens out of the text")
      ->needs(decode);
  text->excludes(jsonl);
  command->callback([options, text] {
    options->has_text = text->count() > 0;
    const Tokenizer tokenizer = Tokenizer::load(options->tokenizer);
    options->jsonl ? run_lines(tokenizer, *options) : run_text(tokenizer, *options);
  });
}

}  // namespace hadal::apps
