"""Claude Code without a person: two turns with a tool call each, over Anthropic's messages."""

import json
import subprocess

import agents
import program


class ClaudeCode(agents.AgentCase):
    PACKAGE = "claude"
    CALL = ("Bash", {"command": agents.COMMAND, "description": "Makes a file"})

    def variables(self):
        name = "deepseek-v4-flash"
        return {"ANTHROPIC_BASE_URL": self.server.url, "ANTHROPIC_AUTH_TOKEN": "none", "ANTHROPIC_MODEL": name,
                "ANTHROPIC_DEFAULT_OPUS_MODEL": name, "ANTHROPIC_DEFAULT_SONNET_MODEL": name,
                "ANTHROPIC_DEFAULT_HAIKU_MODEL": name, "API_TIMEOUT_MS": "600000",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1",
                "DISABLE_AUTOUPDATER": "1"}

    PERMISSIONS = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")

    def ask(self, text, *arguments):
        return self.turn("--print", text, *arguments, *self.PERMISSIONS, **self.variables())

    def test_two_turns(self):
        self.ask("Make a file.")
        self.assertEqual(self.made(), 1)
        self.ask(agents.SECOND, "--continue")
        self.assertEqual(self.made(), 2)
        self.check_log()

    def test_a_session(self):
        """Five messages to one process, as a program that embeds it sends them."""
        with subprocess.Popen([self.program, "--print", "--verbose", "--input-format", "stream-json", "--output-format",
                               "stream-json", *self.PERMISSIONS], cwd=self.work, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**self.surroundings, **self.variables()}) as process:
            for turn in range(5):
                message = {"role": "user", "content": [{"type": "text", "text": f"{turn}: {agents.SECOND}"}]}
                print(json.dumps({"type": "user", "message": message}), file=process.stdin, flush=True)
                for line in process.stdout:
                    event = json.loads(line)
                    if event["type"] == "result":
                        break
                self.assertEqual((event["subtype"], event["is_error"]), ("success", False), event)
                self.assertEqual(event["result"], agents.ANSWER)
                self.assertEqual(self.made(), turn + 1)
            process.stdin.close()
            self.assertEqual(process.wait(timeout=60), 0)
        self.check_log(turns=5)


if __name__ == "__main__":
    program.main()
