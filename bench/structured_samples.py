#!/usr/bin/env python3
"""Samples documents and tool calls from a model and lets a validator of somebody else judge them. Needs jsonschema.

usage: structured_samples.py HADAL --schemas FILE.jsonl[.xz] [--model DIR] [--count 300] [--samples 20] [--calls 1000]

FILE has an object a line, its "schema" a JSON Schema; `count` of them that the server takes are drawn at random. Every
document that came to its end must be valid by its schema, formats included, and every call by its tool's parameters;
half of the calls are made with reasoning before them. Temperature 1. Ends with 1 if anything was not valid."""

import argparse
import collections
import concurrent.futures
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import time

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import program  # noqa: E402
from serving import Server  # noqa: E402

WHO = {"type": "object", "additionalProperties": False, "required": ["name", "age"],
       "properties": {"name": {"type": "string", "pattern": "^[A-Z][a-z]{1,9}$"},
                      "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150}}}
PARAMETERS = {
    "get_weather": {"city": {"type": "string", "maxLength": 20}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
                    "unit": {"enum": ["C", "F", None]}},
    "book": {"who": WHO, "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 3},
             "when": {"type": "string", "format": "date"}},
    "ping": {},
    "say": {"text": {"anyOf": [{"type": "string", "maxLength": 30}, {"type": "number", "minimum": 0, "maximum": 10}]}},
}
TOOLS = [{"type": "function", "function": {"name": name, "strict": True, "parameters": {
    "type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}}}
    for name, fields in PARAMETERS.items()]


def validator(schema):
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return kind(schema, format_checker=kind.FORMAT_CHECKER)


CHECKS = {tool["function"]["name"]: validator(tool["function"]["parameters"]) for tool in TOOLS}


class Samples:
    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.pool = concurrent.futures.ThreadPoolExecutor(32)
        self.bad = []

    def ask(self, **body):
        status, _, answer = self.server.request("POST", "/v1/chat/completions", {
            "model": "deepseek-v4-flash", "temperature": 1, **body})
        return status, json.loads(answer)

    def documents(self, schemas, count, samples):
        """For each of `count` schemas that are taken, `samples` answers."""
        done = collections.Counter()
        self.random.shuffle(schemas)
        kept = 0
        for schema in schemas:
            if kept == count:
                break
            body = {"messages": [{"role": "user", "content": "Some JSON."}], "max_tokens": 600,
                    "thinking": {"type": "disabled"},
                    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
            answers = list(self.pool.map(lambda seed: self.ask(**body, seed=seed), range(samples)))
            if answers[0][0] == 400:
                done["schemas refused"] += 1
                continue
            kept += 1
            check = validator(schema)
            for status, answer in answers:
                if status != 200:
                    self.bad.append((schema, status, answer))
                    continue
                choice = answer["choices"][0]
                done[choice["finish_reason"]] += 1
                if choice["finish_reason"] == "stop":
                    self.judge(check, choice["message"]["content"])
            if sys.stderr.isatty():
                print(f"\r{kept} of {count} schemas", end="", file=sys.stderr, flush=True)
        print(f"documents: {kept} schemas, {samples} each, {dict(done)}, {len(self.bad)} not valid", flush=True)

    def calls(self, wanted):
        """Calls that the model has to make at once."""
        made = collections.Counter()
        while made["calls"] < wanted:
            bodies = [{"messages": [{"role": "user", "content": f"Do it {i}"}], "tools": TOOLS, "seed": i,
                       "tool_choice": "required", "max_tokens": 700, "parallel_tool_calls": i % 3 != 0}
                      for i in range(made["answers"], made["answers"] + 64)]
            for status, answer in self.pool.map(lambda body: self.ask(**body), bodies):
                made["answers"] += 1
                if status != 200:
                    self.bad.append((status, answer))
                    continue
                self.judge_calls(made, answer["choices"][0]["finish_reason"], answer["choices"][0]["message"])
        print(f"calls: {dict(made)}, {len(self.bad)} not valid in all", flush=True)

    def calls_after_reasoning(self, wanted, hadal, model):
        """By the command line: no API lets a call be forced where there is reasoning."""
        made = collections.Counter()
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            tools = os.path.join(folder, "tools.json")
            with open(tools, "w", encoding="utf8") as out:
                json.dump(TOOLS, out)

            def one(seed):
                return json.loads(subprocess.run(
                    [hadal, "generate", model, "--prompt", f"Do it {seed}", "--tools", tools, "--tool-choice", "required",
                     "--think", "high", "--temp", "1", "--seed", str(seed), "-n", "500", "--threads", "1", "--json"],
                    stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout)

            while made["calls"] < wanted:
                for answer in pool.map(one, range(made["answers"], made["answers"] + 64)):
                    made["answers"] += 1
                    self.judge_calls(made, answer["finish_reason"], answer)
                    if answer.get("tool_calls") and not answer["reasoning_content"]:
                        self.bad.append(("no reasoning", answer))
        print(f"calls after reasoning: {dict(made)}, {len(self.bad)} not valid in all")

    def judge_calls(self, made, finish_reason, message):
        made[finish_reason] += 1
        calls = message.get("tool_calls") or []
        if finish_reason == "length":
            calls = calls[:-1]  # the last was cut off
        made["calls"] += len(calls)
        for call in calls:
            call = call.get("function", call)
            self.judge(CHECKS[call["name"]], call["arguments"])

    def judge(self, check, text):
        try:
            check.validate(json.loads(text))
        except (ValueError, jsonschema.ValidationError) as error:
            self.bad.append((check.schema, text, str(error)[:300]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hadal")
    parser.add_argument("--schemas", required=True)
    parser.add_argument("--model", default=program.MODEL)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program.HADAL = options.hadal
    opened = lzma.open if options.schemas.endswith(".xz") else open
    with opened(options.schemas, "rt", encoding="utf8") as lines:
        schemas = [json.loads(line)["schema"] for line in lines]
    start = time.monotonic()
    with Server("--batch", 32, model=options.model) as server:
        samples = Samples(server, options.seed)
        samples.documents(schemas, options.count, options.samples)
        samples.calls(options.calls // 2)
    samples.calls_after_reasoning(options.calls // 2, options.hadal, options.model)
    print(f"{time.monotonic() - start:.0f} s")
    for bad in samples.bad[:10]:
        print(json.dumps(bad)[:2000])
    return 1 if samples.bad else 0


if __name__ == "__main__":
    sys.exit(main())
