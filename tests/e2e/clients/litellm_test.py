"""LiteLLM as a client: the server as one that is OpenAI-compatible, as DeepSeek, as Anthropic and as Ollama."""

import asyncio
import json
import os
import unittest

# What it would load from the net otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import program
import support
from support import STORY

litellm.telemetry = False
litellm.suppress_debug_info = True

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


# Provider and model, the base URL that it wants, and fields that switch thinking off.
OFF = {"extra_body": {"thinking": {"type": "disabled"}}}
DIALECTS = {
    "openai": ("openai/deepseek-v4-flash", "/v1", OFF),
    "deepseek": ("deepseek/deepseek-chat", "/v1", {}),
    "anthropic": ("anthropic/claude-sonnet-4-5", "", {"thinking": {"type": "disabled"}}),
    "ollama": ("ollama_chat/deepseek-v4-flash", "", {"think": False}),
}


def ask(name, server, messages, **more):
    model, path, _ = DIALECTS[name]
    return litellm.completion(**{"model": model, "api_base": server.url + path, "api_key": "none", "messages": messages,
                                 "max_retries": 0, **more})


class Talk(unittest.TestCase):
    def test_completion_and_stream(self):
        texts = set()
        for name, (_, _, off) in DIALECTS.items():
            with self.subTest(dialect=name):
                whole = ask(name, mini, STORY, max_tokens=60, temperature=0, **off)
                text = whole.choices[0].message.content
                self.assertIn("fox", text)
                self.assertEqual(whole.choices[0].finish_reason, "length")
                self.assertEqual(whole.usage.completion_tokens, 60)
                chunks = list(ask(name, mini, STORY, max_tokens=60, temperature=0, stream=True,
                                  stream_options={"include_usage": True}, **off))
                self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), text)
                rebuilt = litellm.stream_chunk_builder(chunks, messages=STORY)
                self.assertEqual(rebuilt.choices[0].message.content, text)
                self.assertEqual(rebuilt.usage.completion_tokens, 60)
                texts.add(text)
        self.assertEqual(len(texts), 1)

    def test_thinking(self):
        for name in ("openai", "anthropic"):
            with self.subTest(dialect=name):
                more = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if name == "anthropic" else {}
                message = ask(name, mini, STORY, max_tokens=2000, **more).choices[0].message
                self.assertTrue(message.reasoning_content)
                self.assertTrue(message.content)

    def test_a_round_of_tools(self):
        for name in DIALECTS:
            # Of calls that Ollama streams it keeps the last: it does not read their index.
            for streamed in (False, True) if name != "ollama" else (False,):
                with self.subTest(dialect=name, streamed=streamed):
                    messages = [{"role": "user", "content": support.QUESTION}]
                    message = self.said(name, messages, streamed)
                    calls = [(c.function.name, c.function.arguments) for c in message.tool_calls]
                    self.assertEqual([call[0] for call in calls], [call[0] for call in support.CALLS])
                    self.assertIn('"Hangzhou"', calls[0][1])
                    self.assertEqual(len({c.id for c in message.tool_calls}), 2)
                    messages.append(message.model_dump(exclude_none=True))
                    for call in message.tool_calls:
                        messages.append({"role": "tool", "tool_call_id": call.id, "name": call.function.name,
                                         "content": support.RESULTS[call.function.name]})
                    self.assertEqual(self.said(name, messages, streamed).content, support.ANSWER)

    def said(self, name, messages, streamed):
        answer = ask(name, scripted, messages, tools=support.TOOLS, max_tokens=500, stream=streamed)
        if streamed:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        return answer.choices[0].message

    def test_asyncio(self):
        async def talk():
            return await litellm.acompletion(model="openai/deepseek-v4-flash", api_base=mini.url + "/v1", api_key="none",
                                             messages=STORY, max_tokens=5, **OFF)

        self.assertEqual(asyncio.run(talk()).usage.completion_tokens, 5)

    def test_text_completion(self):
        answer = litellm.text_completion(model="text-completion-openai/deepseek-v4-flash", api_base=mini.url + "/v1",
                                         api_key="none", prompt="Once upon a time", max_tokens=10)
        self.assertTrue(answer.choices[0].text)

    def test_responses(self):
        answer = litellm.responses(model="openai/deepseek-v4-flash", api_base=mini.url + "/v1", api_key="none",
                                   input=STORY[0]["content"], max_output_tokens=2000)
        self.assertEqual(answer.status, "completed")
        self.assertEqual(answer.output[-1].type, "message")


class Errors(unittest.TestCase):
    def test_errors_of_every_dialect(self):
        small = support.start_server("--ctx", 256)
        locked = support.start_server("--api-key", "right")
        for name in ("openai", "anthropic"):
            with self.subTest(dialect=name):
                model = DIALECTS[name][0].split("/")[0] + "/llama-3"
                self.raised(litellm.NotFoundError, name, mini, model=model)
                self.raised(litellm.BadRequestError, name, mini, temperature=7)
                # DeepSeek says "invalid_request_error" for a wrong key as well, and LiteLLM goes by that word.
                self.raised(litellm.BadRequestError if name == "openai" else litellm.AuthenticationError, name, locked)
                long = [{"role": "user", "content": "story " * 600}]
                self.raised(litellm.ContextWindowExceededError, name, small, messages=long)

    def raised(self, kind, name, server, messages=STORY, **more):
        with self.assertRaises(kind) as caught:
            ask(name, server, messages, **{"max_tokens": 5, **more})
        self.assertIs(type(caught.exception), kind)

    def test_a_schema(self):
        form = {"type": "json_schema", "json_schema": {"name": "animal", "strict": True, "schema": support.ANIMAL}}
        answer = ask("openai", mini, support.ANIMAL_QUESTION, response_format=form, max_tokens=300, **OFF)
        support.check_animal(self, json.loads(answer.choices[0].message.content))


if __name__ == "__main__":
    program.main()
