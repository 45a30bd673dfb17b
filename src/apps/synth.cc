// hadal synth: a random checkpoint in the released format.
#include "model/synth.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "text/byte_level.h"

namespace hadal::apps {
namespace {

namespace fs = std::filesystem;

struct SynthCommand {
  std::string preset, out;
  int layers = 0, experts = 0;
  uint64_t seed = 0;
};

// Removes the folder unless it got its name.
class PartialFolder {
 public:
  explicit PartialFolder(const fs::path& target) : target_(target) {
    std::error_code error;
    if (fs::exists(target, error) && !(fs::is_directory(target, error) && fs::is_empty(target, error)))
      fail(ErrorCode::kInvalidInput, "{}: it is there already, expected a new folder", target.string());
    path_ = target;
    if (!path_.has_filename()) path_ = path_.parent_path();
    path_ += ".partial";
    fs::remove_all(path_);  // of a run that was killed
    fs::create_directories(path_);
  }
  ~PartialFolder() {
    std::error_code ignored;
    if (!done_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  void commit() {
    fs::remove(target_);  // an empty one
    fs::rename(path_, target_);
    done_ = true;
  }

 private:
  fs::path target_, path_;
  bool done_ = false;
};

// A token for every byte and the names of the format, without merges: text is bytes.
std::string byte_tokenizer() {
  using Json = nlohmann::ordered_json;
  Json vocab = Json::object(), added = Json::array();
  int id = 0;
  const auto add = [&](const char* text) {
    added.push_back({{"id", id},
                     {"content", text},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", id < 3}});
    vocab[text] = id++;
  };
  for (const char* text : {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"}) add(text);
  for (int byte = 0; byte < 256; ++byte) vocab[byte_level_symbol(static_cast<uint8_t>(byte))] = id++;
  for (const char* text : {"<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "｜DSML｜",
                           "<｜latest_reminder｜>", "<｜action｜>", "<｜query｜>", "<｜authority｜>",
                           "<｜domain｜>", "<｜title｜>", "<｜extracted_url｜>", "<｜read_url｜>"})
    add(text);
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", added},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"vocab", vocab},
                            {"merges", Json::array()}}}};
  return tokenizer.dump(1) + "\n";
}

void write_text(const fs::path& file, const std::string& text) {
  AtomicFile out(file);
  out.append(std::as_bytes(std::span(text)));
  out.commit();
}

void run(const SynthCommand& command) {
  const std::string config = synth_config(command.preset, command.layers, command.experts);
  const InterruptGuard interrupt;
  PartialFolder folder(command.out);
  SynthOptions options;
  options.seed = command.seed;
  std::unique_ptr<ProgressBar> bar;
  options.progress = [&](int64_t done, int64_t total) {
    interrupt.check();
    if (!bar) bar = std::make_unique<ProgressBar>("megabytes", total >> 20);
    bar->update(done >> 20);
  };
  write_synth(folder.path(), config, options);
  write_text(folder.path() / "tokenizer.json", byte_tokenizer());
  write_text(folder.path() / "generation_config.json",
             "{\"do_sample\": true, \"temperature\": 1.0, \"top_p\": 1.0, "
             "\"hadal_prompt_generation\": \"v4-official\"}\n");
  folder.commit();
}

}  // namespace

void add_synth(CLI::App& app) {
  auto command = std::make_shared<SynthCommand>();
  CLI::App& sub = *app.add_subcommand(
      "synth", "Write a checkpoint of random weights in the released format, for measuring");
  std::string presets;
  for (const SynthPreset& preset : synth_presets())
    presets += fmt::format("{}{}: {}", presets.empty() ? "" : "\n", preset.name, preset.what);
  sub.add_option("--preset", command->preset, presets)->required();
  sub.add_option("--out", command->out, "folder to write; it must not be there yet")
      ->required()
      ->check(not_empty());
  sub.add_option("--layers", command->layers, "only so many of the first layers; 0: all")
      ->check(CLI::Range(0, 1024));
  sub.add_option("--experts", command->experts, "routed experts of a layer; 0: as the preset")
      ->check(CLI::Range(0, 16384));
  sub.add_option("--seed", command->seed, "of the random values; the same seed gives the same bytes");
  sub.callback([command] { run(*command); });
}

}  // namespace hadal::apps
