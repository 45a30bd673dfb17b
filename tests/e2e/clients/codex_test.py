"""Codex without a person: two turns with a tool call each, over OpenAI's responses."""

import os

import agents
import program

CONFIGURATION = """
model = "deepseek-v4-flash"
model_provider = "hadal"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.hadal]
name = "Hadal"
base_url = "{url}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


class Codex(agents.AgentCase):
    PACKAGE = "codex"
    CALL = ("exec_command", {"cmd": agents.COMMAND})

    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.home, ".codex"))
        with open(os.path.join(self.home, ".codex", "config.toml"), "w", encoding="utf8") as f:
            f.write(CONFIGURATION.format(url=self.server.url))

    def test_two_turns(self):
        self.turn("exec", "--skip-git-repo-check", "Make a file.")
        self.assertEqual(self.made(), 1)
        self.turn("exec", "resume", "--last", "--skip-git-repo-check", agents.SECOND)
        self.assertEqual(self.made(), 2)
        self.check_log()


class CodexPatch(Codex):
    """Its own tool for edits, whose input is no JSON; it is offered to models that it knows."""

    CALL = ("apply_patch", {"input": "*** Begin Patch\n*** Update File: made.txt\n@@\n-old \"text\" – 旧\n+from the tool\n"
                                     "*** End Patch"})

    def test_two_turns(self):
        for turn in range(2):
            with open(os.path.join(self.work, "made.txt"), "w", encoding="utf8") as f:
                f.write('first\nold "text" – 旧\nlast\n')
            resume = ("resume", "--last") if turn else ()
            self.turn("exec", *resume, "--skip-git-repo-check", "--model", "gpt-5.5", agents.SECOND)
            with open(os.path.join(self.work, "made.txt"), encoding="utf8") as f:
                self.assertEqual(f.read(), "first\nfrom the tool\nlast\n")
        self.check_log()


if __name__ == "__main__":
    program.main()
