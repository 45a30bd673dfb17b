"""The AI SDK of Vercel; what it does is in ai_sdk.mjs."""

import unittest

import program
import support


class AiSdk(unittest.TestCase):
    def test_everything(self):
        support.node(self, "ai_sdk.mjs", mini=support.start_server(), scripted=support.start_scripted(),
                     locked=support.start_server("--api-key", "right", "--ctx", 256))


if __name__ == "__main__":
    program.main()
