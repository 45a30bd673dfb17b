"""The ollama package of Python: chat, generate, thinking, tools, models, errors."""

import asyncio
import json
import unittest
import urllib.request

import ollama
import program
import support
from support import MODEL, PLAIN, STORY

OPTIONS = {"temperature": 0, "num_predict": 60}

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


class Talk(unittest.TestCase):
    def setUp(self):
        self.client = ollama.Client(host=mini.url)

    def chat(self, **more):
        return self.client.chat(**{"model": MODEL, "messages": STORY, "think": False, "options": OPTIONS, **more})

    def test_chat(self):
        answer = self.chat()
        self.assertEqual(answer.message.role, "assistant")
        self.assertIn("fox", answer.message.content)
        self.assertIsNone(answer.message.thinking)
        self.assertTrue(answer.done)
        self.assertEqual(answer.done_reason, "length")
        self.assertEqual(answer.eval_count, 60)
        self.assertGreater(answer.prompt_eval_count, 5)
        for duration in (answer.total_duration, answer.eval_duration, answer.prompt_eval_duration):
            self.assertGreater(duration, 0)
        self.assertTrue(answer.created_at)

    def test_a_stream_says_what_the_whole_answer_says(self):
        parts = list(self.chat(stream=True))
        self.assertEqual("".join(part.message.content or "" for part in parts), self.chat().message.content)
        self.assertEqual([part.done for part in parts], [False] * (len(parts) - 1) + [True])
        self.assertEqual(parts[-1].eval_count, 60)

    def test_a_client_of_asyncio(self):
        async def talk():
            client = ollama.AsyncClient(host=mini.url)
            parts = await client.chat(model=MODEL, messages=STORY, think=False, options=OPTIONS, stream=True)
            return "".join([part.message.content or "" async for part in parts])

        self.assertEqual(asyncio.run(talk()), self.chat().message.content)

    def test_generate(self):
        answer = self.client.generate(model=PLAIN, prompt=STORY[0]["content"], options=OPTIONS)
        self.assertEqual(answer.response, self.chat().message.content)
        self.assertEqual(answer.eval_count, 60)
        parts = self.client.generate(model=PLAIN, prompt=STORY[0]["content"], options=OPTIONS, stream=True)
        self.assertEqual("".join(part.response for part in parts), answer.response)
        advised = self.client.generate(model=PLAIN, prompt=STORY[0]["content"], system="Be kind.", options=OPTIONS)
        self.assertGreater(advised.prompt_eval_count, answer.prompt_eval_count)

    def test_generate_without_the_chat_format(self):
        answer = self.client.generate(model=PLAIN, prompt="Once upon a time", raw=True, options=OPTIONS)
        self.assertTrue(answer.response)
        filled = self.client.generate(model=PLAIN, prompt="Once upon", suffix=" The end.", options=OPTIONS)
        self.assertGreater(filled.prompt_eval_count, answer.prompt_eval_count)

    def test_thinking(self):
        for think in (True, "low", "high"):
            with self.subTest(think=think):
                answer = self.chat(think=think, options={"num_predict": 300, "seed": 3})
                self.assertTrue(answer.message.thinking)
                parts = list(self.chat(think=think, options={"num_predict": 300, "seed": 3}, stream=True))
                self.assertEqual("".join(part.message.thinking or "" for part in parts), answer.message.thinking)
                self.assertEqual("".join(part.message.content or "" for part in parts), answer.message.content)

    def test_options(self):
        whole = self.chat().message.content
        word = whole.split()[8]
        answer = self.chat(options={**OPTIONS, "stop": [word]})
        self.assertEqual((answer.message.content, answer.done_reason), (whole[:whole.index(word)], "stop"))
        texts = {seed: self.chat(options={"seed": seed, "num_predict": 40, "temperature": 1}).message.content for seed in (1, 2)}
        self.assertNotEqual(texts[1], texts[2])
        self.assertEqual(self.chat(options={"seed": 1, "num_predict": 40, "temperature": 1}).message.content, texts[1])

    def test_loading(self):
        answer = self.client.chat(model=MODEL)
        self.assertEqual((answer.done, answer.done_reason), (True, "load"))


