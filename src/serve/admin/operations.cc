#include "serve/admin/operations.h"

#include <fmt/format.h>

#include "chat/json_fields.h"
#include "chat/special_tokens.h"
#include "serve/json_out.h"
#include "serve/openai/chat.h"

namespace hadal::serve {

Answered root(Service& service, ApiCall&) {
  HttpHead head;
  head.content_type = "text/plain; charset=utf-8";
  return reply(fmt::format("Hadal {} serves {}. Its APIs are described at /openapi.json.\n",
                           service.config().version, service.names().own()),
               head);
}

Answered health(Service&, ApiCall&) {
  return reply(R"({"status":"ok"})");
}

Answered ready(Service& service, ApiCall&) {
  if (service.closing()) return tl::make_unexpected(server_busy("The server is shutting down."));
  return reply(R"({"status":"ok"})");
}

Answered version(Service& service, ApiCall&) {
  return reply(fmt::format("{{\"version\":{}}}", json_string(service.config().version)));
}

Answered metrics(Service& service, ApiCall&) {
  const Service::Parts& parts = service.parts();
  const HttpStats connections = service.connections();
  ServerStats stats;
  stats.open_connections = connections.open_connections;
  stats.accepted_connections = connections.connections;
  stats.replay = parts.replay.stats();
  stats.grammars = parts.grammars.stats();
  stats.open_streams = connections.open_answers;
  stats.start_time_unix_seconds = static_cast<double>(service.started());
  if (!service.config().open_metrics) stats.keys = parts.accounts.totals();  // not for everybody's eyes
  HttpHead head;
  head.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return reply(parts.metrics.render(parts.engine.stats(), stats), head);
}

Answered props(Service& service, ApiCall&) {
  const ChatRules& rules = service.config().rules;
  std::string out;
  JsonOut json(out);
  json.begin('{').key("default_generation_settings").begin('{');
  json.field("n_ctx", rules.context_tokens);
  json.key("params").begin('{');
  json.field("temperature", double{rules.sampling.temperature}).field("top_p", double{rules.sampling.top_p});
  json.field("top_k", rules.sampling.top_k).field("min_p", double{rules.sampling.min_p});
  json.field("n_predict", rules.default_max_tokens);
  json.end('}').end('}');
  json.field("total_slots", service.config().slots);
  json.field("model_path", service.config().model_path).field("model_alias", service.names().own());
  json.field("chat_template", "").field("bos_token", special::kBos).field("eos_token", special::kEos);
  json.key("modalities").begin('{').field("vision", false).field("audio", false).end('}');
  json.field("build_info", "hadal " + service.config().version).end('}');
  return reply(std::move(out));
}

// The engine has no fixed places; the running requests are shown as busy ones.
Answered slots(Service& service, ApiCall&) {
  if (!service.config().show_slots)
    return tl::make_unexpected(ApiError{.status = 501,
                                        .message = "This server does not support slots endpoint.",
                                        .code = "not_supported_error"});
  const EngineStats stats = service.parts().engine.stats();
  std::string out;
  JsonOut json(out);
  json.begin('[');
  for (int64_t i = 0; i < service.config().slots; ++i)
    json.begin('{')
        .field("id", i)
        .field("n_ctx", service.config().rules.context_tokens)
        .field("is_processing", i < stats.running)
        .end('}');
  json.end(']');
  return reply(std::move(out));
}

namespace {

void write_ids(JsonOut& json, const std::vector<int32_t>& ids) {
  json.begin('[');
  for (const int32_t id : ids) json.value(id);
  json.end(']');
}

}  // namespace

// Two dialects: llama.cpp's {"content"} and vLLM's {"prompt"} or {"messages"}.
Answered tokenize(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  const Tokenizer& tokenizer = service.parts().text.tokenizer();
  const Fields fields(*body);
  const bool vllm = fields.has("prompt") || fields.has("messages");
  std::string text;
  bool add_special = vllm, parse_special = true, pieces = false;
  Result<void> s = fields.text("content", text);
  if (s) s = fields.text("prompt", text);
  if (s) s = fields.boolean("add_special", add_special);
  if (s) s = fields.boolean("add_special_tokens", add_special);
  if (s) s = fields.boolean("parse_special", parse_special);
  if (s) s = fields.boolean("with_pieces", pieces);
  if (!s) return refuse(s.error());
  if (!vllm && !fields.has("content")) return refuse("content: expected a text to tokenize", "content");

  std::vector<int32_t> ids;
  if (fields.has("messages")) {
    auto ask = read_chat(service.body_rules(api), *body);
    if (!ask) return tl::make_unexpected(ask.error());
    auto prepared = service.prepare(api, *ask);
    if (!prepared) return tl::make_unexpected(prepared.error());
    ids = std::move(prepared->prompts[0]);
  } else {
    ids = parse_special ? tokenizer.encode_with_added(text) : tokenizer.encode(text);
    if (add_special)
      ids.insert(ids.begin(), static_cast<int32_t>(service.parts().text.model()->config().bos_token_id));
  }
  std::string out;
  JsonOut json(out);
  json.begin('{');
  if (vllm) {
    json.field("count", ids.size()).field("max_model_len", service.config().rules.context_tokens);
    json.key("tokens");
    write_ids(json, ids);
  } else if (!pieces) {
    json.key("tokens");
    write_ids(json, ids);
  } else {
    json.key("tokens").begin('[');
    for (const int32_t id : ids) {
      json.begin('{').field("id", id).key("piece");
      const std::string_view bytes = tokenizer.token_bytes(id);
      if (tokenizer.decode({&id, 1}) == bytes) {
        json.value(bytes);
      } else {  // part of a character: its bytes
        json.begin('[');
        for (const char byte : bytes) json.value(static_cast<int>(static_cast<unsigned char>(byte)));
        json.end(']');
      }
      json.end('}');
    }
    json.end(']');
  }
  json.end('}');
  return reply(std::move(out));
}

Answered detokenize(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  const Tokenizer& tokenizer = service.parts().text.tokenizer();
  const JsonValue* tokens = body->find("tokens");
  if (tokens == nullptr || !tokens->is_array())
    return refuse("tokens: expected an array of token ids", "tokens");
  std::vector<int32_t> ids;
  for (size_t i = 0; i < tokens->items.size(); ++i) {
    const auto id = json_whole<int32_t>(tokens->items[i]);
    if (!id || !tokenizer.has_token(*id))
      return refuse(fmt::format("tokens[{}]: expected a token id", i), "tokens");
    ids.push_back(*id);
  }
  const std::string text = json_string(tokenizer.decode(ids));
  return reply(fmt::format("{{\"content\":{0},\"prompt\":{0}}}", text));
}

Answered tokenizer_info(Service& service, ApiCall&) {
  std::string out;
  JsonOut json(out);
  json.begin('{').field("tokenizer_class", "PreTrainedTokenizerFast");
  json.field("bos_token", special::kBos).field("eos_token", special::kEos);
  json.field("model_max_length", service.config().rules.context_tokens).end('}');
  return reply(std::move(out));
}

Answered not_supported(Service&, ApiCall& api) {
  return tl::make_unexpected(
      ApiError{.status = 501,
               .message = fmt::format("This server does not support {}.", api.request.path),
               .code = "not_supported_error"});
}

}  // namespace hadal::serve
