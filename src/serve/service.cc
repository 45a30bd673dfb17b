#include "serve/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "chat/encode.h"
#include "serve/ids.h"

namespace hadal::serve {
namespace {

using std::chrono::steady_clock;

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// The keys a request presents: both headers, whatever the API (B1.3).
std::vector<std::string_view> presented_keys(const HttpRequest& request) {
  std::vector<std::string_view> keys;
  for (const Header& header : request.headers) {
    std::string_view value = header.value;
    const auto is = [&](std::string_view name) {
      return std::equal(header.name.begin(), header.name.end(), name.begin(), name.end(),
                        [](char a, char b) { return (a | 0x20) == (b | 0x20); });
    };
    if (is("x-api-key")) {
      if (!value.empty()) keys.push_back(value);
    } else if (is("authorization")) {
      constexpr std::string_view kBearer = "bearer ";
      if (value.size() <= kBearer.size() || !std::equal(kBearer.begin(), kBearer.end(), value.begin(),
                                                        [](char a, char b) { return a == (b | 0x20); }))
        continue;
      value.remove_prefix(kBearer.size());
      while (value.starts_with(' ')) value.remove_prefix(1);
      if (!value.empty()) keys.push_back(value);
    }
  }
  return keys;
}

// Clients choose some of the words: what does not belong in a header is left out.
Header warning(std::string_view text) {
  std::string value = "299 - \"";
  for (const char c : text)
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') value += c;
  return {"Warning", value.substr(0, 400) + '"'};
}

}  // namespace

Service::Service(Parts parts, ModelNames names, ServiceConfig config)
    : parts_(parts), names_(std::move(names)), config_(std::move(config)), started_(unix_seconds()) {
  add_routes();
}

std::unique_ptr<HttpAnswer> Service::handle(HttpRequest request, Wake wake) {
  ApiCall api;
  api.style = style_of(request.path);
  if (api.style == ApiStyle::kOpenAi && request.header("anthropic-version")) api.style = ApiStyle::kAnthropic;
  RequestFacts facts;
  facts.came = steady_clock::now();
  facts.id = request.id;
  facts.peer = request.peer;
  facts.method = request.method;
  api.scope = std::make_shared<RequestScope>(std::move(facts),
                                             [this](const RequestScope& scope) { finished(scope); });
  api.request = std::move(request);
  api.wake = std::move(wake);

  const auto found = router_.find(api.request.method, api.request.path);
  if (found.target == nullptr) {
    api.scope->facts.route = "unknown";
    if (found.allow.empty())
      return refusal(
          api, {.status = 404,
                .message = fmt::format("There is nothing at {} {}", api.request.method, api.request.path)});
    return refusal(
        api, {.status = 405,
              .message = fmt::format("{} does not know the method {}", api.request.path, api.request.method),
              .allow = found.allow});
  }
  api.scope->facts.route = found.target->pattern;
  api.scope->facts.silent = found.target->door == Door::kOpen;
  api.tail = found.capture;
  if (const auto entered = enter(api, found.target->door); !entered) return refusal(api, entered.error());
  try {
    Answered answer = found.target->endpoint(*this, api);
    if (!answer) return refusal(api, answer.error());
    if (!api.scope->facts.generates) api.scope->facts.status = (*answer)->head().status;
    return std::move(*answer);
  } catch (const std::exception& error) {
    log_error("request {}: {}", api.request.id, error.what());
    return refusal(api, {.status = 500, .message = "The server failed to handle the request."});
  }
}

// No route has a method of its own for this question, so it finds what there is besides.
std::string Service::allow(std::string_view path) const {
  if (path == "*") return "DELETE, GET, HEAD, OPTIONS, POST";
  return router_.find("OPTIONS", path).allow;
}

std::unique_ptr<HttpAnswer> Service::refusal(const ApiCall& api, const ApiError& error) const {
  api.scope->facts.status = error.status;
  api.scope->facts.error = error.message;
  return error_answer(api.style, error, api.request.id);
}

Asked<void> Service::enter(ApiCall& api, Door door) {
  if (door == Door::kOpen) return {};
  const std::vector<std::string_view> keys = presented_keys(api.request);
  Authentication who = parts_.accounts.authenticate(keys);
  if (!who.caller) {
    parts_.metrics.count(ServerEvent::kAuthenticationFailure);
    return tl::make_unexpected(ApiError{.status = 401, .message = who.message()});
  }
  api.scope->caller = std::move(who.caller);
  if (door == Door::kAdmin && !api.caller().is_admin())
    return tl::make_unexpected(ApiError{.status = 403, .message = "This needs the key of an administrator."});
  if (door != Door::kInference) return {};

  if (parts_.engine.stats().waiting >= config_.most_waiting) {
    parts_.metrics.count(ServerEvent::kQueueRefused);
    return tl::make_unexpected(server_busy("The server is too busy: its queue is full. Please retry."));
  }
  Admission admission = parts_.accounts.admit(api.caller());
  if (!admission.admitted()) {
    parts_.metrics.count(admission.status() == 402 ? ServerEvent::kBalanceRefused
                                                   : ServerEvent::kRateLimited);
    return tl::make_unexpected(ApiError{.status = admission.status(),
                                        .message = admission.message(),
                                        .retry_after = static_cast<int>(admission.retry_after_seconds())});
  }
  api.scope->admission = std::move(admission);
  return {};
}

Asked<ModelChoice> Service::choose_model(ApiCall& api, std::string_view name) const {
  auto choice = names_.resolve(name);
  if (!choice) return choice;
  api.scope->facts.model = choice->name;
  if (!choice->deprecated.empty()) {
    parts_.metrics.count(ServerEvent::kDeprecatedName);
    log_warning("request {}: the model name {} is deprecated", api.request.id, choice->deprecated);
  }
  return choice;
}

BodyRules Service::body_rules(ApiCall& api) const {
  return {config_.most_choices, [this, &api](std::string_view name) { return choose_model(api, name); }};
}

// Without keys everybody is the same person.
std::string Service::cache_scope(const ApiCall& api, std::string_view user) const {
  if (!parts_.accounts.needs_key()) return {};
  return fmt::format("{}\n{}", api.caller().name(), user);
}

Asked<Service::Prompt> Service::render(const ApiCall& api, ChatAsk& ask) const {
  const ChatRules& rules = config_.rules;
  const std::string scope = cache_scope(api, ask.user);
  if (const auto set = resolve_thinking(ask, rules); !set) return tl::make_unexpected(set.error());
  if (!ask.paired)
    if (const auto paired = pair_tool_results(ask.chat.messages, rules); !paired)
      return tl::make_unexpected(paired.error());
  parts_.replay.restore(scope, ask.chat.messages);
  if (const auto reasoned = check_reasoning(ask.chat, rules); !reasoned)
    return tl::make_unexpected(reasoned.error());
  auto items = parts_.text.items(ask.chat);
  if (!items) return refuse(items.error());
  auto ids = parts_.replay.prompt_ids(scope, *items);
  if (!ids) return refuse(ids.error());
  return Prompt{std::move(*items), std::move(*ids)};
}

Asked<Ask> Service::prepare(const ApiCall& api, ChatAsk& ask) const {
  const ChatRules& rules = config_.rules;
  auto prompt = render(api, ask);
  if (!prompt) return tl::make_unexpected(prompt.error());
  auto settings = settings_of(ask, rules);
  if (!settings) return settings;
  const int64_t by_default =
      ask.chat.mode == Mode::kThinking ? rules.default_max_thinking : rules.default_max_tokens;
  const auto budget = token_budget(static_cast<int64_t>(prompt->ids.size()), ask.max_tokens, by_default,
                                   rules.context_tokens);
  if (!budget) return tl::make_unexpected(budget.error());
  settings->max_tokens = *budget;
  settings->parser.start = parser_start(prompt->items);
  settings->parser.tools = !ask.chat.tools.empty();
  settings->parser.whole_values = !ask.stream;
  settings->prompts.push_back(std::move(prompt->ids));
  settings->end_ids = parts_.text.end_ids();
  const Message& last = ask.chat.messages.back();
  const bool begun = settings->parser.start == ParserStart::kContentContinued && last.role == "assistant";
  auto constraint =
      this->constraint(ask, settings->parser.start, settings->end_ids, begun ? last.content : std::string());
  if (!constraint) return tl::make_unexpected(constraint.error());
  settings->constraint = std::move(*constraint);
  if (settings->constraint) {
    using Content = AnswerRules::Content;
    // Markup is what the grammar has as markup; the letters of it in a text are text.
    settings->parser.lenient = false;
    settings->parser.exact_newlines =
        ask.answer.content != Content::kText && ask.answer.content != Content::kJson;
  }
  settings->cache_scope = cache_scope(api, ask.user);
  if (parts_.log.wants_prompts()) api.scope->facts.prompt = render_flat(prompt->items);
  settings->chat = std::move(ask.chat);
  return settings;
}

Asked<std::shared_ptr<const TokenConstraint>> Service::constraint(ChatAsk& ask, ParserStart start,
                                                                  const std::vector<int32_t>& end_ids,
                                                                  std::string_view begun) const {
  const AnswerRules rules = answer_rules(ask, config_.rules, start);
  if (!rules.bind()) return nullptr;
  const auto grammar = parts_.grammars.get(rules, end_ids);
  if (!grammar) {
    const auto& [where, what] = grammar.error();
    const bool tools = where.starts_with("tools");
    const std::string field = where.empty() || tools ? where : ask.format_field;
    return refuse(field.empty() ? what : fmt::format("{}: {}", field, what), tools ? "tools" : field);
  }
  for (const grammar::SchemaNote& note : grammar->notes)
    ask.notes.push_back(fmt::format("{}: {}", note.where, note.what));
  auto matcher = std::make_shared<grammar::Matcher>(grammar->grammar);
  if (!begun.empty() && !matcher->accept_bytes(begun))
    return refuse("messages: the beginning of the answer does not fit what the answer must be", "messages");
  return matcher;
}

AnswerName Service::answer_name(const ModelChoice& model, std::string id) const {
  return {std::move(id), unix_seconds(), model.name, config_.fingerprint};
}

std::vector<Header> Service::answer_headers(const ModelChoice& model,
                                            const std::vector<std::string>& notes) const {
  constexpr size_t kMostNotes = 8;
  std::vector<Header> headers;
  if (!model.deprecated.empty()) {
    headers.push_back({"Deprecation", "true"});
    headers.push_back(
        warning(fmt::format("the model name {} is deprecated; use {}", model.deprecated, model.name)));
  }
  for (size_t i = 0; i < std::min(notes.size(), kMostNotes); ++i) headers.push_back(warning(notes[i]));
  if (notes.size() > kMostNotes)
    headers.push_back(warning(fmt::format("and {} more notes on the schema", notes.size() - kMostNotes)));
  return headers;
}

Answered Service::generate(ApiCall& api, Ask ask, std::unique_ptr<AnswerWriter> writer) {
  const GenerationContext context{parts_.text,    parts_.engine,         parts_.replay,
                                  parts_.metrics, config_.queue_seconds, parts_.log.wants_prompts()};
  auto generation = Generation::start(context, std::move(ask), std::move(writer), api.wake, api.scope);
  if (!generation) return tl::make_unexpected(generation.error());
  return std::move(*generation);
}

// Everything that keeps count hears of the request, on whichever thread let go of it last.
void Service::finished(const RequestScope& scope) {
  const RequestFacts& facts = scope.facts;
  const TimePoint now = steady_clock::now();
  Metrics& metrics = parts_.metrics;
  const int client_gone = 499;  // as web servers log it
  const int status = facts.status != 0 ? facts.status : client_gone;
  metrics.http(facts.method, facts.route, status);
  if (facts.status == 0) metrics.count(ServerEvent::kClientGone);

  if (facts.silent && status < 400) return;  // probes would be most of the log
  RequestRecord record;
  record.request_id = facts.id;
  record.key = scope.caller ? scope.caller->name() : "";
  record.peer = facts.peer;
  record.route = facts.method + " " + facts.route;
  record.model = facts.model;
  record.status = status;
  record.finish_reason = facts.finish_reason;
  record.error = facts.error;
  record.total_seconds = seconds_between(facts.came, now);
  if (facts.generates) {
    RequestTimes times;
    times.total_seconds = record.total_seconds;
    times.queue_seconds = record.queue_seconds = facts.info.queue_seconds;
    times.prefill_seconds = facts.info.prefill_seconds;
    times.decode_seconds = facts.info.decode_seconds;
    times.prompt_tokens = record.prompt_tokens = facts.usage.prompt;
    times.cached_tokens = record.cached_tokens = facts.usage.cached;
    times.generated_tokens = record.completion_tokens = facts.usage.completion;
    record.reasoning_tokens = facts.usage.reasoning;
    times.finish_reason = facts.finish_reason.empty() ? "cancelled" : std::string_view(facts.finish_reason);
    if (facts.first_token) {
      times.first_token_seconds = record.first_token_seconds =
          seconds_between(facts.came, *facts.first_token);
      record.decode_seconds = seconds_between(*facts.first_token, *facts.last_token);
    }
    metrics.finished(times);
    if (scope.caller) {
      Usage usage;
      usage.model = facts.model;
      usage.cache_hit_tokens = facts.usage.cached;
      usage.cache_miss_tokens = facts.usage.prompt - facts.usage.cached;
      usage.completion_tokens = facts.usage.completion;
      usage.reasoning_tokens = facts.usage.reasoning;
      usage.error = status >= 400;
      record.cost = parts_.accounts.record(*scope.caller, usage);
    }
    record.prompt = facts.prompt;
    record.answer = facts.answer;
  }
  parts_.log.write(record);
  if (parts_.trace != nullptr && facts.generates)
    trace_request(*parts_.trace, {trace_track_++, facts.id, facts.route, facts.model, facts.finish_reason,
                                  facts.came, now, facts.info});
}

}  // namespace hadal::serve
