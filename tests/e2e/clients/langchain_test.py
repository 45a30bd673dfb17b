"""LangChain's ChatOpenAI and ChatAnthropic: invoke, stream, tools."""

import asyncio
import unittest

import anthropic
import openai
import program
import support
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from support import MODEL, PLAIN

STORY = support.STORY[0]["content"]

mini = scripted = None


def setUpModule():
    global mini, scripted
    mini, scripted = support.start_server(), support.start_scripted()


@tool
def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return support.RESULTS["get_weather"]


@tool
def get_time(zone: str, exact: bool = False) -> str:
    """The time in a zone."""
    return support.RESULTS["get_time"]


TOOLS = {"get_weather": get_weather, "get_time": get_time}


class Shared:
    """What both have in common; self.model(server, **more) makes one."""

    def test_invoke_and_stream(self):
        model = self.model(mini, model=PLAIN, max_tokens=60, temperature=0)
        whole = model.invoke(STORY)
        self.assertIn("fox", whole.text)
        self.assertEqual(whole.usage_metadata["output_tokens"], 60)
        chunks = list(model.stream(STORY))
        added = chunks[0]
        for chunk in chunks[1:]:
            added += chunk
        self.assertEqual(added.text, whole.text)
        self.assertEqual(added.usage_metadata["output_tokens"], 60)
        self.assertEqual(added.usage_metadata["input_tokens"], whole.usage_metadata["input_tokens"])

    def test_asyncio(self):
        async def talk():
            # A model belongs to one loop.
            model = self.model(mini, model=PLAIN, max_tokens=60, temperature=0)
            return (await model.ainvoke(STORY)).text, "".join([chunk.text async for chunk in model.astream(STORY)])

        whole, streamed = asyncio.run(talk())
        self.assertEqual(streamed, whole)

    def test_a_round_of_tools(self):
        model = self.model(scripted, model=MODEL, max_tokens=500).bind_tools(list(TOOLS.values()))
        for streamed in (False, True):
            messages = [HumanMessage(support.QUESTION)]
            message = self.said(model, messages, streamed)
            self.assertEqual([(call["name"], call["args"]) for call in message.tool_calls], support.CALLS)
            messages.append(message)
            for call in message.tool_calls:
                result = TOOLS[call["name"]].invoke(call)
                self.assertIsInstance(result, ToolMessage)
                messages.append(result)
            self.assertEqual(self.said(model, messages, streamed).text, support.ANSWER)

    def said(self, model, messages, streamed):
        if not streamed:
            return model.invoke(messages)
        message = None
        for chunk in model.stream(messages):
            message = chunk if message is None else message + chunk
        return message

    def test_a_batch(self):
        model = self.model(mini, model=PLAIN, max_tokens=20, temperature=0)
        answers = model.batch([STORY, "Tell me a story about a king.", STORY])
        self.assertEqual(answers[0].text, answers[2].text)
        self.assertNotEqual(answers[0].text, answers[1].text)


class OpenAi(Shared, unittest.TestCase):
    def model(self, server, **more):
        return ChatOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, stream_usage=True, **more)

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError):
            self.model(mini, model="llama-3").invoke(STORY)
        with self.assertRaises(openai.BadRequestError):
            self.model(support.start_server("--ctx", 256), model=PLAIN).invoke("story " * 600)

    def test_structured_output(self):
        for method in ("json_schema", "function_calling"):
            for name in (PLAIN, MODEL) if method == "function_calling" else (PLAIN,):
                model = self.model(mini, model=name, max_tokens=500).with_structured_output(support.ANIMAL, method=method)
                with self.subTest(method=method, model=name):
                    support.check_animal(self, model.invoke("An animal in JSON."))

    def test_the_responses_api(self):
        model = self.model(mini, model=PLAIN, max_tokens=60, temperature=0, use_responses_api=True)
        whole = model.invoke(STORY)
        self.assertIn("fox", whole.text)
        self.assertEqual("".join(chunk.text for chunk in model.stream(STORY)), whole.text)


class Anthropic(Shared, unittest.TestCase):
    def model(self, server, **more):
        return ChatAnthropic(base_url=server.url, api_key="none", max_retries=0, **more)

    def test_thinking(self):
        model = self.model(mini, model=MODEL, max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
        message = model.invoke(STORY)
        self.assertEqual([block["type"] for block in message.content], ["thinking", "text"])
        self.assertTrue(model.invoke([HumanMessage(STORY), message, HumanMessage("And then?")]).content)

    def test_errors(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.model(mini, model="llama-3").invoke(STORY)


if __name__ == "__main__":
    program.main()
