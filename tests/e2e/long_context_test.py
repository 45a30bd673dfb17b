"""Synthetic checkpoints and long contexts through the program: what docs/long_context.md measures at a million tokens, at
twenty thousand."""

import filecmp
import json
import os
import resource
import tempfile

import program

FIXED = 1 << 20  # bytes of a state that do not grow: windows, carries, rows of the unfinished block
TWO_GIB = 2 << 30


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (TWO_GIB, TWO_GIB))


class Synth(program.Case):
    def test_a_checkpoint_that_every_command_opens(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "tiny")
            self.finished("synth", "--preset", "tiny", "--seed", 3, "--out", model)
            facts = json.loads(self.finished("inspect", model, "--verify", "--json").stdout)
            self.assertEqual(facts["compress_ratios"], [0, 4, 128, 0])
            self.assertTrue(facts["verified"])
            self.assertEqual(facts["unused_tensors"], 0)
            answer = json.loads(self.finished("generate", model, "--prompt", "hi", "-n", 5, "--seed", 1, "--json").stdout)
            self.assertLessEqual(answer["usage"]["completion_tokens"], 5)
            text = "Bytes: \u00e9\u4e2d\n"
            ids = json.loads(self.finished("tokenize", model, "--json", text=text).stdout)["ids"]
            self.assertEqual(len(ids), len(text.encode()))
            same = os.path.join(folder, "same")
            self.finished("synth", "--preset", "tiny", "--seed", 3, "--out", same)
            self.assertTrue(filecmp.cmp(os.path.join(model, "model.safetensors"), os.path.join(same, "model.safetensors"), False))
            self.assertEqual(sorted(os.listdir(folder)), ["same", "tiny"])

    def test_shapes_by_option(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "cut")
            self.finished("synth", "--preset", "tiny", "--layers", 2, "--experts", 7, "--out", model)
            facts = json.loads(self.finished("inspect", model, "--json").stdout)
            self.assertEqual(facts["layers"], 2)
            self.assertEqual(facts["compress_ratios"][:2], [0, 4])

    def test_refusals(self):
        with tempfile.TemporaryDirectory() as folder:
            self.refused("synth", "--preset", "v5", "--out", os.path.join(folder, "x"), says="v4-flash")
            self.refused("synth", "--preset", "tiny", "--layers", 90, "--out", os.path.join(folder, "x"))
            with open(os.path.join(folder, "mine"), "w", encoding="utf8") as f:
                f.write("kept")
            self.refused("synth", "--preset", "tiny", "--out", folder, says="it is there already")
            self.assertEqual(os.listdir(folder), ["mine"])


class Context(program.Case):
    def bench(self, model, *arguments):
        done = self.finished("bench", "context", model, "--chunk", 256, "--json", *arguments, preexec_fn=limited)
        return json.loads(done.stdout)

    def test_twenty_thousand_tokens(self):
        """The state grows by what its rows take and nothing else grows with the context."""
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "long")
            self.finished("synth", "--preset", "long", "--layers", 3, "--out", model)
            found = self.bench(model, "--tokens", 20_000, "--decode", 200)
            points = found["points"]
            self.assertEqual([p["length"] for p in points if p["phase"] == "prefill"], [5000, 10_000, 20_000])
            self.assertEqual(points[-1]["length"], 20_200)
            self.assertEqual(sum(p["tokens"] for p in points), 20_200)
            for point in points:
                self.assertGreaterEqual(point["state_bytes"], point["row_bytes"])
                self.assertLess(point["state_bytes"] - point["row_bytes"], FIXED, point)
            for ops, names in ((found["prefill_ops"], {"matmul", "index_select", "attention", "attention (all entries)"}),
                               (found["decode_ops"], {"matmul", "index_select", "attention (all entries)", "expert_ffn"})):
                self.assertLessEqual(names, {op["op"] for op in ops})
                self.assertAlmostEqual(sum(op["share"] for op in ops), 1, places=6)
            for rate in ("read_bytes_per_second", "flops_per_second"):
                self.assertGreater(found["machine"][rate], 0)
            shorter = self.bench(model, "--tokens", 3000, "--decode", 0)
            self.assertEqual(shorter["arena_bytes"], found["arena_bytes"])
            self.assertEqual(shorter["decode_ops"], [])

    def test_table(self):
        done = self.finished("bench", "context", program.MODEL, "--tokens", 300, "--decode", 3)
        for word in ("ceilings", "prefill, by op", "decode, by op", "peak RSS"):
            self.assertIn(word, done.stdout.decode())

    def test_refusals(self):
        self.refused("bench")
        self.refused("bench", "context", program.MODEL)
        self.refused("bench", "context", program.MODEL, "--tokens", 0)
        self.refused("bench", "context", program.MODEL, "--tokens", 1 << 20, "--decode", 1, says="positions")
        self.refused("bench", "context", program.MODEL, "--tokens", 10, "--isa", "reference")


if __name__ == "__main__":
    program.main()
