#include "chat/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace hadal {
namespace {

void join(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text.append("\n\n");
  text.append(more);
}

Turn make_turn(TurnKind kind, std::string text = {}, std::string task = {}) {
  Turn turn;
  turn.kind = kind;
  turn.text = std::move(text);
  turn.task = std::move(task);
  return turn;
}

// A piece of a user turn.
struct Block {
  bool is_result = false;
  std::string call_id;
  std::string text;
};

// Results stand in the order of the calls they answer, whatever order they came in; everything else keeps its
// place (A9). An unknown id counts as the first call.
void order_results(std::vector<Block>& blocks, const std::vector<ToolCall>& calls) {
  std::unordered_map<std::string_view, size_t> order;
  for (size_t i = 0; i < calls.size(); ++i) order[calls[i].id] = i;
  std::vector<size_t> places;
  std::vector<Block> results;
  std::vector<std::pair<size_t, size_t>> sorted;  // rank, index into results
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (!blocks[i].is_result) continue;
    const auto found = order.find(blocks[i].call_id);
    sorted.emplace_back(found == order.end() ? 0 : found->second, results.size());
    places.push_back(i);
    results.push_back(std::move(blocks[i]));
  }
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < places.size(); ++i) blocks[places[i]] = std::move(results[sorted[i].second]);
}

class TurnBuilder {
 public:
  TurnBuilder(const ChatRequest& request, const PromptTemplate& style, Dialect dialect)
      : request_(request), style_(style), hosted_(dialect == Dialect::kHosted) {}

  Result<Conversation> build() {
    if (hosted_ && request_.messages.empty()) return problem("messages", "expected at least one message");
    if (hosted_) turns_.push_back(make_turn(TurnKind::kSystem));
    for (size_t i = 0; i < request_.messages.size(); ++i)
      if (const auto added = add(request_.messages[i], fmt::format("messages[{}]", i)); !added)
        return tl::make_unexpected(added.error());
    close_user_turn();
    if (const auto set = set_continued(); !set) return tl::make_unexpected(set.error());
    attach_request_tools();
    return finish();
  }

 private:
  using Status = tl::expected<void, Problem>;

  Status add(const Message& message, const std::string& where) {
    const bool last = &message == &request_.messages.back();
    if (message.prefix && (!last || message.role != "assistant"))
      return problem(where + ".prefix", "expected only on the last message, and only for the assistant");
    if (message.role == "tool") {
      add_block({true, message.tool_call_id, fmt::format("<tool_result>{}</tool_result>", message.content)},
                message.task);
    } else if (message.role == "user") {
      add_block({false, "", message.content}, message.task);
    } else if (message.role == "system" || message.role == "developer") {
      return add_instructions(message, where);
    } else if (message.role == "latest_reminder") {
      close_user_turn();
      turns_.push_back(make_turn(TurnKind::kLatestReminder, message.content, message.task));
    } else if (message.role == "assistant") {
      return add_assistant(message, where);
    } else {
      return problem(where + ".role", fmt::format("unknown role \"{}\"", message.role));
    }
    return {};
  }

  // A turn that carries a task is complete: what follows belongs to the next.
  void add_block(Block block, const std::string& task) {
    if (!blocks_.empty() && !block_task_.empty()) close_user_turn();
    blocks_.push_back(std::move(block));
    block_task_ = task;
  }

