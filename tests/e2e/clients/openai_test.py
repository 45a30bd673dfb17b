"""The openai package of Python: chat completions, completions, tools, models, errors. Responses have a test of their own."""

import asyncio
import json
import os
import unittest
from typing import Annotated, Literal, Optional

import openai
import program
import pydantic
import support
from support import MODEL, PLAIN, STORY

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


def client_of(server, **options):
    client = openai.OpenAI(**{"base_url": server.url + "/v1", "api_key": "none", "max_retries": 0, **options})
    unittest.addModuleCleanup(client.close)
    return client


class Chat(unittest.TestCase):
    def setUp(self):
        self.client = client_of(mini)

    def create(self, model=PLAIN, messages=STORY, **more):
        return self.client.chat.completions.create(**{"model": model, "messages": messages, "max_tokens": 60, "seed": 3, **more})

    def text(self, **more):
        return self.create(**more).choices[0].message.content

    def test_an_answer(self):
        answer = self.create()
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, support.OWN_NAME)
        self.assertTrue(answer.id)
        self.assertTrue(answer.system_fingerprint)
        [choice] = answer.choices
        self.assertEqual(choice.message.role, "assistant")
        self.assertIn("fox", choice.message.content)
        self.assertEqual(choice.finish_reason, "length")
        self.assertIsNone(choice.message.tool_calls)
        self.assertFalse(hasattr(choice.message, "reasoning_content"))
        self.assertEqual(answer.usage.completion_tokens, 60)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + 60)
        self.assertEqual(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        self.assertEqual(answer.usage.prompt_cache_hit_tokens + answer.usage.prompt_cache_miss_tokens,
                         answer.usage.prompt_tokens)

    def test_a_request_has_an_id(self):
        raw = self.client.chat.completions.with_raw_response.create(model=PLAIN, messages=STORY, max_tokens=1,
                                                                    extra_headers={"x-request-id": "my-own-7"})
        self.assertEqual(raw.headers["x-request-id"], "my-own-7")
        self.assertEqual(raw.parse()._request_id, "my-own-7")

    def test_a_stream_says_what_the_whole_answer_says(self):
        whole = self.create()
        chunks = list(self.create(stream=True))
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual([c.choices[0].finish_reason for c in chunks][-1], "length")
        self.assertEqual({c.choices[0].finish_reason for c in chunks[:-1]}, {None})
        self.assertEqual([c.usage is not None for c in chunks].count(True), 1)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_include_usage(self):
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        self.assertEqual([c.usage is not None for c in chunks].count(True), 1)
        self.assertEqual(chunks[-1].usage.completion_tokens, 60)

    def test_the_stream_helper(self):
        with self.client.chat.completions.stream(model=MODEL, messages=STORY, max_tokens=2000, seed=3) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
        self.assertEqual(final.choices[0].message.content, self.text(model=MODEL, max_tokens=2000))

    def test_a_client_of_asyncio(self):
        async def talk():
            async with openai.AsyncOpenAI(base_url=mini.url + "/v1", api_key="none") as client:
                one = client.chat.completions.create(model=PLAIN, messages=STORY, max_tokens=60, seed=3)
                stream = await client.chat.completions.create(model=PLAIN, messages=STORY, max_tokens=60, seed=3, stream=True)
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                return (await one).choices[0].message.content, text

        whole, streamed = asyncio.run(talk())
        self.assertEqual(whole, streamed)

    def test_several_answers(self):
        whole = self.create(n=3)
        texts = [choice.message.content for choice in whole.choices]
        self.assertEqual([choice.index for choice in whole.choices], [0, 1, 2])
        self.assertEqual(len(set(texts)), 3)
        self.assertEqual(whole.usage.completion_tokens, 180)
        streamed = ["", "", ""]
        for chunk in self.create(n=3, stream=True):
            for choice in chunk.choices:
                streamed[choice.index] += choice.delta.content or ""
        self.assertEqual(streamed, texts)

    def test_logprobs(self):
        choice = self.create(logprobs=True, top_logprobs=5, temperature=0, max_tokens=20).choices[0]
        self.assertEqual(len(choice.logprobs.content), 20)
        self.assertEqual(b"".join(bytes(t.bytes) for t in choice.logprobs.content).decode(), choice.message.content)
        for token in choice.logprobs.content:
            self.assertEqual(len(token.top_logprobs), 5)
            self.assertEqual(token.logprob, max(t.logprob for t in token.top_logprobs))
            self.assertIn(token.token, [t.token for t in token.top_logprobs])
            self.assertLessEqual(token.logprob, 0)

    def test_stop(self):
        whole = self.text(max_tokens=100)
        word = whole.split()[10]
        choice = self.create(max_tokens=100, stop=[word, "\x01"]).choices[0]
        self.assertEqual(choice.finish_reason, "stop")
        self.assertEqual(choice.message.content, whole[:whole.index(word)])

    def test_a_seed_fixes_the_text(self):
        self.assertEqual(self.text(seed=5), self.text(seed=5))
        self.assertNotEqual(self.text(seed=5), self.text(seed=6))
        self.assertEqual(self.text(seed=5, temperature=0), self.text(seed=6, temperature=0))

    def test_thinking(self):
        for more in ({}, {"reasoning_effort": "high"}, {"extra_body": {"thinking": {"type": "enabled"}}}):
            with self.subTest(**more):
                answer = self.create(model=MODEL, max_tokens=300, **more)
                self.assertTrue(answer.choices[0].message.reasoning_content)
                self.assertGreater(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        for more in ({"reasoning_effort": "none"}, {"extra_body": {"thinking": {"type": "disabled"}}}):
            with self.subTest(**more):
                answer = self.create(model=MODEL, **more)
                self.assertFalse(hasattr(answer.choices[0].message, "reasoning_content"))

    def test_thinking_streamed(self):
        message = self.create(model=MODEL, max_tokens=300).choices[0].message
        thought, text = "", ""
        for chunk in self.create(model=MODEL, max_tokens=300, stream=True):
            delta = chunk.choices[0].delta
            more = getattr(delta, "reasoning_content", None) or ""
            self.assertFalse(more and delta.content)
            thought, text = thought + more, text + (delta.content or "")
        self.assertEqual(thought, message.reasoning_content)
        self.assertEqual(text, message.content)

    def test_the_beginning_of_an_answer(self):
        begun = [*STORY, {"role": "assistant", "content": "Far away there lived a green fox called", "prefix": True}]
        other = [*STORY, {"role": "assistant", "content": "Far away there lived a green fox called"}, STORY[0]]
        answer = self.create(messages=begun, temperature=0)
        self.assertNotIn("Far away there lived", answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].message.content[0], " ")
        self.assertNotEqual(answer.choices[0].message.content, self.text(messages=other, temperature=0))

    def test_a_stream_that_is_left(self):
        stream = self.create(stream=True, max_tokens=5000)
        next(iter(stream))
        stream.close()
        self.assertEqual(self.create(max_tokens=1).usage.completion_tokens, 1)

    def test_retired_names_are_served_with_a_warning(self):
        raw = self.client.chat.completions.with_raw_response.create(model="deepseek-chat", messages=STORY, max_tokens=1)
        self.assertIn("deepseek-chat", raw.headers["warning"])


class Completions(unittest.TestCase):
    PROMPT = "Once upon a time there was a fox. The fox"

    def setUp(self):
        self.client = client_of(mini)

    def create(self, prompt=PROMPT, **more):
        return self.client.completions.create(**{"model": MODEL, "prompt": prompt, "max_tokens": 20, "temperature": 0, **more})

    def test_a_text(self):
        answer = self.create()
        self.assertEqual((answer.object, answer.model), ("text_completion", support.OWN_NAME))
        self.assertTrue(answer.choices[0].text)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 20)
        streamed = list(self.create(stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in streamed), answer.choices[0].text)
        self.assertEqual(streamed[-1].choices[0].finish_reason, "length")

    def test_echo_and_logprobs(self):
        plain = self.create().choices[0]
        echoed = self.create(echo=True, logprobs=2).choices[0]
        self.assertEqual(echoed.text, self.PROMPT + plain.text)
        probs = echoed.logprobs
        self.assertEqual(len({len(probs.tokens), len(probs.token_logprobs), len(probs.text_offset), len(probs.top_logprobs)}), 1)
        self.assertEqual("".join(probs.tokens), echoed.text)
        for offset, token in zip(probs.text_offset, probs.tokens):
            self.assertTrue(echoed.text[offset:].startswith(token))
        for logprob, top in list(zip(probs.token_logprobs, probs.top_logprobs))[1:]:
            self.assertGreaterEqual(len(top), 2)
            self.assertIn(logprob, top.values())
        # The prompt alone.
        alone = self.create(echo=True, logprobs=2, max_tokens=0).choices[0]
        self.assertEqual(alone.text, self.PROMPT)
        self.assertEqual(alone.logprobs.token_logprobs, probs.token_logprobs[:len(alone.logprobs.tokens)])

    def test_a_gap_between_two_texts(self):
        filled = self.create("def add(a, b):\n", suffix="\n    return c\n")
        other = self.create("def add(a, b):\n", suffix="\nThe end.")
        self.assertNotEqual(filled.usage.prompt_tokens, other.usage.prompt_tokens)
        self.assertEqual("".join(c.choices[0].text for c in self.create("def add(a, b):\n", suffix="\n    return c\n", stream=True)),
                         filled.choices[0].text)

    def test_many_prompts(self):
        prompts = [self.PROMPT, "A king lived in a castle.", "Hello"]
        answer = self.create(prompts)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        self.assertEqual([choice.text for choice in answer.choices], [self.create(p).choices[0].text for p in prompts])
        streamed = [""] * 3
        for chunk in self.create(prompts, stream=True):
            for choice in chunk.choices:
                streamed[choice.index] += choice.text
        self.assertEqual(streamed, [choice.text for choice in answer.choices])

    def test_prompts_of_token_ids(self):
        ids = mini.post("/tokenize", {"prompt": self.PROMPT})[1]["tokens"]
        expected = self.create().choices[0].text
        self.assertEqual(self.create(ids).choices[0].text, expected)
        self.assertEqual([choice.text for choice in self.create([ids, ids]).choices], [expected] * 2)

    def test_stop_and_several(self):
        text = self.create().choices[0].text
        word = text.split()[3]
        self.assertEqual(self.create(stop=word).choices[0].text, text[:text.index(word)])
        several = self.create(n=2, temperature=1, seed=3)
        self.assertEqual(len({choice.text for choice in several.choices}), 2)

    def test_errors(self):
        for more in ({"prompt": [[99999999]]}, {"suffix": "x", "echo": True}, {"logprobs": 100}, {"max_tokens": -1}):
            with self.subTest(**more), self.assertRaises(openai.BadRequestError):
                self.create(**more)
        with self.assertRaises(openai.NotFoundError):
            self.create(model="llama-3")


