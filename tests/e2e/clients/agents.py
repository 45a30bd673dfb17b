"""Coding agents that run without a person, against a model that acts a script: one shell command, then an answer."""

import os
import subprocess
import time
import unittest

import environment
import support

REASONING = "There has to be a file for that, so I call the shell."
ANSWER = "The file is made, and it says where it comes from."
COMMAND = "echo from the tool >> made.txt"
# So long that the scripted model no longer sees the result of the turn before, and calls again.
SECOND = "Do it once more, please, while you count: " + " ".join(str(n) for n in range(1000, 1060))

INFERENCE = ("POST /v1/chat/completions", "POST /v1/messages", "POST /v1/responses")


class AgentCase(unittest.TestCase):
    """Two turns of an agent, each with a tool call. A subclass has PACKAGE, CALL and command(turn, text)."""

    def setUp(self):
        self.server = support.start_scripted("--ctx", 200_000, "--memory", "2GiB", reasoning=REASONING, calls=[self.CALL],
                                             answer=ANSWER)
        self.home, self.work = support.temporary_folder(), support.temporary_folder()
        folder = os.environ["HADAL_CLIENTS_FOLDER"]
        self.program = os.path.join(folder, "node", "node_modules", ".bin", self.PACKAGE)
        self.surroundings = {**environment.surroundings(folder), "HOME": self.home, "TERM": "dumb"}
        for name in ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "HADAL_CLIENTS_FOLDER"):
            self.surroundings.pop(name, None)

    def turn(self, *command, **variables):
        done = subprocess.run([self.program, *command], cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=300, env={**self.surroundings, **variables})
        self.assertEqual(done.returncode, 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.server.logged()[-3000:]}")
        self.assertIn(ANSWER, done.stdout)
        return done.stdout

    def made(self):
        with open(os.path.join(self.work, "made.txt"), encoding="utf8") as f:
            return f.read().count("from the tool\n")

    def check_log(self, turns=2):
        """Everything went well, and nothing but what is new was computed after the first request. Agents ask short things
        beside the conversation, for a title or a summary; those do not count."""
        for _ in range(100):  # the log is written behind the answers
            lines = [line for line in support.requests_of(self.server) if line["route"] in INFERENCE]
            longest = max(line["prompt_tokens"] for line in lines)
            talk = sorted((line for line in lines if line["prompt_tokens"] > longest / 2),
                          key=lambda line: line["prompt_tokens"])
            if len(talk) >= 2 * turns:
                break
            time.sleep(0.1)
        self.assertEqual(len(talk), 2 * turns, talk)
        for line in lines:
            self.assertEqual(line["status"], 200, line)
            self.assertIn(line["finish_reason"], ("stop", "tool_calls"), line)
        for before, after in zip(talk, talk[1:]):
            known = before["prompt_tokens"] + before["completion_tokens"]
            self.assertGreaterEqual(after["cached_tokens"], support.reusable(known), (before, after))
