"""hadal chat at a terminal: a pseudo-terminal types, the screen is what it reads back."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import unittest

import checkpoints
import program

PROMPT = b"\n> "


class Terminal:
    """A running `hadal chat`."""

    def __init__(self, home, *arguments, model=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {"HOME": home, "TERM": "xterm"}  # no locale, as in a container
            os.execve(program.HADAL, [program.HADAL, "chat", model or program.MODEL, "--temp", "0", *arguments], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.status = None

    def read(self, until=PROMPT, seconds=60):
        """What appears, up to `until`; fails after a while."""
        seen, end = b"", time.monotonic() + seconds
        while until not in seen:
            if time.monotonic() > end or not select.select([self.fd], [], [], 1)[0]:
                if time.monotonic() > end:
                    raise AssertionError(f"no {until!r} in {seen!r}")
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended with {seen!r}")
            seen += data
        return seen.decode(errors="replace")

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def say(self, text, until=PROMPT):
        self.type(text + "\r")
        return self.read(until)

    def leave(self, how=b"\x04"):
        """Types `how` and returns the exit status."""
        self.type(how)
        end = time.monotonic() + 60
        while self.status is None:
            if time.monotonic() > end:
                raise AssertionError("it does not end")
            if select.select([self.fd], [], [], 0.01)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:  # the other end is closed
                    time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Chat(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.home = holder.name
        self.chat = self.start()

    def start(self, *arguments, model=None):
        chat = Terminal(self.home, *arguments, model=model)
        self.addCleanup(chat.close)
        chat.read()
        return chat

    def test_a_conversation(self):
        first = self.chat.say("Hi")
        self.assertIn("Hi!", first)
        self.assertIn("tokens", self.chat.say("/stats"))
        self.assertIn(" reused", self.chat.say("/stats"))
        self.chat.say("Tell me a story about a fox.")
        self.assertIn("forgotten", self.chat.say("/reset"))
        self.assertEqual(self.chat.say("Hi"), first)  # nothing of the story is left
        self.assertEqual(self.chat.leave(), 0)

    def test_commands(self):
        self.assertIn("/think", self.chat.say("/help"))
        self.assertIn("high.", self.chat.say("/think high"))
        self.assertIn("\x1b[2m", self.chat.say("Hi"))  # reasoning, dim
        self.assertIn("off", self.chat.say("/think sideways"))
        self.chat.say("/think off")
        self.assertNotIn("\x1b[2m", self.chat.say("Hi"))
        self.assertIn("set", self.chat.say("/system You are a fox."))
        self.assertIn("No system", self.chat.say("/system"))
        self.assertIn("/help", self.chat.say("/nonsense"))
        self.assertEqual(self.chat.leave(b"/exit\r"), 0)

    def test_control_c_stops_the_answer_only(self):
        folder = os.path.join(self.home, "model")
        os.mkdir(folder)
        checkpoints.write_endless(folder, program.MODEL)
        chat = self.start(model=folder)
        chat.type("x\r")
        chat.read(b"x\r\n")
        time.sleep(0.2)
        chat.type(b"\x03")
        self.assertIn("[stopped]", chat.read())
        self.assertIn("seed", chat.say("/stats"))
        self.assertEqual(chat.leave(), 0)

    def test_control_c_at_the_prompt_drops_the_line(self):
        self.chat.type("half a line")
        self.chat.read(b"line")
        self.chat.type(b"\x03")
        self.chat.read()
        self.chat.say("first\\", b". ")
        self.chat.type(b"\x03")
        self.chat.read()
        self.assertIn("Hi!", self.chat.say("Hi"))
        self.assertEqual(self.chat.leave(), 0)

    def test_control_c_is_never_missed(self):
        for _ in range(30):  # it used to be lost between the prompt and the read after it
            self.chat.say("first\\", b". ")
            self.chat.type(b"\x03")
            self.chat.read()
        self.assertEqual(self.chat.leave(), 0)

    def test_control_d_is_never_missed(self):
        for _ in range(20):
            self.assertEqual(self.start().leave(), 0)

    def test_several_lines_other_scripts_and_history(self):
        self.chat.say("first line\\", b". ")
        self.chat.say("second line")
        self.assertIn("Héllo 😀", self.chat.say("Héllo 😀"))
        self.assertEqual(self.chat.leave(), 0)
        again = self.start()
        again.type(b"\x1b[A")  # up
        self.assertIn("Héllo 😀", again.read("Héllo 😀".encode()))
        again.type(b"\r")
        again.read()
        self.assertEqual(again.leave(), 0)
        silent = self.start("--no-history")
        silent.say("A secret.")
        self.assertEqual(silent.leave(), 0)
        with open(os.path.join(self.home, ".local", "state", "hadal", "chat_history"), encoding="utf8") as f:
            self.assertNotIn("secret", f.read())


if __name__ == "__main__":
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as error:  # a bare root without /dev/pts
        print(f"skipped: {error}")
        sys.exit(77)
    program.main()
