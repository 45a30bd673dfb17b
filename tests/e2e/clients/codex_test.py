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

    def test_two_turns(self):
        os.mkdir(os.path.join(self.home, ".codex"))
        with open(os.path.join(self.home, ".codex", "config.toml"), "w", encoding="utf8") as f:
            f.write(CONFIGURATION.format(url=self.server.url))
        self.turn("exec", "--skip-git-repo-check", "Make a file.")
        self.assertEqual(self.made(), 1)
        self.turn("exec", "resume", "--last", "--skip-git-repo-check", agents.SECOND)
        self.assertEqual(self.made(), 2)
        self.check_log()


if __name__ == "__main__":
    program.main()
