"""hadal batch: lines in, lines out, whatever happens in between."""

import json
import os
import signal
import subprocess
import tempfile
import time

import checkpoints
import program


def lines_of(path):
    with open(path, encoding="utf8") as f:
        return [json.loads(line) for line in f]


def chat(text, **fields):
    return {"messages": [{"role": "user", "content": text}], **fields}


class BatchCase(program.Case):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.out = os.path.join(self.folder, "answers.jsonl")

    def write(self, lines, name="requests.jsonl"):
        """Lines are objects, or text as it is."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf8") as f:
            for line in lines:
                f.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        return path

    def arguments(self, source, *more, model=program.MODEL):
        return ["batch", model, "--in", source, "--out", self.out, *more]


class Batch(BatchCase):
    def answers(self, lines, *more):
        """Answers by id."""
        self.finished(*self.arguments(self.write(lines), *more))
        found = lines_of(self.out)
        self.assertEqual(len(found), len({json.dumps(a["id"]) for a in found}))
        return {a["id"]: a for a in found}

    def test_both_forms_and_both_kinds_of_prompt(self):
        answers = self.answers([
            {"id": "chat", **chat("Tell me a story about a fox.", temperature=0)},
            {"id": 17, "prompt": "Once upon a time", "max_tokens": 20, "seed": 5},
            {"custom_id": "openai", "method": "POST", "url": "/v1/chat/completions",
             "body": {"model": "any", "stream": False, **chat("Hi", max_completion_tokens=50, stop=["!"], temperature=0)}},
            {"id": "ids", "prompt": [0, 5, 6], "max_tokens": 4},
            {"id": "thinking", **chat("Hi", thinking={"type": "enabled"}, temperature=0)},
        ])
        # The same as one at a time.
        alone = json.loads(self.finished("generate", program.MODEL, "--prompt", "Tell me a story about a fox.",
                                         "--temp", "0", "--json").stdout)
        self.assertEqual(answers["chat"]["message"], {"role": "assistant", "content": alone["content"]})
        self.assertEqual(answers["chat"]["finish_reason"], alone["finish_reason"])
        usage = answers["chat"]["usage"]
        for count in ("prompt_tokens", "completion_tokens"):
            self.assertEqual(usage[count], alone["usage"][count])
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        alone = json.loads(self.finished("generate", program.MODEL, "--raw", "--prompt", "Once upon a time", "-n", "20",
                                         "--seed", "5", "--json").stdout)
        self.assertEqual(answers[17]["text"], alone["text"])
        self.assertEqual(answers[17]["finish_reason"], "length")
        self.assertEqual(answers["openai"]["message"]["content"], "Hi")
        self.assertEqual(answers["openai"]["finish_reason"], "stop")
        self.assertEqual(answers["ids"]["usage"], {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})
        self.assertTrue(answers["thinking"]["message"]["reasoning_content"])
        self.assertTrue(answers["thinking"]["message"]["content"])

    def test_errors_of_a_line_name_line_and_field(self):
        found = self.answers([
            {"id": "role", "messages": [{"role": "robot", "content": "Hi"}]},
            "",
            {"custom_id": "content", "body": {"messages": [{"role": "user", "content": 5}]}},
            {"id": "temperature", **chat("Hi", temperature=3)},
            {"id": "type", **chat("Hi", max_tokens="many")},
            {"id": "zero", **chat("Hi", max_tokens=0)},
            {"id": "both", **chat("Hi", prompt="Hi")},
            {"id": "neither"},
            {"id": "n", **chat("Hi", n=2)},
            {"id": "stop", **chat("Hi", stop=[1])},
            {"id": "seed", **chat("Hi", seed=-1)},
            {"id": "effort", **chat("Hi", reasoning_effort="huge")},
            {"id": "ids", "prompt": [0, 999999]},
            {"id": "memory", **chat("Hi", max_tokens=1000000)},
            {"id": "good", **chat("Hi", max_tokens=3, temperature=0)},
        ], "--memory", "8M")
        fields = {"role": (1, "messages[0].role"), "content": (3, "body.messages[0].content"),
                  "temperature": (4, "temperature"), "type": (5, "max_tokens"), "zero": (6, "max_tokens"),
                  "both": (7, "prompt"), "neither": (8, "messages"), "n": (9, "n"), "stop": (10, "stop[0]"),
                  "seed": (11, "seed"), "effort": (12, "reasoning_effort"), "ids": (13, "prompt[1]"),
                  "memory": (14, "max_tokens")}
        for name, (line, field) in fields.items():
            with self.subTest(name=name):
                answer = found[name]
                self.assertEqual(answer["line"], line)
                self.assertEqual(answer["error"]["field"], field)
                self.assertIn(f"line {line}: {field}: ", answer["error"]["message"])
        self.assertIn("the engine has 8.0 MiB", found["memory"]["error"]["message"])
        self.assertEqual(found["good"]["usage"]["completion_tokens"], 3)

    def test_lines_without_an_id_that_can_be_read(self):
        source = self.write(["{not json", {"id": [1], **chat("Hi")}, chat("Hi"), {"id": "a", **chat("Hi")}, "[]", "\x00"])
        for _ in range(2):  # they are not answered again either
            self.finished(*self.arguments(source))
            found = lines_of(self.out)
            self.assertEqual(sorted(a["line"] for a in found if a["id"] is None), [1, 2, 3, 5, 6])
            self.assertEqual(len(found), 6)

    def test_an_id_twice_is_refused(self):
        source = self.write([{"id": "a", **chat("Hi")}, {"id": "b", **chat("Hi")}, {"custom_id": "a", "body": chat("Hi")}])
        self.refused(*self.arguments(source), status=1, says="line 3: id \"a\" is that of line 1 already")
        self.assertFalse(os.path.exists(self.out))

    def test_files_that_are_not_ours_are_left_alone(self):
        source = self.write([{"id": "a", **chat("Hi")}])
        for text in ["dear diary", "dear diary\n", '{"id": "a"}\ndear', '{"name": 5}\n']:
            with open(self.out, "w", encoding="utf8") as f:
                f.write(text)
            self.refused(*self.arguments(source), status=1, says=self.out)
            with open(self.out, encoding="utf8") as f:
                self.assertEqual(f.read(), text)
        self.refused("batch", program.MODEL, "--in", source, "--out", source, says="same file")
        self.refused("batch", program.MODEL, "--in", "/nonexistent", "--out", self.out, status=1, says="/nonexistent")
        self.refused(*self.arguments(source, "--batch", "0"))

    def test_an_empty_input(self):
        self.finished(*self.arguments(self.write([])))
        self.assertEqual(lines_of(self.out), [])

    def test_a_full_disk_is_an_error(self):
        source = self.write([{"id": "a", **chat("Hi", max_tokens=3)}])
        self.finished("batch", program.MODEL, "--in", source, "--out", "/dev/full", status=1)

    def test_a_torn_last_line_is_done_again(self):
        source = self.write([{"id": i, **chat(f"Say {i}.", temperature=0, max_tokens=10)} for i in range(4)])
        self.finished(*self.arguments(source))
        with open(self.out, "rb") as f:
            whole = f.read()
        for cut in (1, 3, 12, len(whole.splitlines(True)[-1]) - 1, len(whole) - 2):
            with open(self.out, "wb") as f:
                f.write(whole[:-cut])
            self.finished(*self.arguments(source))
            with open(self.out, "rb") as f:
                self.assertEqual(sorted(f.read().splitlines()), sorted(whole.splitlines()))


class Interrupted(BatchCase):
    """A batch that takes seconds, stopped in the middle."""

    def setUp(self):
        super().setUp()
        self.model = os.path.join(self.folder, "model")
        os.mkdir(self.model)
        checkpoints.write_endless(self.model, program.MODEL)
        requests = [{"id": f"r{i}", **chat(f"Number {i}", max_tokens=20 + i % 60, temperature=0.8)} for i in range(200)]
        self.source = self.write(requests)

    def command(self):
        return [program.HADAL, *self.arguments(self.source, "--seed", "7", "--batch", "8", model=self.model)]

    def start(self, lines):
        """Runs until so many lines are there."""
        process = subprocess.Popen(self.command(), stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        end = time.monotonic() + 120
        while time.monotonic() < end and process.poll() is None:
            if os.path.exists(self.out):
                with open(self.out, "rb") as f:
                    if f.read().count(b"\n") >= lines:
                        break
            time.sleep(0.005)
        return process

    def uninterrupted(self):
        out = self.out
        self.out = os.path.join(self.folder, "whole.jsonl")
        subprocess.run(self.command(), check=True, stderr=subprocess.DEVNULL)
        whole = self.out
        self.out = out
        with open(whole, "rb") as f:
            return sorted(f.read().splitlines())

    def test_killed_and_continued_is_as_never_stopped(self):
        whole = self.uninterrupted()
        self.assertEqual(len(whole), 200)
        killed = 0
        for lines in (3, 40, 41, 90, 150):
            process = self.start(lines)
            if process.poll() is None:
                process.kill()
                killed += 1
            process.wait()
        self.assertGreaterEqual(killed, 2)
        done = subprocess.run(self.command(), check=True, stderr=subprocess.PIPE)
        self.assertIn(b"by earlier runs", done.stderr)
        with open(self.out, "rb") as f:
            self.assertEqual(sorted(f.read().splitlines()), whole)

    def test_control_c_stops_after_whole_lines(self):
        process = self.start(20)
        self.refused(*self.arguments(self.source, model=self.model), says="another process")
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"interrupted", message)
        found = lines_of(self.out)
        self.assertGreaterEqual(len(found), 20)
        self.assertLess(len(found), 200)
        subprocess.run(self.command(), check=True, stderr=subprocess.DEVNULL)
        self.assertEqual(len(lines_of(self.out)), 200)


if __name__ == "__main__":
    program.main()
