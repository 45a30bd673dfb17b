"""The command line: help, exit status, standard streams."""

import os
import signal
import subprocess
import tempfile

import program

COMMANDS = ["chat", "generate", "batch", "inspect", "perplexity", "tokenize", "encode", "parse", "logits", "trace", "cache",
            "synth", "bench", "selftest"]


class Usage(program.Case):
    def test_version(self):
        self.assertRegex(self.finished("--version").stdout.decode(), r"^hadal \d+\.\d+\.\d+\n$")

    def test_help_names_every_command(self):
        text = self.finished("--help").stdout.decode()
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command}\b")

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.finished(command, "--help")
                self.assertIn("Usage: ", done.stdout.decode())
                self.assertEqual(done.stderr, b"")

    def test_no_command_prints_help_and_fails(self):
        done = self.finished(status=2)
        self.assertEqual(done.stdout, b"")
        self.assertIn("Usage: ", done.stderr.decode())

    def test_nonsense_is_refused(self):
        self.refused("sing")
        self.refused("--loud")
        self.refused("inspect")  # the model is missing
        self.refused("inspect", program.MODEL, "--loud")

    def test_a_folder_that_is_not_there(self):
        self.refused("inspect", "/nonexistent/model", status=1, says="/nonexistent/model")

    def test_a_folder_that_is_no_model(self):
        with tempfile.TemporaryDirectory() as folder:
            self.refused("inspect", folder, status=1, says=folder)


class Streams(program.Case):
    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = self.finished("--help", status=1, stdout=full)
        self.assertIn("standard output", done.stderr.decode())

    def test_a_closed_standard_output_is_an_error(self):
        done = self.finished("--help", status=1, stdout=None, preexec_fn=lambda: os.close(1))
        self.assertIn("standard output", done.stderr.decode())

    def test_a_closed_standard_output_is_not_given_to_a_file(self):
        self.finished("inspect", program.MODEL, status=1, stdout=None, preexec_fn=lambda: os.close(1))

    def test_a_reader_that_goes_away_ends_the_program(self):
        reader, writer = os.pipe()
        os.close(reader)
        # The parent ignores the signal, as some shells' and services' children find it.
        done = subprocess.run([program.HADAL, "--help"], stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE,
                              restore_signals=False, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(writer)
        self.assertEqual(done.returncode, -signal.SIGPIPE)
        self.assertEqual(done.stderr, b"")


if __name__ == "__main__":
    program.main()
