// The literals of the added tokens that the chat format uses (api.md A2). A literal is structure only when it
// travels as a special item or event; the same letters in a client's text are text.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace hadal::special {

inline constexpr std::string_view kBos = "<｜begin▁of▁sentence｜>";
inline constexpr std::string_view kEos = "<｜end▁of▁sentence｜>";
inline constexpr std::string_view kUser = "<｜User｜>";
inline constexpr std::string_view kAssistant = "<｜Assistant｜>";
inline constexpr std::string_view kThink = "<think>";
inline constexpr std::string_view kEndThink = "</think>";
inline constexpr std::string_view kDsml = "｜DSML｜";
inline constexpr std::string_view kLatestReminder = "<｜latest_reminder｜>";
inline constexpr std::string_view kEndOfTurn = "<|EOT|>";  // of older models; ASCII bars

// Quick-instruction tasks (A11): the value of a message's `task` and the token it stands for.
struct Task {
  std::string_view name;
  std::string_view literal;
};
inline constexpr std::string_view kActionTask = "action";
inline constexpr std::array<Task, 7> kTasks = {{{kActionTask, "<｜action｜>"},
                                                {"query", "<｜query｜>"},
                                                {"authority", "<｜authority｜>"},
                                                {"domain", "<｜domain｜>"},
                                                {"title", "<｜title｜>"},
                                                {"read_url", "<｜read_url｜>"},
                                                {"extracted_url", "<｜extracted_url｜>"}}};

constexpr std::optional<std::string_view> task_literal(std::string_view name) {
  for (const Task& task : kTasks)
    if (task.name == name) return task.literal;
  return std::nullopt;
}

// Whether a sampled token ends the assistant's turn: EOS, or one that only a prompt may contain (A2).
constexpr bool ends_turn(std::string_view literal) {
  return literal == kEos || literal == kBos || literal == kUser || literal == kAssistant ||
         literal == kEndOfTurn;
}

}  // namespace hadal::special
