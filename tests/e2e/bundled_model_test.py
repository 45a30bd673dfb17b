"""The bundled model through the program: the figures and texts that the reference implementation gave for it
(tests/golden/story), and the conversation that `make run` starts."""

import array
import json
import os
import struct
import tempfile

import program

STORY = os.path.join(program.SOURCE, "tests", "golden", "story")
CLOSE_CALL = 1e-3  # logits nearer to each other than this may change places between two correct programs


def load_floats(path, name):
    """One F32 tensor of a safetensors file: rows."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    begin, end = header[name]["data_offsets"]
    values = array.array("f")
    values.frombytes(data[begin:end])
    width = header[name]["shape"][1]
    return [values[i:i + width] for i in range(0, len(values), width)]


class Reference(program.Case):
    def test_perplexity(self):
        with open(os.path.join(STORY, "reference.json"), encoding="utf8") as f:
            reference = json.load(f)
        for numerics in ("fp32", "release"):
            with self.subTest(numerics=numerics):
                done = self.finished("perplexity", program.MODEL, os.path.join(STORY, "heldout.jsonl"), "--numerics", numerics,
                                     "--json")
                got, want = json.loads(done.stdout), reference[numerics]
                for key in ("tokens", "bytes", "documents"):
                    self.assertEqual(got[key], want[key], key)
                for key in ("nats_per_token", "bits_per_byte"):
                    self.assertAlmostEqual(got[key] / want[key], 1, delta=1e-3, msg=key)

    def test_greedy_texts(self):
        """The reference's text is read in one pass; every token of it must be what we would have chosen there."""
        with open(os.path.join(STORY, "greedy.json"), encoding="utf8") as f:
            cases = json.load(f)
        compared = 0
        with tempfile.TemporaryDirectory() as folder:
            ids_path, out = os.path.join(folder, "ids.json"), os.path.join(folder, "out.safetensors")
            for case in cases:
                prompt, answer = case["prompt_ids"], case["ids"]
                with open(ids_path, "w", encoding="utf8") as f:
                    json.dump(prompt + answer, f)
                self.finished("logits", program.MODEL, "--ids", ids_path, "--all", "--numerics", "fp32", "--out", out)
                rows = load_floats(out, "logits")
                self.assertEqual(len(rows), len(prompt) + len(answer))
                for i, want in enumerate(answer):
                    row = rows[len(prompt) + i - 1]
                    if max(row) - row[want] < CLOSE_CALL and max(row) != row[want]:
                        continue
                    self.assertEqual(row.index(max(row)), want, f"{case['prompt']!r}, token {i}")
                    compared += 1
        self.assertGreater(compared, 500)


class Conversation(program.Case):
    def test_a_message_on_standard_input_is_answered_on_standard_output(self):
        done = self.finished("chat", program.MODEL, text="Tell me a story about a fox.\n")
        answer = done.stdout.decode()
        self.assertIn("fox", answer)
        self.assertGreaterEqual(len(answer.split()), 40)
        self.assertTrue(answer.endswith("\n"))
        for markup in ("<", "｜", "\x1b"):
            self.assertNotIn(markup, answer)

    def test_a_seed_fixes_the_text(self):
        def text(*more):
            return self.finished("generate", program.MODEL, "--prompt", "Tell me a story about a king.", "-n", "60", *more).stdout

        self.assertEqual(text("--seed", "7"), text("--seed", "7"))
        self.assertNotEqual(text("--seed", "7"), text("--seed", "8"))
        self.assertEqual(text("--temp", "0", "--seed", "7"), text("--temp", "0", "--seed", "8"))


if __name__ == "__main__":
    program.main()
