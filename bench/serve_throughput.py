#!/usr/bin/env python3
"""How much of the engine's throughput arrives at clients. Python 3 standard library only.

usage: serve_throughput.py HADAL [--model DIR] [--at-once 8] [--requests 64] [--tokens 400] [--rounds 3]

The same requests are answered twice, so many at a time: by `hadal batch`, which is the engine and nothing else, and by
`hadal serve` for as many clients, streaming. Rounds alternate, because machines change their speed; the line at the end
has the best of each."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import load  # noqa: E402
import program  # noqa: E402
from serving import Server  # noqa: E402


def bodies(options):
    return [{"messages": [{"role": "user", "content": f"Tell me a story about number {i}"}], "seed": i,
             "max_tokens": options.tokens, "thinking": {"type": "disabled"}} for i in range(options.requests)]


def engine_alone(options, folder, number):
    source, answers = (os.path.join(folder, f"{name}{number}.jsonl") for name in ("in", "out"))
    with open(source, "w", encoding="utf8") as out:
        for i, body in enumerate(bodies(options)):
            out.write(json.dumps({"id": i, **body}) + "\n")
    done = subprocess.run([options.hadal, "batch", options.model, "--in", source, "--out", answers, "--batch",
                           str(options.at_once)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    with open(answers, encoding="utf8") as lines:
        tokens = sum(json.loads(line)["usage"]["completion_tokens"] for line in lines)
    return tokens, tokens / float(re.search(r"([0-9.]+) tokens/s", done.stderr).group(1))


def served(options, server):
    queue = bodies(options)[::-1]
    streams = []

    async def client():
        while queue:
            streams.append(load.Stream(queue.pop()))
            await streams[-1].run("127.0.0.1", server.port)

    async def everything():
        await asyncio.gather(*(client() for _ in range(options.at_once)))

    start = time.monotonic()
    asyncio.run(everything())
    seconds = time.monotonic() - start
    return sum(stream.answer()[1] for stream in streams), seconds


def main():
    parser = argparse.ArgumentParser(description="throughput of the server against that of the engine")
    parser.add_argument("hadal")
    parser.add_argument("--model", default=os.path.join(ROOT, "models", "hadal-mini"))
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    program.HADAL = options.hadal
    best = {"engine": 0.0, "server": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            tokens, seconds = engine_alone(options, folder, number)
            best["engine"] = max(best["engine"], tokens / seconds)
            # A server of its own for each round: a second time the prompts would come out of its cache.
            with Server("--batch", options.at_once, "--log-file", "/dev/null", model=options.model) as server:
                there, needed = served(options, server)
            best["server"] = max(best["server"], there / needed)
            print(f"round {number + 1}: engine {tokens} tokens, {tokens / seconds:.0f}/s; server {there} tokens, "
                  f"{there / needed:.0f}/s", flush=True)
            if tokens != there:
                sys.exit("the answers are not the same")
    print(f"{options.at_once} at a time: engine {best['engine']:.0f}/s, server {best['server']:.0f}/s, "
          f"{best['server'] / best['engine']:.1%}")


if __name__ == "__main__":
    main()
