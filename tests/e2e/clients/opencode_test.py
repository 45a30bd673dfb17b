"""opencode without a person: two turns with a tool call each, over chat completions."""

import json
import os

import agents
import program


class OpenCode(agents.AgentCase):
    PACKAGE = "opencode"
    CALL = ("bash", {"command": agents.COMMAND, "description": "Makes a file"})

    def ask(self, *arguments):
        return self.turn("run", "--auto", *arguments, OPENCODE_DISABLE_AUTOUPDATE="1", OPENCODE_DISABLE_MODELS_FETCH="1",
                         OPENCODE_DISABLE_LSP_DOWNLOAD="1", OPENCODE_DISABLE_DEFAULT_PLUGINS="1")

    def test_two_turns(self):
        with open(os.path.join(self.work, "opencode.json"), "w", encoding="utf8") as f:
            json.dump({"autoupdate": False, "share": "disabled", "provider": {"hadal": {
                "npm": "@ai-sdk/openai-compatible", "name": "Hadal",
                "options": {"baseURL": self.server.url + "/v1", "apiKey": "none"},
                "models": {"deepseek-v4-flash": {"limit": {"context": 1000000, "output": 384000}}}}},
                "model": "hadal/deepseek-v4-flash", "small_model": "hadal/deepseek-v4-flash"}, f)
        self.ask("Make a file.")
        self.assertEqual(self.made(), 1)
        self.ask("--continue", agents.SECOND)
        self.assertEqual(self.made(), 2)
        self.check_log()


if __name__ == "__main__":
    program.main()
