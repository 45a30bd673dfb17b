"""Running the program from a test."""

import os
import subprocess
import sys
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(SOURCE, "models", "hadal-mini")
HADAL = ""
SANITIZED = "ASAN_OPTIONS" in os.environ  # the program is built with a sanitizer: ten times slower


def main():
    """unittest's main with the program's path as the first argument."""
    global HADAL
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} HADAL [TEST...]")
    HADAL = sys.argv.pop(1)
    unittest.main(module="__main__")


def run(*arguments, text="", **options):
    """Standard input is `text`; returns a CompletedProcess with stdout and stderr as text."""
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([HADAL, *map(str, arguments)], input=text.encode(), stderr=subprocess.PIPE, timeout=600,
                          **options)


class Case(unittest.TestCase):
    """Assertions on a finished run."""

    def finished(self, *arguments, status=0, **options):
        done = run(*arguments, **options)
        shown = f"{' '.join(map(str, arguments))}\nstandard error: {done.stderr.decode(errors='replace')[-2000:]}"
        self.assertEqual(done.returncode, status, shown)
        return done

    def refused(self, *arguments, status=2, says=""):
        """Fails with this status, nothing on standard output and a message of ours."""
        done = self.finished(*arguments, status=status)
        message = done.stderr.decode()
        self.assertEqual(done.stdout, b"")
        self.assertTrue(message.startswith("hadal: "), message)
        self.assertIn(says, message)
        return message