  void close_user_turn() {
    if (blocks_.empty()) return;
    order_results(blocks_, calls_before_);
    Turn turn = make_turn(TurnKind::kUser, {}, block_task_);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      if (i > 0) turn.text.append("\n\n");
      turn.text.append(blocks_[i].text);
    }
    blocks_.clear();
    block_task_.clear();
    turns_.push_back(std::move(turn));
  }

  Status add_instructions(const Message& message, const std::string& where) {
    const bool developer = message.role == "developer";
    const bool leading = turns_.size() == 1 && blocks_.empty();
    if (hosted_ && leading) {
      Turn& system = turns_.front();
      join(system.text, message.content);
      extend(system, message);
      return {};
    }
    const bool own_parts = !message.tools.empty() || !message.response_format.empty();
    if (hosted_ && !(developer && own_parts) && !style_.has_late_system()) {
      extend(turns_.front(), message);
      if (!message.content.empty()) add_block({false, "", message.content}, message.task);
      return {};
    }
    if (developer && message.content.empty())
      return problem(where + ".content", "expected text in a developer message");
    close_user_turn();
    Turn turn =
        make_turn(developer ? TurnKind::kDeveloper : TurnKind::kSystem, message.content, message.task);
    extend(turn, message);
    turns_.push_back(std::move(turn));
    return {};
  }

  static void extend(Turn& turn, const Message& message) {
    turn.tools.insert(turn.tools.end(), message.tools.begin(), message.tools.end());
    if (!message.response_format.empty()) turn.formats.push_back(message.response_format);
  }

  Status add_assistant(const Message& message, const std::string& where) {
    close_user_turn();
    calls_before_ = message.tool_calls;
    if (hosted_)  // a call without arguments; the published encoder shows an empty parameter instead (A8.2)
      for (ToolCall& call : calls_before_)
        if (call.arguments.find_first_not_of(" \t\r\n") == std::string::npos) call.arguments = "{}";
    if (hosted_ && turns_.back().kind == TurnKind::kAssistant && turns_.back().task.empty()) {
      Turn& before = turns_.back();
      if (!before.tool_calls.empty())
        return problem(where, "expected the results of the tool calls of the assistant message before it");
      join(before.text, message.content);
      join(before.reasoning, message.reasoning_content);
      before.tool_calls = calls_before_;
      before.task = message.task;
      return {};
    }
    Turn turn = make_turn(TurnKind::kAssistant, message.content, message.task);
    turn.reasoning = message.reasoning_content;
    turn.tool_calls = calls_before_;
    turns_.push_back(std::move(turn));
    return {};
  }

  Status set_continued() {
    if (!request_.continue_last && (request_.messages.empty() || !request_.messages.back().prefix)) return {};
    if (turns_.empty() || turns_.back().kind != TurnKind::kAssistant)
      return problem("messages", "expected an assistant message at the end, to be continued");
    turns_.back().continued = true;
    return {};
  }

  // The tools of the request belong to the system part (A3.3), which exists at least for them.
  void attach_request_tools() {
    if (request_.tools.empty() && request_.response_format.empty()) return;
    const bool place = !turns_.empty() && (turns_.front().kind == TurnKind::kSystem ||
                                           turns_.front().kind == TurnKind::kDeveloper);
    if (!place) turns_.insert(turns_.begin(), make_turn(TurnKind::kSystem));
    Turn& first = turns_.front();
    first.tools.insert(first.tools.begin(), request_.tools.begin(), request_.tools.end());
    if (!request_.response_format.empty()) first.formats.push_back(request_.response_format);
  }

  Conversation finish() {
    Conversation out;
    for (const Turn& turn : turns_) out.any_tools = out.any_tools || !turn.tools.empty();
    out.drop_reasoning = request_.drop_thinking && !out.any_tools;
    const auto find_last_user = [this] {
      for (size_t i = turns_.size(); i-- > 0;)
        if (turns_[i].kind == TurnKind::kUser || turns_[i].kind == TurnKind::kDeveloper)
          return static_cast<int>(i);
      return -1;
    };
    if (request_.mode == Mode::kThinking && out.drop_reasoning) {
      // Instructions of a developer count for one turn, as reasoning does (A6).
      const int last = find_last_user();
      std::vector<Turn> kept;
      for (int i = 0; Turn & turn : turns_)
        if (i++ >= last || turn.kind != TurnKind::kDeveloper) kept.push_back(std::move(turn));
      turns_ = std::move(kept);
    }
    out.last_user = find_last_user();
    out.turns = std::move(turns_);
    return out;
  }

  const ChatRequest& request_;
  const PromptTemplate& style_;
  const bool hosted_;
  std::vector<Turn> turns_;    // in the hosted form the first is the system part, possibly empty
  std::vector<Block> blocks_;  // of the user turn under way
  std::string block_task_;
  std::vector<ToolCall> calls_before_;  // of the last assistant message
};

}  // namespace

Result<Conversation> make_conversation(const ChatRequest& request, const PromptTemplate& style,
                                       Dialect dialect) {
  return TurnBuilder(request, style, dialect).build();
}

}  // namespace hadal
