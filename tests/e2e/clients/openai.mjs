// The openai package of Node.
import OpenAI from "openai";
import { assert, check, known, raises, run } from "./check.mjs";

const client = (url, more = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, ...more });
const mini = client(known.mini);
const scripted = client(known.scripted);
const story = { model: known.plain, messages: [{ role: "user", content: known.story }], max_tokens: 60, seed: 3 };
const question = { model: known.model, messages: [{ role: "user", content: known.question }], tools: known.tools };

function check_calls(calls) {
  assert.deepEqual(
    calls.map((call) => ({ name: call.function.name, arguments: JSON.parse(call.function.arguments) })),
    known.calls,
  );
  for (const call of calls) assert.equal(typeof call.id, "string");
}

const results = (calls) =>
  calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: known.results[call.function.name] }));

check("an answer, whole and streamed", async () => {
  const whole = await mini.chat.completions.create(story);
  assert.equal(whole.model, known.own_name);
  assert.equal(whole.choices[0].finish_reason, "length");
  assert.equal(whole.usage.completion_tokens, 60);
  let text = "";
  let last;
  for await (const chunk of await mini.chat.completions.create({ ...story, stream: true })) {
    text += chunk.choices[0].delta.content ?? "";
    last = chunk;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(last.usage.completion_tokens, 60);
});

check("the stream helper", async () => {
  const whole = await mini.chat.completions.create(story);
  const stream = mini.chat.completions.stream(story);
  assert.equal(await stream.finalContent(), whole.choices[0].message.content);
  assert.equal((await stream.finalChatCompletion()).choices[0].finish_reason, "length");
});

check("several answers, logprobs, stop", async () => {
  const several = await mini.chat.completions.create({ ...story, n: 3 });
  assert.deepEqual(several.choices.map((choice) => choice.index), [0, 1, 2]);
  const probs = await mini.chat.completions.create({ ...story, logprobs: true, top_logprobs: 3 });
  assert.equal(probs.choices[0].logprobs.content.length, 60);
  assert.equal(probs.choices[0].logprobs.content[0].top_logprobs.length, 3);
  const stopped = await mini.chat.completions.create({ ...story, stop: "fox" });
  assert.equal(stopped.choices[0].finish_reason, "stop");
  assert.ok(!stopped.choices[0].message.content.includes("fox"));
});

check("thinking", async () => {
  const on = await mini.chat.completions.create({ ...story, model: known.model, max_tokens: 300 });
  assert.ok(on.choices[0].message.reasoning_content);
  const off = await mini.chat.completions.create({ ...story, model: known.model, thinking: { type: "disabled" } });
  assert.equal(off.choices[0].message.reasoning_content, undefined);
});

check("a round of tools", async () => {
  const first = await scripted.chat.completions.create(question);
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  const message = first.choices[0].message;
  assert.equal(message.reasoning_content, known.reasoning);
  check_calls(message.tool_calls);
  const second = await scripted.chat.completions.create({
    ...question,
    messages: [...question.messages, message, ...results(message.tool_calls)],
  });
  assert.equal(second.choices[0].message.content, known.answer);
  assert.ok(second.usage.prompt_cache_hit_tokens > 0);
});

check("a round of tools, streamed", async () => {
  const message = await scripted.chat.completions.stream(question).finalMessage();
  check_calls(message.tool_calls);
  const stream = scripted.chat.completions.stream({
    ...question,
    messages: [...question.messages, message, ...results(message.tool_calls)],
  });
  assert.equal(await stream.finalContent(), known.answer);
});

check("tools run by the client", async () => {
  const called = [];
  const tools = known.tools.map((tool) => ({
    type: "function",
    function: {
      ...tool.function,
      parse: JSON.parse,
      function: (input) => {
        called.push({ name: tool.function.name, arguments: input });
        return known.results[tool.function.name];
      },
    },
  }));
  for (const stream of [false, true]) {
    called.length = 0;
    const runner = scripted.chat.completions.runTools({ ...question, tools, stream });
    assert.equal(await runner.finalContent(), known.answer);
    assert.deepEqual(called, known.calls);
  }
});

check("errors", async () => {
  const ask = (more, api = mini) => api.chat.completions.create({ ...story, ...more });
  assert.equal((await raises(OpenAI.NotFoundError, ask({ model: "llama-3" }))).code, "model_not_found");
  assert.equal((await raises(OpenAI.BadRequestError, ask({ temperature: 3 }))).type, "invalid_request_error");
  await raises(OpenAI.BadRequestError, ask({ temperature: 3, stream: true }));
  const format = { response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "strung" } } } };
  assert.equal((await raises(OpenAI.BadRequestError, ask(format))).param, "response_format.json_schema.schema");
  await raises(OpenAI.AuthenticationError, ask({}, client(known.locked, { apiKey: "wrong" })));
  const long = [{ role: "user", content: "story ".repeat(600) }];
  const locked = client(known.locked, { apiKey: "right" });
  assert.equal((await raises(OpenAI.BadRequestError, ask({ messages: long }, locked))).code, "context_length_exceeded");
});

check("models", async () => {
  const names = [];
  for await (const model of mini.models.list()) names.push(model.id);
  assert.equal(names[0], known.own_name);
  assert.equal((await mini.models.retrieve(names[1])).id, names[1]);
  await raises(OpenAI.NotFoundError, mini.models.retrieve("llama-3"));
});

check("completions", async () => {
  const ask = { model: known.model, prompt: "Once upon a time", max_tokens: 20, seed: 3 };
  const whole = await mini.completions.create(ask);
  assert.equal(whole.object, "text_completion");
  let text = "";
  for await (const chunk of await mini.completions.create({ ...ask, stream: true })) text += chunk.choices[0].text;
  assert.equal(text, whole.choices[0].text);
  assert.ok((await mini.completions.create({ ...ask, suffix: " The end." })).choices[0]);
});

check("responses", async () => {
  const ask = { model: known.plain, input: known.story, max_output_tokens: 60 };
  const whole = await mini.responses.create(ask);
  assert.equal(whole.status, "incomplete");
  assert.equal(whole.incomplete_details.reason, "max_output_tokens");
  assert.ok(whole.output_text);
  const final = await mini.responses.stream(ask).finalResponse();
  assert.equal(final.usage.output_tokens, 60);
  await raises(OpenAI.BadRequestError, mini.responses.create({ ...ask, previous_response_id: "resp_1" }));
});

check("responses: a round of tools", async () => {
  const tools = known.tools.map((tool) => ({ type: "function", ...tool.function, strict: false }));
  const input = [{ role: "user", content: known.question }];
  const first = await scripted.responses.stream({ model: known.model, input, tools }).finalResponse();
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.deepEqual(calls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) })), known.calls);
  const outputs = calls.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: known.results[call.name],
  }));
  const second = await scripted.responses.create({ model: known.model, input: [...input, ...first.output, ...outputs], tools });
  assert.equal(second.output_text, known.answer);
});

await run();
