// hadal perplexity: the loss of a model on texts, and its bits per byte.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/commands.h"
#include "apps/ids_file.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "text/tokenizer.h"

namespace hadal::apps {
namespace {

struct PerplexityOptions : ModelOptions {
  std::string file;
  bool json = false, per_document = false;
};

struct Document {
  std::vector<int32_t> ids;
  std::optional<int64_t> bytes = 0;  // none: only ids are known
};

// Text to ids with BOS first. The tokenizer is opened for the first text, so that ids alone need none.
class TextReader {
 public:
  TextReader(const std::string& model, const Config& config) : model_(model), config_(config) {}

  Document read(std::string_view text) {
    if (!tokenizer_) tokenizer_.emplace(Tokenizer::load(model_));
    Document document;
    document.bytes = static_cast<int64_t>(text.size());
    document.ids = tokenizer_->encode(text);
    document.ids.insert(document.ids.begin(), static_cast<int32_t>(config_.bos_token_id));
    return document;
  }

 private:
  const std::string& model_;
  const Config& config_;
  std::optional<Tokenizer> tokenizer_;
};

// One line of a .jsonl: `text`, or `ids` taken as they are with `text` only counting bytes.
Document read_line(const std::string& line, const std::string& where, TextReader& reader,
                   const Config& config) {
  const nlohmann::json json = parse_json(line, where);
  const auto text = json.is_object() ? json.find("text") : json.end();
  const auto ids = json.is_object() ? json.find("ids") : json.end();
  if (text == json.end() && ids == json.end())
    fail(ErrorCode::kInvalidFile, "{}: expected an object with `text` or `ids`", where);
  if (text != json.end() && !text->is_string())
    fail(ErrorCode::kInvalidFile, "{}: text: expected a string, found {}", where, text->type_name());
  if (ids == json.end()) return reader.read(text->get_ref<const std::string&>());
  Document document;
  document.ids = ids_from_json(*ids, config.vocab_size, where + ": ids");
  document.bytes.reset();
  if (text != json.end()) document.bytes = static_cast<int64_t>(text->get_ref<const std::string&>().size());
  return document;
}

std::vector<Document> read_documents(const std::string& path, const std::string& model,
                                     const Config& config) {
  const std::string text = read_file(path);
  TextReader reader(model, config);
  std::vector<Document> documents;
  if (path.ends_with(".jsonl")) {
    int64_t number = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      documents.push_back(read_line(line, fmt::format("{}: line {}", path, number), reader, config));
    }
  } else {
    documents.push_back(reader.read(text));
  }
  if (documents.empty()) fail(ErrorCode::kInvalidFile, "{}: holds no document", path);
  for (const Document& d : documents)
    for (const int32_t id : d.ids)
      if (id >= config.vocab_size)
        fail(ErrorCode::kInvalidFile, "{}: the tokenizer gives id {}, and the model's vocabulary ends at {}",
             path, id, config.vocab_size - 1);
  return documents;
}

// -log softmax(logits)[id].
double loss(std::span<const float> logits, int32_t id) {
  double top = -INFINITY, sum = 0;
  for (const float z : logits) top = std::max(top, static_cast<double>(z));
  for (const float z : logits) sum += std::exp(z - top);
  return std::log(sum) + top - logits[static_cast<size_t>(id)];
}

// Calls sink with the logits [n, vocab] after each chunk of n tokens from `first` on.
void score(const Model& model, Ops& ops, std::span<const int32_t> ids,
           const std::function<void(int64_t first, View logits)>& sink) {
  constexpr int64_t kChunk = 128;
  SequenceState state(model.state_layout(), ops);
  const int64_t total = static_cast<int64_t>(ids.size());
  for (int64_t at = 0; at < total; at += kChunk) {
    const Arena::Frame frame(ops.arena());
    const int64_t n = std::min(kChunk, total - at);
    const View logits = ops.arena().alloc({n, model.config().vocab_size}, DType::kF32);
    const Segment segment{&state, 0, n, LogitsWanted::kAll};
    const Batch batch{ids.subspan(static_cast<size_t>(at), static_cast<size_t>(n)), {&segment, 1}};
    model.forward(Ctx{ops}, batch, {logits, {}});
    sink(at, logits);
  }
}

void run(const PerplexityOptions& options) {
  const OpenModel open = open_model(options);
  const Model& model = *open.model;
  const std::vector<Document> documents = read_documents(options.file, options.model, model.config());
  int64_t total_tokens = 0, done = 0, tokens = 0, bytes = 0;
  for (const Document& d : documents) total_tokens += static_cast<int64_t>(d.ids.size());

  double nats = 0;
  bool bytes_known = true;
  std::vector<double> per_document;
  {
    ProgressBar progress("perplexity", total_tokens);
    for (const Document& document : documents) {
      double of_document = 0;
      score(model, *open.ops, document.ids, [&](int64_t first, View logits) {
        for (int64_t i = 0; i < logits.dim[0]; ++i)
          if (const size_t next = static_cast<size_t>(first + i + 1); next < document.ids.size())
            of_document +=
                loss({logits.row<const float>(i), static_cast<size_t>(logits.dim[1])}, document.ids[next]);
        progress.update(done += logits.dim[0]);
      });
      const int64_t scored = static_cast<int64_t>(document.ids.size()) - 1;
      nats += of_document;
      tokens += std::max<int64_t>(scored, 0);
      bytes += document.bytes.value_or(0);
      bytes_known = bytes_known && document.bytes.has_value();
      per_document.push_back(scored > 0 ? of_document / static_cast<double>(scored) : 0.0);
    }
  }
  if (tokens == 0)
    fail(ErrorCode::kInvalidFile, "{}: no token to score; every document has one token", options.file);
  if (!std::isfinite(nats))
    fail(ErrorCode::kInvalidFile, "{}: the loss is {}; the model's logits are not finite", options.model,
         nats);
  const double per_token = nats / static_cast<double>(tokens);
  std::optional<double> per_byte;
  if (bytes_known && bytes > 0) per_byte = nats / std::log(2.0) / static_cast<double>(bytes);
  if (options.json) {
    nlohmann::ordered_json out = {{"nats_per_token", per_token},
                                  {"bits_per_byte", nullptr},
                                  {"tokens", tokens},
                                  {"bytes", nullptr},
                                  {"documents", documents.size()}};
    if (per_byte) out["bits_per_byte"] = *per_byte;
    if (bytes_known) out["bytes"] = bytes;
    if (options.per_document) out["per_document"] = per_document;
    fmt::print("{}\n", out.dump());
    return;
  }
  if (options.per_document)
    for (size_t i = 0; i < per_document.size(); ++i)
      fmt::print("document {}: {:.6f} nats/token\n", i, per_document[i]);
  fmt::print(
      "nats_per_token {:.6f}  perplexity {:.4f}  bits_per_byte {}  tokens {}  bytes {}  documents {}\n",
      per_token, std::exp(per_token), per_byte ? fmt::format("{:.6f}", *per_byte) : "unknown", tokens,
      bytes_known ? std::to_string(bytes) : "unknown", documents.size());
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App& command =
      *app.add_subcommand("perplexity", "loss on a text file or on the documents of a .jsonl");
  add_model_options(command, *options);
  command
      .add_option(
          "FILE", options->file,
          ".txt: one document; .jsonl: one a line with `text` (BOS is put first), or `ids` taken as they are")
      ->required();
  command.add_flag("--json", options->json, "print one JSON object");
  command.add_flag("--per-document", options->per_document, "also the loss of every document");
  command.callback([options] { run(*options); });
}

}  // namespace hadal::apps
