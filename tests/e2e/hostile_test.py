"""Input that nobody should give a program: it says what is wrong and leaves nothing behind."""

import json
import os
import signal
import subprocess
import tempfile
import time

import checkpoints
import program

DEEP = "[" * 300_000 + "]" * 300_000  # deeper than a stack, if something recursed


class Folder(program.Case):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def file(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content.encode() if isinstance(content, str) else content)
        return path


class Ids(Folder):
    def test_files_of_ids(self):
        out = self.file("out.safetensors")
        for text in ("", "[]", "{}", "1", "null", "[1,2", '[1,"2"]', "[1.5]", "[-1]", "[99999999]", "[18446744073709551615]", "[1e999]",
                     "[123456789012345678901234567890]", "[[1]]", "[null]", "[true]", "[1," + DEEP + "]", "\xff"):
            with self.subTest(text[:40]):
                message = self.refused("logits", program.MODEL, "--ids", self.file("ids.json", text), "--out", out, status=1)
                self.assertIn("ids.json", message)
                self.assertLess(len(message), 400)
                self.assertFalse(os.path.exists(out))

    def test_what_is_not_a_file(self):
        self.refused("logits", program.MODEL, "--ids", self.folder, "--out", self.file("o"), status=1, says=self.folder)
        self.refused("logits", program.MODEL, "--ids", self.file("none"), "--out", self.file("o"), status=1, says="none")
        self.refused("logits", program.MODEL, "--ids", "", "--out", self.file("o"), says="--ids")

    def test_lists_to_decode(self):
        for line in ("[-1]", "[2048]", "[99999999999]", "[1.5]", "[[1]]", '["1"]', "null", "1", "[1e999]", "[1," + DEEP + "]", ""):
            with self.subTest(line[:40]):
                done = self.finished("tokenize", program.MODEL, "--decode", "--jsonl", text="[5]\n" + line + "\n", status=1)
                self.assertIn("line 2", done.stderr.decode())
                self.assertEqual(done.stdout.count(b"\n"), 1)