class Tools(unittest.TestCase):
    def setUp(self):
        self.client = client_of(scripted)

    def create(self, messages, **more):
        return self.client.chat.completions.create(model=MODEL, messages=messages, tools=support.TOOLS, max_tokens=400, **more)

    def check_calls(self, calls):
        self.assertEqual([(c.function.name, c.function.arguments) for c in calls],
                         [("get_weather", '{"city": "Hangzhou", "days": 3}'),
                          ("get_time", '{"zone": "Asia/Shanghai", "exact": true}')])
        self.assertEqual({c.type for c in calls}, {"function"})
        self.assertEqual(len({c.id for c in calls}), 2)

    def results(self, calls):
        return [{"role": "tool", "tool_call_id": c.id, "content": support.RESULTS[c.function.name]} for c in calls]

    def converse(self, replay_reasoning, begin):
        """Three questions, each with a round of tools; what the next prompt begins with need not be computed again."""
        messages, computed = [], 0
        for turn in range(3):
            # So much that the last result is out of the scripted model's sight.
            messages.append({"role": "user", "content": f"{begin} {turn}: " + support.QUESTION + " Say it well." * 30})
            answer = self.create(messages)
            [choice] = answer.choices
            self.assertEqual(choice.finish_reason, "tool_calls")
            self.assertEqual(choice.message.content, "")
            self.assertEqual(choice.message.reasoning_content, support.REASONING)
            self.check_calls(choice.message.tool_calls)
            self.assertGreaterEqual(answer.usage.prompt_cache_hit_tokens, support.reusable(computed))
            message = choice.message.model_dump(exclude_none=True)
            if not replay_reasoning:
                del message["reasoning_content"]
            messages += [message, *self.results(choice.message.tool_calls)]
            computed = answer.usage.total_tokens

            answer = self.create(messages)
            self.assertEqual(answer.choices[0].finish_reason, "stop")
            self.assertEqual(answer.choices[0].message.content, support.ANSWER)
            self.assertGreaterEqual(answer.usage.prompt_cache_hit_tokens, support.reusable(computed))
            message = answer.choices[0].message.model_dump(exclude_none=True)
            if not replay_reasoning:
                del message["reasoning_content"]
            messages.append(message)
            computed = answer.usage.total_tokens

    def test_three_rounds(self):
        self.converse(True, "First")

    def test_three_rounds_without_their_reasoning(self):
        self.converse(False, "Second")

    def test_streamed_calls(self):
        messages = [{"role": "user", "content": support.QUESTION}]
        calls, thought = {}, ""
        for chunk in self.create(messages, stream=True):
            delta = chunk.choices[0].delta
            thought += getattr(delta, "reasoning_content", None) or ""
            self.assertIn(delta.content, (None, ""))
            for part in delta.tool_calls or []:
                if part.index not in calls:
                    self.assertIsInstance(part.id, str)
                    calls[part.index] = part
                else:
                    calls[part.index].function.arguments += part.function.arguments
        self.assertEqual(chunk.choices[0].finish_reason, "tool_calls")
        self.assertEqual(thought, support.REASONING)
        self.check_calls([calls[0], calls[1]])

    def test_the_stream_helper(self):
        messages = [{"role": "user", "content": support.QUESTION}]
        with self.client.chat.completions.stream(model=MODEL, messages=messages, tools=support.TOOLS) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            final = stream.get_final_completion()
        self.assertEqual([event.name for event in done], ["get_weather", "get_time"])
        self.check_calls(final.choices[0].message.tool_calls)
        messages += [final.choices[0].message.model_dump(exclude_none=True), *self.results(final.choices[0].message.tool_calls)]
        with self.client.chat.completions.stream(model=MODEL, messages=messages, tools=support.TOOLS) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.content, support.ANSWER)


