"""The openai package of Node; what it does is in openai.mjs."""

import unittest

import program
import support


class OpenAiOfNode(unittest.TestCase):
    def test_everything(self):
        support.node(self, "openai.mjs", mini=support.start_server(), scripted=support.start_scripted(),
                     locked=support.start_server("--api-key", "right", "--ctx", 256))


if __name__ == "__main__":
    program.main()
