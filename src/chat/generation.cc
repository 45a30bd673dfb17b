// detect_generation: the checkpoint's own encoder says which prompt texts the model was trained with.
#include <cctype>
#include <fstream>
#include <string>

#include "base/log.h"
#include "chat/prompt_template.h"

namespace hadal {
namespace {

constexpr size_t kMostBytes = size_t{4} << 20;  // of the encoder's source; the published one has about 30 KB

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool has_identifier(std::string_view source, std::string_view name) {
  for (size_t at = source.find(name); at != std::string_view::npos; at = source.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at == 0 || !is_word(source[at - 1])) && (end == source.size() || !is_word(source[end]))) return true;
  }
  return false;
}

// A line that mentions an effort and gives "low" as a default: `... effort ... = "low"`.
bool defaults_to_low(std::string_view source) {
  for (const std::string_view low : {"\"low\"", "'low'"}) {
    for (size_t at = source.find(low); at != std::string_view::npos; at = source.find(low, at + 1)) {
      const size_t line = source.rfind('\n', at) == std::string_view::npos ? 0 : source.rfind('\n', at) + 1;
      std::string before;
      for (const char c : source.substr(line, at - line))
        before.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      while (!before.empty() && before.back() == ' ') before.pop_back();
      if (before.ends_with('=') && !before.ends_with("==") && before.find("effort") != std::string::npos)
        return true;
    }
  }
  return false;
}

}  // namespace

PromptGeneration detect_generation(const std::filesystem::path& model_folder) {
  const std::filesystem::path path = model_folder / "encoding" / "encoding_dsv4.py";
  std::string source;
  if (std::ifstream file(path, std::ios::binary); file) {
    source.resize(kMostBytes);
    file.read(source.data(), static_cast<std::streamsize>(source.size()));
    source.resize(static_cast<size_t>(file.gcount()));
  }
  if (has_identifier(source, "REASONING_EFFORT_MAX")) return PromptGeneration::kV4Preview;
  if (has_identifier(source, "REASONING_EFFORT_PROMPTS") && defaults_to_low(source))
    return PromptGeneration::kV4Official;
  log_warning("{} {}, so the prompt generation this model was trained with is unknown; using {}",
              path.string(), source.empty() ? "is not there" : "does not tell",
              generation_name(PromptGeneration::kV4Official));
  return PromptGeneration::kV4Official;
}

}  // namespace hadal
