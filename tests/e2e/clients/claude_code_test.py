"""Claude Code without a person: two turns with a tool call each, over Anthropic's messages."""

import agents
import program


class ClaudeCode(agents.AgentCase):
    PACKAGE = "claude"
    CALL = ("Bash", {"command": agents.COMMAND, "description": "Makes a file"})

    def ask(self, text, *arguments):
        name = "deepseek-v4-flash"
        return self.turn("--print", text, *arguments, "--permission-mode", "acceptEdits", "--allowedTools", "Bash",
                         ANTHROPIC_BASE_URL=self.server.url, ANTHROPIC_AUTH_TOKEN="none", ANTHROPIC_MODEL=name,
                         ANTHROPIC_DEFAULT_OPUS_MODEL=name, ANTHROPIC_DEFAULT_SONNET_MODEL=name,
                         ANTHROPIC_DEFAULT_HAIKU_MODEL=name, API_TIMEOUT_MS="600000",
                         CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", DISABLE_TELEMETRY="1", DISABLE_ERROR_REPORTING="1",
                         DISABLE_AUTOUPDATER="1")

    def test_two_turns(self):
        self.ask("Make a file.")
        self.assertEqual(self.made(), 1)
        self.ask(agents.SECOND, "--continue")
        self.assertEqual(self.made(), 2)
        self.check_log()


if __name__ == "__main__":
    program.main()