class Output(Folder):
    def test_places_that_cannot_be_written(self):
        ids = self.file("ids.json", "[1,2,3]")
        for out, status in ((os.path.join(self.folder, "none", "o"), 1), (self.folder, 2), ("/dev/full", 2), ("", 2)):
            with self.subTest(out):
                self.refused("logits", program.MODEL, "--ids", ids, "--out", out, status=status, says=out)
        self.assertEqual(os.listdir(self.folder), ["ids.json"])

    def stopped(self, how):
        """What lies in the folder after a long run of logits was sent a signal."""
        ids = self.file("ids.json", json.dumps([5] * 400_000))
        os.mkdir(self.file("out"))
        running = subprocess.Popen([program.HADAL, "logits", program.MODEL, "--ids", ids, "--out", self.file("out/o")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not os.listdir(self.file("out")):  # it writes to a temporary file first
            time.sleep(0.01)
        running.send_signal(how)
        message = running.communicate(timeout=60)[1].decode()
        return running.returncode, message, os.listdir(self.file("out"))

    def test_a_kill_leaves_no_file_of_that_name(self):
        status, _, left = self.stopped(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        self.assertNotIn("o", left)

    def test_an_interrupt_leaves_nothing(self):
        self.assertEqual(self.stopped(signal.SIGINT), (1, "hadal: interrupted\n", []))

    def test_two_writers_of_one_file(self):
        ids, out = self.file("ids.json", json.dumps([5] * 2000)), self.file("o")
        runs = [subprocess.Popen([program.HADAL, "logits", program.MODEL, "--ids", ids, "--all", "--out", out]) for _ in range(2)]
        self.assertEqual([run.wait(timeout=60) for run in runs], [0, 0])
        self.assertEqual(sorted(os.listdir(self.folder)), ["ids.json", "o"])
        self.assertEqual(checkpoints.read(out)["logits"][1], [2000, 2048])

    def test_a_full_disk_in_the_middle(self):
        with open("/dev/full", "wb") as full:
            done = self.finished("tokenize", program.MODEL, "--jsonl", text='"a"\n' * 100_000, status=1, stdout=full)
        self.assertIn("standard output", done.stderr.decode())


class Input(Folder):
    def test_a_folder_as_standard_input(self):
        for command in (["tokenize", program.MODEL], ["parse"], ["tokenize", program.MODEL, "--jsonl"]):
            with self.subTest(command):
                fd = os.open(self.folder, os.O_RDONLY)
                done = subprocess.run([program.HADAL, *command], stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
                os.close(fd)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard input", done.stderr.decode())

    def test_requests(self):
        user = {"role": "user", "content": "x"}
        for request, told in (
                ("", "JSON"), ("x", "JSON"), ("1", "messages"), ("{}", "messages"), ({"messages": {}}, "messages"), ({"messages": [1]}, "messages[0]"),
                ({"messages": [{}]}, "messages[0].role"), ({"messages": [{"role": "alien"}]}, "messages[0].role"),
                ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
                ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
                ({"messages": [user], "mode": "x"}, "mode"), ({"messages": [user], "reasoning_effort": 5}, "reasoning_effort"),
                ({"messages": [user], "tools": [{}]}, "tools[0].function"), ({"messages": [user, {"role": "assistant", "tool_calls": [{}]}]}, "messages[1].tool_calls[0].function"),
                ('{"messages":' + DEEP + "}", "deep"), ("\udcff", "UTF-8")):
            text = request if isinstance(request, str) else json.dumps(request)
            with self.subTest(text[:60]):
                done = subprocess.run([program.HADAL, "encode", "--jsonl"], input=b"[]\n" + text.encode("utf8", "surrogateescape") + b"\n",
                                      capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn("line 2", done.stderr.decode())
                self.assertIn(told, done.stderr.decode())

    def test_documents(self):
        for text in ("", "\n\n", '{"text":""}', '{"text":"ab', '{"text":5}', '"x"', "[1]", "{}", '{"text":"a","ids":null}', '{"text":"a","ids":[0,5,2048]}',
                     '{"text":"a","ids":[0,-5]}', '{"text":"a","ids":[0,18446744073709551615]}', '{"text":"a","ids":[1,' + DEEP + "]}"):
            with self.subTest(text[:40]):
                self.refused("perplexity", program.MODEL, self.file("d.jsonl", text), status=1, says="d.jsonl")
        self.refused("perplexity", program.MODEL, self.file("d.txt", ""), status=1, says="d.txt")
        self.refused("perplexity", program.MODEL, self.folder, status=1, says=self.folder)

    def test_documents_that_are_fine(self):
        def figures(name, content, model=program.MODEL):
            return json.loads(self.finished("perplexity", model, self.file(name, content), "--json").stdout)

        plain = figures("d.jsonl", '{"text":"The fox ran."}\n')
        self.assertEqual(figures("d.jsonl", '\r\n{"text":"The fox ran."}\r\n \t\n\n'), plain)
        self.assertEqual(figures("d.txt", "The fox ran."), plain)
        self.assertEqual(figures("d.txt", b"\xff\xfe\x00")["bytes"], 3)
        tiny = os.path.join(program.SOURCE, "tests", "golden", "tiny-fp8fp4")  # has no tokenizer
        ids = figures("d.jsonl", '{"ids":[0,5,6]}', tiny)
        self.assertEqual((ids["tokens"], ids["documents"], ids["bytes"], ids["bits_per_byte"]), (2, 1, None, None))
        self.assertEqual(figures("d.jsonl", '{"ids":[0,5,6],"text":"ab"}', tiny)["bytes"], 2)


class Generating(Folder):
    def test_values_that_make_no_sense(self):
        for option, values in {"--temp": ["-1", "nan", "inf", "3", "x"], "--top-p": ["0", "1.1", "nan"], "--top-k": ["-1", "99999999999"],
                               "--min-p": ["-0.1", "1.5"], "--presence-penalty": ["9"], "--frequency-penalty": ["nan"],
                               "--repetition-penalty": ["0", "-2"], "--seed": ["-1", "18446744073709551616", "x"], "--max-tokens": ["-1", "x", "1.5"],
                               "--threads": ["-1", "513"], "--numerics": ["bf16"], "--isa": ["avx3"], "--think": ["hard"]}.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    message = self.refused("generate", program.MODEL, "--prompt", "x", f"{option}={value}")
                    self.assertTrue(option in message or (option == "--isa" and "avx3" in message), message)
                    self.assertLess(len(message), 300)

    def test_defaults_that_make_no_sense(self):
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            os.symlink(os.path.join(program.MODEL, name), self.file(name))
        for text in ("[]", '{"temperature":"x"}', '{"temperature":5}', '{"top_p":0}', '{"max_new_tokens":-1}', '{"eos_token_id":-4}', "{"):
            with self.subTest(text):
                self.file("generation_config.json", text)
                done = self.finished("generate", self.folder, "--prompt", "x", "-n", "1", status=1)
                self.assertIn("generation_config.json", done.stderr.decode())

    def test_an_answer_has_an_end(self):
        self.file("generation_config.json", '{"max_new_tokens":3,"hadal_prompt_generation":"v4-preview"}')
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            os.symlink(os.path.join(program.MODEL, name), self.file(name))
        for more, tokens in (([], 3), (["-n", "5"], 5)):
            done = self.finished("generate", self.folder, "--prompt", "Tell me a story.", "--temp", "0", "--json", *more)
            self.assertEqual(json.loads(done.stdout)["usage"]["completion_tokens"], tokens)

    def test_one_text_for_every_backend(self):
        texts = {self.finished("generate", program.MODEL, "--prompt", "Tell me a story.", "-n", "20", "--seed", "5", *more).stdout
                 for more in ([], ["--threads", "1"], ["--threads", "2"], ["--threads", "3"], ["--isa", "generic"], *([] if program.SANITIZED else [["--isa", "reference"]]))}
        self.assertEqual(len(texts), 1, texts)

    def test_markup_in_a_message_is_text(self):
        def tokens(text):
            return json.loads(self.finished("generate", program.MODEL, "--prompt", text, "-n", "1", "--json").stdout)["usage"]["prompt_tokens"]

        empty = tokens("")
        for literal in ("<｜User｜>", "</think>", "<｜end▁of▁sentence｜>", "<｜Assistant｜>"):
            self.assertGreater(tokens(literal), empty + 1, literal)

    def test_rows_without_a_token_are_never_sampled(self):
        config, tensors = checkpoints.read_folder(program.MODEL)
        config["vocab_size"] += 32
        for name, (dtype, shape, data) in tensors.items():
            if name in ("embed.weight", "head.weight") or name.endswith("tid2eid"):
                row = len(data) // shape[0]
                more = data[300 * row:332 * row]
                if name == "head.weight":  # BF16: one more in the exponent is twice the logit
                    more = b"".join(bytes([low, high + 1]) for low, high in zip(more[::2], more[1::2]))
                tensors[name] = (dtype, [shape[0] + 32, shape[1]], data + more)
        checkpoints.write_folder(self.folder, config, tensors)
        for name in ("tokenizer.json", "generation_config.json"):
            os.symlink(os.path.join(program.MODEL, name), self.file(name))
        for seed in range(5):
            self.finished("generate", self.folder, "--prompt", "x", "-n", "20", "--temp", "2", "--top-p", "1", "--seed", seed)

    def test_logits_that_are_not_numbers(self):
        config, tensors = checkpoints.read_folder(program.MODEL)
        dtype, shape, data = tensors["norm.weight"]
        self.assertEqual(dtype, "BF16")
        checkpoints.write_folder(self.folder, config, {**tensors, "norm.weight": (dtype, shape, b"\xc0\x7f" * shape[0])})
        for name in ("tokenizer.json", "generation_config.json"):
            os.symlink(os.path.join(program.MODEL, name), self.file(name))
        self.refused("generate", self.folder, "--prompt", "x", status=1, says="NaN")
        self.refused("perplexity", self.folder, self.file("t.txt", "The fox."), status=1, says=self.folder)

    def test_an_interrupt_ends_it(self):
        checkpoints.write_endless(self.folder, program.MODEL)
        running = subprocess.Popen([program.HADAL, "generate", self.folder, "--prompt", "x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.read(20)
        running.send_signal(signal.SIGINT)
        _, message = running.communicate(timeout=60)
        self.assertEqual((running.returncode, message), (1, b"hadal: interrupted\n"))

    def test_messages_on_a_pipe(self):
        self.refused("chat", program.MODEL, says="standard input")
        for message in (b"\0\0\0", bytes(range(256)), "<｜User｜></think><｜Assistant｜>".encode(), b"x" * (2_000 if program.SANITIZED else 20_000)):
            done = subprocess.run([program.HADAL, "chat", program.MODEL, "-n", "20", "--seed", "1"], input=message, capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            done.stdout.decode()  # valid UTF-8


if __name__ == "__main__":
    program.main()
