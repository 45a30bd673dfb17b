"""What the tests with real clients share: servers on the bundled model and on a model that acts a script."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import program
import scripted_model
import serving

MODEL = "deepseek-v4-flash"  # thinks unless told otherwise
PLAIN = "deepseek-v4-flash:nothinking"
OWN_NAME = "hadal-mini"
STORY = [{"role": "user", "content": "Tell me a story about a fox."}]

# What the scripted model does.
REASONING = "The weather in Hangzhou is what I have to look up."
CALLS = [("get_weather", {"city": "Hangzhou", "days": 3}), ("get_time", {"zone": "Asia/Shanghai", "exact": True})]
ANSWER = "It is 24 degrees in Hangzhou – 天气很好, and just past noon."
RESULTS = {"get_weather": "24 degrees", "get_time": "12:05"}
QUESTION = "How is the weather in Hangzhou, and what time is it there?"
SCHEMAS = {
    "get_weather": {"type": "object", "required": ["city"],
                    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    "get_time": {"type": "object", "required": ["zone"],
                 "properties": {"zone": {"type": "string"}, "exact": {"type": "boolean"}}},
}
DESCRIPTIONS = {"get_weather": "The weather in a city.", "get_time": "The time in a zone."}
TOOLS = [{"type": "function", "function": {"name": name, "description": DESCRIPTIONS[name], "parameters": schema}}
         for name, schema in SCHEMAS.items()]

# Of a few tokens even where a small model decides what stands in it.
ANIMAL = {"title": "animal", "description": "An animal.", "type": "object", "additionalProperties": False,
          "required": ["name", "legs", "kind"],
          "properties": {"name": {"type": "string", "pattern": "^[A-Z][a-z]{1,8}$"},
                         "legs": {"type": "integer", "minimum": 0, "maximum": 8},
                         "kind": {"type": "string", "enum": ["cat", "fox", "star"]}}}
ANIMAL_QUESTION = [{"role": "user", "content": "Tell me of an animal, in JSON."}]


def check_animal(case, animal):
    case.assertEqual(set(animal), {"name", "legs", "kind"})
    case.assertRegex(animal["name"], "^[A-Z][a-z]{1,8}$")
    case.assertIs(type(animal["legs"]), int)
    case.assertIn(animal["legs"], range(9))
    case.assertIn(animal["kind"], ("cat", "fox", "star"))


CACHE_STEP = 128  # cached prefixes come in multiples of this


def reusable(tokens):
    """How much of a sequence of so many tokens a longer one finds in the cache."""
    return tokens // CACHE_STEP * CACHE_STEP


def temporary_folder():
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    return folder.name


def start_server(*options, model=program.MODEL):
    """A server until the module's tests are over; that it ends well is part of them."""
    log = os.path.join(temporary_folder(), "requests.jsonl")
    # What a client's test leaves to chance is the same in every run.
    server = serving.Server("--seed", 1, "--log-json", "--log-file", log, *options, model=model)
    server.request_log = log

    def stop():
        status = server.stop()
        if status:
            raise AssertionError(f"the server ended with {status}\n{server.logged()[-4000:]}")

    unittest.addModuleCleanup(stop)
    return server


def start_scripted(*options, reasoning=REASONING, calls=CALLS, answer=ANSWER):
    folder = os.path.join(temporary_folder(), "scripted")
    os.mkdir(folder)
    scripted_model.write(folder, program.MODEL, reasoning, calls, answer)
    return start_server(*options, model=folder)


def requests_of(server):
    """The lines of a server's request log so far. An answer's line is written after its last byte was sent."""
    with open(server.request_log, encoding="utf8") as f:
        return [json.loads(line) for line in f]


def node(case, script, **servers):
    """Runs a script of ours beside the installed packages, with the servers' addresses among its arguments; it must end
    well. Texts of this file are there too."""
    folder = os.path.join(os.environ["HADAL_CLIENTS_FOLDER"], "node")
    here = os.path.dirname(os.path.abspath(__file__))
    known = {"model": MODEL, "plain": PLAIN, "own_name": OWN_NAME, "story": STORY[0]["content"], "question": QUESTION,
             "reasoning": REASONING, "answer": ANSWER, "tools": TOOLS, "results": RESULTS,
             "animal": ANIMAL, "animal_question": ANIMAL_QUESTION[0]["content"],
             "calls": [{"name": name, "arguments": arguments} for name, arguments in CALLS]}
    # Node looks for packages from where a script lies.
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name in (script, "check.mjs"):
            shutil.copy(os.path.join(here, name), place)
        done = subprocess.run(["node", os.path.join(place, script), json.dumps({**known, **{n: s.url for n, s in servers.items()}})],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    case.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])
    return done.stdout
