"""The anthropic package of Python: messages, thinking, tools, counting, models, errors."""

import asyncio
import json
import os
import unittest

import anthropic
import program
import support
from support import MODEL, PLAIN, STORY

GREEDY = {"extra_body": {"temperature": 0}}  # this version of the package has no parameter for it
TOOLS = [{"name": name, "description": support.DESCRIPTIONS[name], "input_schema": schema}
         for name, schema in support.SCHEMAS.items()]

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


def client_of(server, base="", **options):
    client = anthropic.Anthropic(**{"base_url": server.url + base, "api_key": "none", "max_retries": 0, **options})
    unittest.addModuleCleanup(client.close)
    return client


class Messages(unittest.TestCase):
    def setUp(self):
        self.client = client_of(mini)

    def create(self, **more):
        return self.client.messages.create(**{"model": PLAIN, "messages": STORY, "max_tokens": 60, **GREEDY, **more})

    def test_a_message(self):
        for base in ("", "/anthropic"):
            with self.subTest(base=base):
                self.client = client_of(mini, base)
                message = self.create()
                self.assertTrue(message.id.startswith("msg_"))
                self.assertEqual((message.type, message.role, message.model), ("message", "assistant", support.OWN_NAME))
                [block] = message.content
                self.assertEqual(block.type, "text")
                self.assertIn("fox", block.text)
                self.assertEqual((message.stop_reason, message.stop_sequence), ("max_tokens", None))
                self.assertEqual(message.usage.output_tokens, 60)
                self.assertTrue(message._request_id)

    def test_names_of_claude(self):
        for name in ("claude-opus-4-1", "claude-sonnet-4-5-20250929", "claude-haiku-4-5", "deepseek-v4-pro[1m]"):
            with self.subTest(name=name):
                self.assertEqual(self.create(model=name, max_tokens=1).model, support.OWN_NAME)

    def test_a_stream_says_what_the_whole_message_says(self):
        whole = self.create()
        with self.client.messages.stream(model=PLAIN, messages=STORY, max_tokens=60, **GREEDY) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual(final.content[0].text, text)
        self.assertEqual(final.stop_reason, "max_tokens")
        self.assertEqual(final.usage.output_tokens, 60)
        self.assertEqual(final.usage.input_tokens + final.usage.cache_read_input_tokens,
                         whole.usage.input_tokens + whole.usage.cache_read_input_tokens)

    def test_the_events_of_a_stream(self):
        events = list(self.create(model=MODEL, stream=True, max_tokens=500))
        kinds = [event.type for event in events if event.type != "ping"]
        self.assertEqual([kinds[0], *kinds[-2:]], ["message_start", "message_delta", "message_stop"])
        self.assertEqual(events[0].message.usage.output_tokens, 0)
        self.assertGreater(events[0].message.usage.input_tokens, 0)
        open_block, next_index = None, 0
        for event in events:
            if event.type == "content_block_start":
                self.assertIsNone(open_block)
                self.assertEqual(event.index, next_index)
                open_block, next_index = event.index, next_index + 1
            elif event.type == "content_block_delta":
                self.assertEqual(event.index, open_block)
            elif event.type == "content_block_stop":
                self.assertEqual(event.index, open_block)
                open_block = None
        self.assertIsNone(open_block)
        self.assertEqual(next_index, 2)

    def test_a_client_of_asyncio(self):
        async def talk():
            async with anthropic.AsyncAnthropic(base_url=mini.url, api_key="none") as client:
                async with client.messages.stream(model=PLAIN, messages=STORY, max_tokens=60, **GREEDY) as stream:
                    return (await stream.get_final_message()).content[0].text

        self.assertEqual(asyncio.run(talk()), self.create().content[0].text)

    def test_thinking_and_its_signature(self):
        message = self.create(model=MODEL, max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
        thinking, text = message.content
        self.assertEqual((thinking.type, text.type), ("thinking", "text"))
        self.assertTrue(thinking.thinking)
        self.assertTrue(thinking.signature)
        with self.client.messages.stream(model=MODEL, messages=STORY, max_tokens=2000, **GREEDY,
                                         thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
            final = stream.get_final_message()
        self.assertEqual([block.type for block in final.content], ["thinking", "text"])
        self.assertTrue(final.content[0].signature)
        self.assertTrue(final.content[0].thinking)
        # What came goes back as it is, or with its thinking left out.
        history = [*STORY, {"role": "assistant", "content": message.content}, {"role": "user", "content": "And then?"}]
        again = self.create(model=MODEL, messages=history)
        read = again.usage.input_tokens + again.usage.cache_read_input_tokens
        history[1] = {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": thinking.signature},
                                                       {"type": "text", "text": text.text}]}
        emptied = self.create(model=MODEL, messages=history)
        self.assertEqual(emptied.usage.input_tokens + emptied.usage.cache_read_input_tokens, read)
        # A signature of somebody else's.
        history[1]["content"][0] = {"type": "thinking", "thinking": "Well.", "signature": "AAAA"}
        self.assertTrue(self.create(model=MODEL, messages=history).content)

    def test_thinking_off(self):
        message = self.create(model=MODEL, thinking={"type": "disabled"})
        self.assertEqual([block.type for block in message.content], ["text"])

    def test_stop_sequences(self):
        whole = self.create().content[0].text
        word = whole.split()[8]
        message = self.create(stop_sequences=["never said", word])
        self.assertEqual((message.stop_reason, message.stop_sequence), ("stop_sequence", word))
        self.assertEqual("".join(block.text for block in message.content), whole[:whole.index(word)])

    def test_counting_tokens(self):
        asks = [{"messages": STORY}, {"messages": STORY, "system": "Be brief."},
                {"messages": STORY, "system": [{"type": "text", "text": "Be brief."}], "tools": TOOLS},
                {"messages": [*STORY, {"role": "assistant", "content": "Once"}, {"role": "user", "content": "More! " * 200}]}]
        for model in (MODEL, PLAIN):
            for ask in asks:
                counted = self.client.messages.count_tokens(model=model, **ask).input_tokens
                for _ in range(2):  # the second time most of it comes from the cache
                    usage = self.client.messages.create(model=model, max_tokens=1, **ask).usage
                    self.assertEqual(usage.input_tokens + usage.cache_read_input_tokens, counted)
        self.assertGreater(usage.cache_read_input_tokens, 0)

    def test_the_beginning_of_an_answer(self):
        message = self.create(messages=[*STORY, {"role": "assistant", "content": "Far away there lived a green"}])
        self.assertNotIn("Far away there lived", message.content[0].text)


class Tools(unittest.TestCase):
    def setUp(self):
        self.client = client_of(scripted)

    def ask(self, messages, streamed):
        ask = {"model": MODEL, "messages": messages, "tools": TOOLS, "max_tokens": 500}
        if not streamed:
            return self.client.messages.create(**ask)
        with self.client.messages.stream(**ask) as stream:
            return stream.get_final_message()

    def check_calls(self, message):
        self.assertEqual(message.stop_reason, "tool_use")
        thinking, *calls = message.content
        self.assertEqual(thinking.thinking, support.REASONING)
        self.assertEqual([(c.type, c.name, c.input) for c in calls], [("tool_use", *call) for call in support.CALLS])
        self.assertEqual(len({c.id for c in calls}), 2)
        return [{"type": "tool_result", "tool_use_id": c.id, "content": support.RESULTS[c.name]} for c in calls]

    def test_three_rounds(self):
        for streamed in (False, True):
            for thinking in (True, False):
                with self.subTest(streamed=streamed, thinking=thinking):
                    self.converse(streamed, thinking)

    def converse(self, streamed, thinking):
        messages, computed = [], 0
        for turn in range(3):
            messages.append({"role": "user", "content": f"{turn} {streamed} {thinking}: {support.QUESTION}" + " Well." * 60})
            message = self.ask(messages, streamed)
            results = self.check_calls(message)
            self.assertGreaterEqual(message.usage.cache_read_input_tokens, support.reusable(computed))
            content = message.content if thinking else message.content[1:]
            messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
            usage = message.usage
            computed = usage.input_tokens + usage.cache_read_input_tokens + usage.output_tokens
            message = self.ask(messages, streamed)
            self.assertEqual(message.stop_reason, "end_turn")
            self.assertEqual(message.content[-1].text, support.ANSWER)
            self.assertGreaterEqual(message.usage.cache_read_input_tokens, support.reusable(computed))
            content = message.content if thinking else message.content[1:]
            messages.append({"role": "assistant", "content": content})
            usage = message.usage
            computed = usage.input_tokens + usage.cache_read_input_tokens + usage.output_tokens

    def test_input_comes_in_pieces_of_json(self):
        parts = {}
        for event in self.client.messages.create(model=MODEL, messages=[{"role": "user", "content": support.QUESTION}],
                                                 tools=TOOLS, max_tokens=500, stream=True):
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                parts.setdefault(event.index, []).append(event.delta.partial_json)
        self.assertEqual([json.loads("".join(p)) for p in parts.values()], [arguments for _, arguments in support.CALLS])

    def test_forced_calls(self):
        tools = [{"name": "save", "description": "Saves it.", "input_schema": support.ANIMAL, "strict": True}]
        for model in (PLAIN, MODEL):  # thinking is given up where nobody asked for it
            for choice in ({"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "save"}):
                with self.subTest(model=model, **choice):
                    message = client_of(mini).messages.create(model=model, messages=support.ANIMAL_QUESTION, tools=tools,
                                                              tool_choice=choice, max_tokens=500)
                    self.assertEqual(message.stop_reason, "tool_use")
                    [call] = message.content
                    support.check_animal(self, call.input)

    def test_a_schema_of_the_answer(self):
        form = {"output_config": {"format": {"type": "json_schema", "schema": support.ANIMAL}}}
        message = client_of(mini).messages.create(model=PLAIN, messages=support.ANIMAL_QUESTION, max_tokens=300, extra_body=form)
        support.check_animal(self, json.loads(message.content[0].text))


class Errors(unittest.TestCase):
    def raised(self, kind, error_type, client=None, **more):
        client = client or client_of(mini)
        with self.assertRaises(kind) as caught:
            client.messages.create(**{"model": PLAIN, "messages": STORY, "max_tokens": 5, **more})
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(caught.exception.body["type"], "error")
        self.assertEqual(caught.exception.body["error"]["type"], error_type)
        self.assertTrue(caught.exception.body["error"]["message"])
        return caught.exception

    def test_bad_requests(self):
        for more in ({"extra_body": {"temperature": 7}}, {"max_tokens": 0}, {"messages": []}, {"messages": [{"role": "boss", "content": "x"}]},
                     {"stop_sequences": ["x"] * 17},
                     {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": ""}]}]}):
            for stream in (False, True):
                with self.subTest(stream=stream, **more):
                    self.raised(anthropic.BadRequestError, "invalid_request_error", stream=stream, **more)

    def test_an_unknown_model(self):
        self.raised(anthropic.NotFoundError, "not_found_error", model="llama-3")

    def test_a_prompt_that_is_too_long(self):
        server = support.start_server("--ctx", 256)
        error = self.raised(anthropic.BadRequestError, "invalid_request_error", client=client_of(server),
                            messages=[{"role": "user", "content": "story " * 600}])
        self.assertIn("256", str(error))

    def test_keys(self):
        server = support.start_server("--api-key", "right")
        self.assertTrue(client_of(server, api_key="right").models.list().data)
        # Authorization: Bearer, as gateways want it.
        self.assertTrue(client_of(server, api_key=None, auth_token="right").models.list().data)
        self.raised(anthropic.AuthenticationError, "authentication_error", client=client_of(server, api_key="wrong"))

    def test_limits_of_a_key(self):
        path = os.path.join(support.temporary_folder(), "keys")
        with open(path, "w", encoding="ascii") as f:
            f.write("slow rpm=1\n")
        client = client_of(support.start_server("--key-file", path), api_key="slow")
        client.messages.create(model=PLAIN, messages=STORY, max_tokens=1)
        error = self.raised(anthropic.RateLimitError, "rate_limit_error", client=client)
        self.assertGreaterEqual(int(error.response.headers["retry-after"]), 1)


class Models(unittest.TestCase):
    def test_list_and_retrieve(self):
        for base in ("", "/anthropic"):
            client = client_of(mini, base)
            names = [model.id for model in client.models.list()]
            self.assertEqual(names[0], support.OWN_NAME)
            model = client.models.retrieve(names[0])
            self.assertEqual((model.id, model.type), (names[0], "model"))
            self.assertTrue(model.display_name)
            self.assertTrue(model.created_at)
            with self.assertRaises(anthropic.NotFoundError):
                client.models.retrieve("llama-3")


if __name__ == "__main__":
    program.main()