class Animal(pydantic.BaseModel):
    name: Annotated[str, pydantic.Field(pattern="^[A-Z][a-z]{1,8}$")]
    legs: Annotated[int, pydantic.Field(ge=0, le=8)]
    kind: Literal["cat", "fox", "star"]
    friend: Optional["Friend"]


class Friend(pydantic.BaseModel):
    age: Annotated[int, pydantic.Field(ge=1, le=99)]


class Structured(unittest.TestCase):
    """A small model that has never seen JSON says what it must."""

    def setUp(self):
        self.client = client_of(mini)

    def create(self, **more):
        return self.client.chat.completions.create(**{"model": PLAIN, "messages": support.ANIMAL_QUESTION, "max_tokens": 300,
                                                      "seed": 5, **more})

    def test_json_schema(self):
        form = {"type": "json_schema", "json_schema": {"name": "animal", "strict": True, "schema": support.ANIMAL}}
        for seed in range(5):
            answer = self.create(response_format=form, seed=seed, temperature=1.5).choices[0]
            self.assertEqual(answer.finish_reason, "stop")
            support.check_animal(self, json.loads(answer.message.content))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in self.create(response_format=form, stream=True))
        support.check_animal(self, json.loads(text))
        cut = self.create(response_format=form, max_tokens=4).choices[0]
        self.assertEqual(cut.finish_reason, "length")
        # Thinking comes first, and is free.
        thought = self.create(model=MODEL, response_format=form, max_tokens=2000).choices[0]
        if thought.finish_reason == "stop":
            support.check_animal(self, json.loads(thought.message.content))

    def test_parse_with_pydantic(self):
        for seed in range(3):
            answer = self.client.chat.completions.parse(model=PLAIN, messages=support.ANIMAL_QUESTION, response_format=Animal,
                                                        max_tokens=300, seed=seed)
            self.assertIsInstance(answer.choices[0].message.parsed, Animal)

    def test_json_object(self):
        answer = self.create(response_format={"type": "json_object"}).choices[0]
        self.assertTrue(answer.message.content.startswith("{"))
        if answer.finish_reason == "stop":
            self.assertIsInstance(json.loads(answer.message.content), dict)

    def test_a_schema_that_cannot_be_kept_to(self):
        bad = {**support.ANIMAL, "properties": {**support.ANIMAL["properties"], "kind": {"type": "strung"}}}
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(response_format={"type": "json_schema", "json_schema": {"name": "animal", "schema": bad}})
        self.assertIn("properties/kind", str(caught.exception))
        self.assertEqual(caught.exception.type, "invalid_request_error")

    def test_forced_calls(self):
        tools = [{"type": "function", "function": {"name": "save", "description": "Saves it.", "parameters": support.ANIMAL}},
                 {"type": "function", "function": {"name": "stop"}}]
        for model in (PLAIN, MODEL):  # thinking is given up where nobody asked for it
            answer = self.create(model=model, tools=tools, tool_choice={"type": "function", "function": {"name": "save"}})
            self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
            [call] = answer.choices[0].message.tool_calls
            self.assertEqual(call.function.name, "save")
            support.check_animal(self, json.loads(call.function.arguments))
        answer = self.create(tools=tools, tool_choice="required", max_tokens=2000, extra_body={"parallel_tool_calls": False})
        [call] = answer.choices[0].message.tool_calls
        self.assertIn(call.function.name, ("save", "stop"))
        with self.assertRaises(openai.BadRequestError):
            self.create(tools=tools, tool_choice="required", extra_body={"thinking": {"type": "enabled"}})

    def test_strict_tools(self):
        save = openai.pydantic_function_tool(Animal, name="save")
        self.assertTrue(save["function"]["strict"])
        answer = self.client.chat.completions.parse(model=PLAIN, messages=support.ANIMAL_QUESTION, tools=[save], max_tokens=300,
                                                    tool_choice={"type": "function", "function": {"name": "save"}})
        self.assertIsInstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Animal)
        loose = {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(tools=[{"type": "function", "function": loose}])
        self.assertIn("required", str(caught.exception))

    def test_guided_decoding(self):
        for more in ({"guided_regex": "[a-c]{3}-\\d{2}"}, {"structured_outputs": {"regex": "[a-c]{3}-\\d{2}"}}):
            self.assertRegex(self.create(extra_body=more).choices[0].message.content, "^[a-c]{3}-[0-9]{2}$")
        self.assertIn(self.create(extra_body={"guided_choice": ["yes", "no"]}).choices[0].message.content, ("yes", "no"))
        grammar = 'root ::= "(" root ")" | [0-9]'
        self.assertRegex(self.create(extra_body={"guided_grammar": grammar}).choices[0].message.content, r"^\(*[0-9]\)*$")
        answer = self.client.completions.create(model=PLAIN, prompt="A fox", max_tokens=50, extra_body={"guided_json": support.ANIMAL})
        support.check_animal(self, json.loads(answer.choices[0].text))


class Errors(unittest.TestCase):
    def raised(self, kind, status, server=None, client=None, model=PLAIN, messages=STORY, **more):
        client = client or client_of(server or mini)
        with self.assertRaises(kind) as caught:
            client.chat.completions.create(model=model, messages=messages, **{"max_tokens": 5, **more})
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(caught.exception.status_code, status)
        self.assertTrue(caught.exception.body["message"])
        return caught.exception

    def test_an_unknown_model(self):
        error = self.raised(openai.NotFoundError, 404, model="llama-3")
        self.assertEqual(error.code, "model_not_found")

    def test_bad_requests(self):
        for more in ({"temperature": 3}, {"top_p": 0}, {"max_tokens": 0}, {"n": 1000}, {"messages": []}, {"seed": -1},
                     {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
                     {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}):
            with self.subTest(**more):
                error = self.raised(openai.BadRequestError, 400, **more)
                self.assertEqual(error.type, "invalid_request_error")
                # A stream fails in the same way, before its first byte.
                self.raised(openai.BadRequestError, 400, stream=True, **more)

    def test_a_prompt_that_is_too_long(self):
        server = support.start_server("--ctx", 256)
        error = self.raised(openai.BadRequestError, 400, server=server, messages=[{"role": "user", "content": "story " * 600}])
        self.assertEqual(error.code, "context_length_exceeded")
        self.assertIn("256", str(error))
        # As long as there is room for one token, an answer is made as long as it may be.
        answer = client_of(server).chat.completions.create(model=PLAIN, messages=STORY, max_tokens=100_000)
        self.assertLessEqual(answer.usage.total_tokens, 256)

    def test_keys(self):
        server = support.start_server("--api-key", "right")
        self.assertTrue(client_of(server, api_key="right").models.list().data)
        for key in ("wrong", "righ", "rightright"):
            error = self.raised(openai.AuthenticationError, 401, client=client_of(server, api_key=key))
            self.assertEqual(error.type, "authentication_error")

    def test_limits_of_a_key(self):
        path = os.path.join(support.temporary_folder(), "keys")
        with open(path, "w", encoding="ascii") as f:
            f.write("fast name=fast\nslow name=slow rpm=1\n")
        server = support.start_server("--key-file", path)
        slow = client_of(server, api_key="slow")
        slow.chat.completions.create(model=PLAIN, messages=STORY, max_tokens=1)
        error = self.raised(openai.RateLimitError, 429, client=slow)
        self.assertGreaterEqual(int(error.response.headers["retry-after"]), 1)
        client_of(server, api_key="fast").chat.completions.create(model=PLAIN, messages=STORY, max_tokens=1)

    def test_an_unknown_path(self):
        with self.assertRaises(openai.NotFoundError):
            client_of(mini).audio.speech.create(model=MODEL, voice="alloy", input="Hello")


class Models(unittest.TestCase):
    def test_list_and_retrieve(self):
        client = client_of(mini)
        names = [model.id for model in client.models.list()]
        self.assertEqual(names[0], support.OWN_NAME)
        self.assertLessEqual({"deepseek-v4-flash", "deepseek-v4-pro"}, set(names))
        for name in names:
            model = client.models.retrieve(name)
            self.assertEqual((model.id, model.object), (name, "model"))
            self.assertTrue(model.owned_by)
        with self.assertRaises(openai.NotFoundError):
            client.models.retrieve("llama-3")


if __name__ == "__main__":
    program.main()
