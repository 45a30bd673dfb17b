"""The openai package of Python: responses, whole and streamed, tools, errors."""

import json
import unittest

import openai
import program
import support
from support import MODEL, PLAIN

STORY = support.STORY[0]["content"]
TOOLS = [{"type": "function", **tool["function"], "strict": False} for tool in support.TOOLS]

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


def client_of(server):
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
    unittest.addModuleCleanup(client.close)
    return client


class Responses(unittest.TestCase):
    def setUp(self):
        self.client = client_of(mini)

    def create(self, **more):
        return self.client.responses.create(**{"model": PLAIN, "input": STORY, "max_output_tokens": 60, "temperature": 0, **more})

    def test_a_response(self):
        response = self.create(instructions="Be kind.")
        self.assertTrue(response.id.startswith("resp_"))
        self.assertEqual(response.object, "response")
        self.assertEqual(response.model, support.OWN_NAME)
        [item] = response.output
        self.assertEqual((item.type, item.role), ("message", "assistant"))
        self.assertEqual(response.output_text, item.content[0].text)
        self.assertTrue(response.output_text)
        self.assertEqual(response.status, "incomplete")
        self.assertEqual(response.incomplete_details.reason, "max_output_tokens")
        self.assertEqual(response.usage.output_tokens, 60)
        self.assertEqual(response.usage.total_tokens, response.usage.input_tokens + 60)
        self.assertEqual(response.usage.output_tokens_details.reasoning_tokens, 0)
        self.assertIsNone(response.error)

    def test_thinking(self):
        for more in ({}, {"reasoning": {"effort": "high"}}):
            response = self.create(model=MODEL, max_output_tokens=2000, **more)
            self.assertEqual(response.status, "completed")
            self.assertEqual([item.type for item in response.output], ["reasoning", "message"])
            self.assertTrue(response.output[0].content[0].text)
            self.assertGreater(response.usage.output_tokens_details.reasoning_tokens, 0)
        response = self.create(model=MODEL, reasoning={"effort": "none"})
        self.assertEqual([item.type for item in response.output], ["message"])

    def test_the_events_of_a_stream(self):
        events = list(self.create(model=MODEL, max_output_tokens=2000, stream=True))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        kinds = [event.type for event in events]
        self.assertEqual(kinds[:2], ["response.created", "response.in_progress"])
        self.assertEqual(kinds[-1], "response.completed")
        self.assertEqual(kinds.count("response.completed"), 1)
        final = events[-1].response
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        thought = "".join(event.delta for event in events if event.type == "response.reasoning_text.delta")
        self.assertEqual(text, final.output_text)
        self.assertEqual(thought, final.output[0].content[0].text)
        open_items = {}
        for event in events:
            if event.type == "response.output_item.added":
                self.assertNotIn(event.output_index, open_items)
                open_items[event.output_index] = event.item.id
            elif event.type.endswith(".delta"):
                self.assertEqual(event.item_id, open_items[event.output_index])
            elif event.type == "response.output_item.done":
                self.assertEqual(event.item.id, open_items[event.output_index])
        self.assertEqual(len(open_items), len(final.output))

    def test_the_stream_helper(self):
        whole = self.create(max_output_tokens=2000)
        with self.client.responses.stream(model=PLAIN, input=STORY, max_output_tokens=2000, temperature=0) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_response()
        self.assertIn("response.output_text.delta", kinds)
        self.assertEqual(final.output_text, whole.output_text)
        self.assertEqual(final.status, "completed")

    def test_a_conversation_is_sent_again(self):
        first = self.create(max_output_tokens=2000)
        self.assertGreater(first.usage.total_tokens, support.CACHE_STEP)
        second = self.create(input=[{"role": "user", "content": STORY}, *first.output,
                                    {"role": "user", "content": "And then?"}])
        self.assertGreaterEqual(second.usage.input_tokens_details.cached_tokens, support.reusable(first.usage.total_tokens))

    def test_items_of_several_kinds(self):
        response = self.create(input=[
            {"role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
            {"role": "user", "content": STORY}])
        self.assertTrue(response.output_text)


class Tools(unittest.TestCase):
    def setUp(self):
        self.client = client_of(scripted)

    def check_calls(self, response):
        self.assertEqual(response.status, "completed")
        calls = [item for item in response.output if item.type == "function_call"]
        self.assertEqual([(c.name, json.loads(c.arguments)) for c in calls], support.CALLS)
        self.assertEqual(len({c.call_id for c in calls}), 2)
        return [{"type": "function_call_output", "call_id": c.call_id, "output": support.RESULTS[c.name]} for c in calls]

    def said(self, items, streamed):
        if not streamed:
            return self.client.responses.create(model=MODEL, input=items, tools=TOOLS)
        with self.client.responses.stream(model=MODEL, input=items, tools=TOOLS) as stream:
            return stream.get_final_response()

    def test_rounds(self):
        for streamed in (False, True):
            for reasoning in (True, False):
                with self.subTest(streamed=streamed, reasoning=reasoning):
                    items, known = [], 0
                    for turn in range(3):
                        items.append({"role": "user",
                                      "content": f"{turn} {streamed} {reasoning}: {support.QUESTION}" + " Well." * 60})
                        response = self.said(items, streamed)
                        results = self.check_calls(response)
                        self.assertGreaterEqual(response.usage.input_tokens_details.cached_tokens, support.reusable(known))
                        items += [*self.replayed(response, reasoning), *results]
                        known = response.usage.total_tokens
                        response = self.said(items, streamed)
                        self.assertEqual(response.output_text, support.ANSWER)
                        self.assertGreaterEqual(response.usage.input_tokens_details.cached_tokens, support.reusable(known))
                        items += self.replayed(response, True)
                        known = response.usage.total_tokens

    def replayed(self, response, reasoning):
        return [item.model_dump(exclude_none=True) for item in response.output if reasoning or item.type != "reasoning"]

    def test_the_arguments_come_in_pieces(self):
        parts, done = {}, {}
        for event in self.client.responses.create(model=MODEL, input=support.QUESTION, tools=TOOLS, stream=True):
            if event.type == "response.function_call_arguments.delta":
                parts.setdefault(event.output_index, []).append(event.delta)
            if event.type == "response.function_call_arguments.done":
                done[event.output_index] = event.arguments
        self.assertEqual({index: "".join(part) for index, part in parts.items()}, done)
        self.assertEqual([json.loads(text) for text in done.values()], [arguments for _, arguments in support.CALLS])

    def test_a_patch(self):
        """Codex's own tool, whose input is no JSON."""
        patch = "*** Begin Patch\n*** Add File: hello.txt\n+Hello, \"you\" – 你好\n*** End Patch"
        server = support.start_scripted(calls=[("apply_patch", {"input": patch})])
        tools = [{"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": {
            "type": "grammar", "syntax": "lark", "definition": "start: /.+/"}}]
        client, items = client_of(server), [{"role": "user", "content": "Patch it."}]
        with client.responses.stream(model=MODEL, input=items, tools=tools) as stream:
            events = list(stream)
            response = stream.get_final_response()
        [call] = [item for item in response.output if item.type == "custom_tool_call"]
        self.assertEqual((call.name, call.input), ("apply_patch", patch))
        deltas = "".join(e.delta for e in events if e.type == "response.custom_tool_call_input.delta")
        self.assertEqual(deltas, patch)
        items += [*self.replayed(response, True),
                  {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "Done!"}]
        second = client.responses.create(model=MODEL, input=items, tools=tools)
        self.assertEqual(second.output_text, support.ANSWER)
        self.assertGreaterEqual(second.usage.input_tokens_details.cached_tokens, support.reusable(response.usage.total_tokens))


class Errors(unittest.TestCase):
    def refused(self, kind=openai.BadRequestError, server=None, **more):
        with self.assertRaises(kind) as caught:
            client_of(server or mini).responses.create(**{"model": PLAIN, "input": STORY, **more})
        self.assertTrue(caught.exception.body["message"])
        return caught.exception

    def test_what_needs_a_memory_is_refused(self):
        self.assertIn("previous_response_id", str(self.refused(previous_response_id="resp_123")))
        self.refused(conversation="conv_123")

    def test_bad_requests(self):
        for more in ({"input": []}, {"max_output_tokens": 0}, {"input": [{"type": "function_call_output", "call_id": "", "output": ""}]},
                     {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "x"}]},
                     {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]},
                     {"tools": [{"type": "custom", "name": "other"}]}):
            for stream in (False, True):
                with self.subTest(stream=stream, **more):
                    self.refused(stream=stream, **more)

    def test_an_unknown_model(self):
        self.refused(openai.NotFoundError, model="llama-3")

    def test_a_prompt_that_is_too_long(self):
        error = self.refused(server=support.start_server("--ctx", 256), input="story " * 600)
        self.assertEqual(error.code, "context_length_exceeded")


class Structured(unittest.TestCase):
    def create(self, **more):
        return client_of(mini).responses.create(**{"model": PLAIN, "input": "An animal in JSON.", "max_output_tokens": 300, **more})

    def test_a_schema(self):
        form = {"type": "json_schema", "name": "animal", "strict": True, "schema": support.ANIMAL}
        answer = self.create(text={"format": form})
        support.check_animal(self, json.loads(answer.output_text))
        self.assertEqual(answer.text.format.name, "animal")

    def test_forced_calls(self):
        tool = {"type": "function", "name": "save", "description": "Saves it.", "parameters": support.ANIMAL, "strict": True}
        answer = self.create(tools=[tool], tool_choice={"type": "function", "name": "save"})
        [call] = answer.output
        support.check_animal(self, json.loads(call.arguments))


if __name__ == "__main__":
    program.main()