class Tools(unittest.TestCase):
    def test_a_round(self):
        client = ollama.Client(host=scripted.url)
        for streamed in (False, True):
            messages = [{"role": "user", "content": support.QUESTION}]
            asked = client.chat(model=MODEL, messages=messages, tools=support.TOOLS, stream=streamed)
            parts = list(asked) if streamed else [asked]
            calls = [call for part in parts for call in part.message.tool_calls or []]
            self.assertEqual([(c.function.name, dict(c.function.arguments)) for c in calls], support.CALLS)
            self.assertEqual("".join(part.message.thinking or "" for part in parts), support.REASONING)
            self.assertEqual(parts[-1].done_reason, "stop")
            messages += [{"role": "assistant", "thinking": support.REASONING, "tool_calls": calls},
                         *({"role": "tool", "tool_name": c.function.name, "content": support.RESULTS[c.function.name]}
                           for c in calls)]
            answer = client.chat(model=MODEL, messages=messages, tools=support.TOOLS)
            self.assertEqual(answer.message.content, support.ANSWER)
            self.assertIsNone(answer.message.tool_calls)

    def test_functions_as_tools(self):
        def get_weather(city: str, days: int) -> str:
            """The weather in a city.

            Args:
              city: its name
              days: how many
            """
            return f"{city} {days}"

        answer = ollama.Client(host=scripted.url).chat(model=MODEL, tools=[get_weather],
                                                       messages=[{"role": "user", "content": support.QUESTION}])
        call = answer.message.tool_calls[0].function
        self.assertEqual(get_weather(**call.arguments), "Hangzhou 3")


class Models(unittest.TestCase):
    def setUp(self):
        self.client = ollama.Client(host=mini.url)

    def test_list_show_ps(self):
        names = [model.model for model in self.client.list().models]
        self.assertEqual(names[0], support.OWN_NAME + ":latest")
        for name in names:
            self.assertEqual(self.client.chat(model=name, messages=STORY, options={"num_predict": 1}).eval_count, 1)
        shown = self.client.show(names[0])
        self.assertLessEqual({"completion", "tools", "thinking"}, set(shown.capabilities))
        architecture = shown.modelinfo["general.architecture"]
        self.assertGreater(shown.modelinfo[architecture + ".context_length"], 1000)
        [running] = self.client.ps().models[:1]
        self.assertEqual(running.model, names[0])
        self.assertGreater(running.context_length, 1000)

    def test_version(self):
        with urllib.request.urlopen(mini.url + "/api/version") as answer:
            self.assertRegex(json.load(answer)["version"], r"^\d+\.\d+\.\d+$")

    def refused(self, status, call):
        with self.assertRaises(ollama.ResponseError) as caught:
            call()
        self.assertEqual(caught.exception.status_code, status)
        self.assertTrue(caught.exception.error)
        self.assertNotIn("{", caught.exception.error)

    def test_errors(self):
        self.refused(404, lambda: self.client.chat(model="llama-3", messages=STORY))
        self.refused(404, lambda: list(self.client.chat(model="llama-3", messages=STORY, stream=True)))
        self.refused(404, lambda: self.client.show("llama-3"))
        self.refused(400, lambda: self.client.chat(model=MODEL, messages=STORY, options={"temperature": -1}))
        self.refused(501, lambda: self.client.embed(model=MODEL, input="Hello"))

    def test_a_format(self):
        answer = self.client.chat(model=MODEL, messages=support.ANIMAL_QUESTION, format=support.ANIMAL, think=False,
                                  options={"num_predict": 300})
        support.check_animal(self, json.loads(answer.message.content))
        answer = self.client.generate(model=MODEL, prompt="An animal.", format=support.ANIMAL, think=False, options={"num_predict": 300})
        support.check_animal(self, json.loads(answer.response))
        answer = self.client.chat(model=MODEL, messages=support.ANIMAL_QUESTION, format="json", think=False, options={"num_predict": 5})
        self.assertTrue(answer.message.content.startswith("{"))
        self.refused(400, lambda: self.client.chat(model=MODEL, messages=STORY, format={"type": "strung"}))


if __name__ == "__main__":
    program.main()
