// The package of Anthropic for Node.
import Anthropic from "@anthropic-ai/sdk";
import { assert, check, known, raises, run } from "./check.mjs";

const client = (url, more = {}) => new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, ...more });
const mini = client(known.mini);
const scripted = client(known.scripted);
const story = {
  model: known.plain,
  messages: [{ role: "user", content: known.story }],
  max_tokens: 60,
  temperature: 0,
};
const tools = known.tools.map(({ function: { name, description, parameters } }) => ({
  name,
  description,
  input_schema: parameters,
}));
const question = {
  model: known.model,
  messages: [{ role: "user", content: known.question }],
  tools,
  max_tokens: 500,
};

check("a message, whole and streamed", async () => {
  const whole = await mini.messages.create(story);
  assert.equal(whole.stop_reason, "max_tokens");
  assert.equal(whole.usage.output_tokens, 60);
  const stream = mini.messages.stream(story);
  assert.equal(await stream.finalText(), whole.content[0].text);
  const final = await stream.finalMessage();
  assert.equal(final.usage.output_tokens, 60);
  assert.equal(final.stop_reason, "max_tokens");
});

check("thinking and its signature", async () => {
  const ask = { ...story, model: known.model, max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } };
  const message = await mini.messages.stream(ask).finalMessage();
  assert.deepEqual(message.content.map((block) => block.type), ["thinking", "text"]);
  assert.ok(message.content[0].signature);
  const next = await mini.messages.create({
    ...ask,
    messages: [...ask.messages, { role: "assistant", content: message.content }, { role: "user", content: "And then?" }],
  });
  assert.ok(next.content.length);
});

check("a round of tools, whole and streamed", async () => {
  for (const ask of [(body) => scripted.messages.create(body), (body) => scripted.messages.stream(body).finalMessage()]) {
    const first = await ask(question);
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(calls.map(({ name, input }) => ({ name, arguments: input })), known.calls);
    const results = calls.map(({ id, name }) => ({ type: "tool_result", tool_use_id: id, content: known.results[name] }));
    const second = await ask({
      ...question,
      messages: [...question.messages, { role: "assistant", content: first.content }, { role: "user", content: results }],
    });
    assert.equal(second.stop_reason, "end_turn");
    assert.equal(second.content.at(-1).text, known.answer);
    assert.ok(second.usage.cache_read_input_tokens > 0);
  }
});

check("counting tokens", async () => {
  const { input_tokens } = await scripted.messages.countTokens({ model: known.model, messages: question.messages, tools });
  const { usage } = await scripted.messages.create(question);
  assert.equal(usage.input_tokens + usage.cache_read_input_tokens, input_tokens);
});

check("stop sequences", async () => {
  const message = await mini.messages.create({ ...story, stop_sequences: ["fox"] });
  assert.equal(message.stop_reason, "stop_sequence");
  assert.equal(message.stop_sequence, "fox");
});

check("models", async () => {
  const names = [];
  for await (const model of mini.models.list()) names.push(model.id);
  assert.equal(names[0], known.own_name);
  assert.equal((await mini.models.retrieve(names[0])).type, "model");
});

check("errors", async () => {
  const ask = (more, api = mini) => api.messages.create({ ...story, ...more });
  await raises(Anthropic.NotFoundError, ask({ model: "llama-3" }));
  const error = await raises(Anthropic.BadRequestError, ask({ temperature: 7 }));
  assert.equal(error.error.error.type, "invalid_request_error");
  await raises(Anthropic.BadRequestError, ask({ temperature: 7, stream: true }));
  await raises(Anthropic.AuthenticationError, ask({}, client(known.locked, { apiKey: "wrong" })));
  const long = [{ role: "user", content: "story ".repeat(600) }];
  await raises(Anthropic.BadRequestError, ask({ messages: long }, client(known.locked, { apiKey: "right" })));
});

await run();
