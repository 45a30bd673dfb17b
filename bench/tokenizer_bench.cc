// Speed of the tokenizer: loading, encoding (English as generated here, then the hard cases: one class of
// characters without end), decoding. Set HADAL_BENCH_TOKENIZER to a tokenizer.json to measure another than
// hadal-mini's, and HADAL_BENCH_TEXT to a text file.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace {

using hadal::Tokenizer;

std::string tokenizer_path() {
  const char* path = std::getenv("HADAL_BENCH_TOKENIZER");
  return path != nullptr ? path : HADAL_SOURCE_DIR "/models/hadal-mini/tokenizer.json";
}

const Tokenizer& tokenizer() {
  static const Tokenizer loaded = Tokenizer::load(tokenizer_path());
  return loaded;
}

// Sentences of common words, with the spread of word frequencies that makes text repeat itself as English
// does.
std::string english(size_t bytes) {
  if (const char* path = std::getenv("HADAL_BENCH_TEXT")) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const std::vector<std::string> stems = {"the",    "of",     "river",    "and",    "walk",  "house",
                                          "in",     "to",     "was",      "little", "story", "garden",
                                          "letter", "winter", "remember", "under"};
  const std::vector<std::string> ends = {"", "s", "ed", "ing", "er", "ly", "ness", "'s"};
  std::string text;
  uint64_t state = 1;
  const auto random = [&](uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
  };
  while (text.size() < bytes) {
    text += stems[random(1 + random(stems.size()))] + ends[random(1 + random(ends.size()))];
    const uint64_t stop = random(60);
    text += stop == 0 ? ".\n\n" : stop < 4 ? ". " : stop < 9 ? ", " : stop == 9 ? " 1847 " : " ";
  }
  return text;
}

std::string repeat(std::string_view what, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += what;
  return text;
}

void encode(benchmark::State& state, const std::string& text) {
  size_t ids = 0;
  for (auto _ : state) ids = tokenizer().encode(text).size();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["tokens"] = static_cast<double>(ids);
}

void load(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::load(tokenizer_path()));
}

void decode(benchmark::State& state, const std::string& text) {
  const std::vector<int32_t> ids = tokenizer().encode(text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer().decode(ids));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * ids.size()));
}

void stream(benchmark::State& state, const std::string& text) {
  const std::vector<int32_t> ids = tokenizer().encode(text);
  for (auto _ : state) {
    hadal::StreamDecoder decoder(tokenizer());
    size_t bytes = 0;
    for (const int32_t id : ids) bytes += decoder.push(id).size();
    benchmark::DoNotOptimize(bytes + decoder.finish().size());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * ids.size()));
}

}  // namespace

int main(int argc, char** argv) {
  constexpr size_t kMega = 1 << 20;
  using benchmark::RegisterBenchmark;
  const auto unit = benchmark::kMillisecond;
  RegisterBenchmark("load", load)->Unit(unit);
  RegisterBenchmark("encode/english", encode, english(4 * kMega))->Unit(unit);
  RegisterBenchmark("encode/english_short", encode, english(200).substr(0, 200));
  const std::pair<const char*, const char*> hard[] = {
      {"letter", "a"},          {"words_unspaced", "abcdefghijklmnopqrstuvwxyz"},
      {"space", " "},           {"newline", "\n"},
      {"space_newline", " \n"}, {"mark", "\u0301"},
      {"punctuation", "!"},     {"han", "中"},
      {"digit", "7"},           {"control", "\x01"},
      {"emoji", "🙂"},          {"broken_utf8", "\xFF"}};
  for (const auto& [name, what] : hard) {
    RegisterBenchmark((std::string("encode/1MiB_of_") + name).c_str(), encode, repeat(what, kMega))
        ->Unit(unit);
  }
  RegisterBenchmark("decode", decode, english(kMega))->Unit(unit);
  RegisterBenchmark("stream", stream, english(kMega))->Unit(unit);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
