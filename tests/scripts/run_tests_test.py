"""How scripts/run_tests.py counts tests from the log of ctest."""

import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.dont_write_bytecode = True
import run_tests  # noqa: E402


def entry(number, output, end):
    return f"{number}/9 Testing: t{number}\n{number}/9 Test: t{number}\nOutput:\n----\n{output}\n<end of output>\n{end}\n"


class Counts(unittest.TestCase):
    def test_each_kind_of_program(self):
        log = "Start testing\n"
        log += entry(1, "[==========] 9 tests from 2 test suites ran. (1 ms total)\n[  PASSED  ] 7 tests.\n"
                     "[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.b\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.c",
                     "Test Failed.")
        log += entry(2, "..s.\nRan 4 tests in 0.1s\n\nOK (skipped=1)", "Test Passed.")
        log += entry(3, "Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=1)", "Test Failed.")
        log += entry(4, "every rule holds", "Test Passed.")
        log += entry(5, "skipped: nothing to compare with", "Test Passed.")
        log += entry(6, "[==========] Running 3 tests from 1 test suite.\nSegmentation fault", "Test Failed.")
        self.assertEqual(run_tests.count_tests(log), (7 + 3 + 3 + 1, 1 + 2 + 1, 1 + 1 + 1))

    def test_an_empty_log_counts_nothing(self):
        self.assertEqual(run_tests.count_tests(""), (0, 0, 0))


if __name__ == "__main__":
    unittest.main()
