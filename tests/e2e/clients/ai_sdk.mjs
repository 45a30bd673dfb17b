// The AI SDK of Vercel, through its provider for OpenAI-compatible servers: what opencode and others are built on.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { assert, check, known, run } from "./check.mjs";

const provider = (url, more = {}) =>
  createOpenAICompatible({
    name: "hadal", baseURL: `${url}/v1`, apiKey: "none", includeUsage: true, supportsStructuredOutputs: true, ...more,
  });
const mini = provider(known.mini);
const scripted = provider(known.scripted);
const story = { model: mini(known.plain), prompt: known.story, maxOutputTokens: 60, seed: 3, maxRetries: 0 };

let called = [];
const tools = Object.fromEntries(
  known.tools.map(({ function: { name, description, parameters } }) => [
    name,
    tool({
      description,
      inputSchema: jsonSchema(parameters),
      execute: async (input) => {
        called.push({ name, arguments: input });
        return known.results[name];
      },
    }),
  ]),
);
const question = { model: scripted(known.model), prompt: known.question, tools, stopWhen: stepCountIs(4), maxRetries: 0 };

async function fails(promise, status, code) {
  let error;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(APICallError.isInstance(error), `${error?.stack}`);
  assert.equal(error.statusCode, status);
  assert.equal(error.isRetryable, false);
  assert.equal(JSON.parse(error.responseBody).error.code, code);
}

check("generateText", async () => {
  const answer = await generateText(story);
  assert.equal(answer.finishReason, "length");
  assert.equal(answer.usage.outputTokens, 60);
  assert.equal(answer.usage.totalTokens, answer.usage.inputTokens + 60);
  assert.ok(answer.text);
});

check("streamText", async () => {
  const whole = await generateText(story);
  const answer = streamText(story);
  let text = "";
  for await (const part of answer.textStream) text += part;
  assert.equal(text, whole.text);
  assert.equal((await answer.usage).outputTokens, 60);
});

check("reasoning", async () => {
  const whole = await generateText({ ...story, model: mini(known.model), maxOutputTokens: 300 });
  assert.ok(whole.reasoningText);
  const answer = streamText({ ...story, model: mini(known.model), maxOutputTokens: 300 });
  await answer.consumeStream();
  assert.equal(await answer.reasoningText, whole.reasoningText);
  assert.equal(await answer.text, whole.text);
});

check("tools, whole", async () => {
  called = [];
  const answer = await generateText(question);
  assert.equal(answer.steps.length, 2);
  assert.equal(answer.steps[0].finishReason, "tool-calls");
  assert.equal(answer.steps[0].reasoningText, known.reasoning);
  assert.deepEqual(called, known.calls);
  assert.equal(answer.text, known.answer);
});

check("tools, streamed", async () => {
  called = [];
  const answer = streamText({ ...question, onError: ({ error }) => console.log(error) });
  const kinds = new Set();
  for await (const part of answer.fullStream) kinds.add(part.type);
  for (const kind of ["reasoning-delta", "tool-input-start", "tool-input-delta", "tool-call", "tool-result", "text-delta"])
    assert.ok(kinds.has(kind), kind);
  assert.ok(!kinds.has("error"));
  assert.equal((await answer.steps).length, 2);
  assert.deepEqual(called, known.calls);
  assert.equal(await answer.text, known.answer);
});

check("errors", async () => {
  await fails(generateText({ ...story, model: mini("llama-3") }), 404, "model_not_found");
  await fails(generateText({ ...story, prompt: "story ".repeat(600), model: provider(known.locked, { apiKey: "right" })(known.plain) }),
    400, "context_length_exceeded");
  await fails(generateText({ ...story, model: provider(known.locked)(known.plain) }), 401, "invalid_request_error");
});

check("an object", async () => {
  const { object } = await generateObject({ ...story, prompt: known.animal_question, schema: jsonSchema(known.animal), maxOutputTokens: 300 });
  assert.deepEqual(Object.keys(object), ["name", "legs", "kind"]);
  assert.match(object.name, /^[A-Z][a-z]{1,8}$/);
  assert.ok(Number.isInteger(object.legs) && object.legs >= 0 && object.legs <= 8);
  assert.ok(["cat", "fox", "star"].includes(object.kind));
});

await run();
