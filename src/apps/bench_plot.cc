// The picture of `hadal bench MODEL --plot`: SVG, a bar for each run.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "apps/bench_model.h"

namespace hadal::apps {
namespace {

constexpr int kRow = 26, kLeft = 210, kWidth = 460, kTop = 70;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

std::string label(const ModelRun& run) {
  if (!run.decode) return fmt::format("prefill, {} tokens", run.tokens);
  if (run.batch > 1) return fmt::format("decode, batch {}", run.batch);
  return run.context == 0 ? "decode" : fmt::format("decode at {}", run.context);
}

}  // namespace

std::string plot_model_bench(const ModelBenchOptions& options, const ModelBenchResult& result) {
  const int height = kTop + kRow * static_cast<int>(result.runs.size()) + 30;
  const std::string name = std::filesystem::weakly_canonical(options.model).filename().string();
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 {}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"16\" y=\"24\" font-size=\"16\">{}: share of what the machine can do</text>\n"
      "<text x=\"16\" y=\"44\" fill=\"#555\">{}, {} threads; decode of {:.1f} GB/s read, prefill of {:.0f} "
      "GFLOP/s</text>\n",
      height, escaped(name), result.isa, result.threads, result.machine.read_bytes / 1e9,
      result.machine.flops / 1e9);
  const int bottom = kTop + kRow * static_cast<int>(result.runs.size());
  for (int percent = 0; percent <= 100; percent += 25)
    fmt::format_to(std::back_inserter(svg),
                   "<path d=\"M{0} {1}V{2}\" stroke=\"#ddd\"/><text x=\"{0}\" y=\"{3}\" fill=\"#555\" "
                   "text-anchor=\"middle\">{4} %</text>\n",
                   kLeft + kWidth * percent / 100, kTop - 8, bottom, bottom + 16, percent);
  int y = kTop;
  for (const ModelRun& run : result.runs) {
    const double share = std::clamp(run.share(), 0.0, 1.0);
    fmt::format_to(std::back_inserter(svg),
                   "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
                   "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>"
                   "<text x=\"{:.1f}\" y=\"{}\" fill=\"#333\">{:.0f} %, {:.4g} tokens/s</text>\n",
                   kLeft - 8, y + 14, label(run), kLeft, y + 2, share * kWidth, kRow - 8,
                   run.decode ? "#2a6f97" : "#e09f3e", kLeft + share * kWidth + 6, y + 14, run.share() * 100,
                   run.median());
    y += kRow;
  }
  return svg += "</svg>\n";
}

}  // namespace hadal::apps
