"""hadal bench MODEL: what it measures, and how it says so. Speeds themselves are nobody's business here."""

import json
import os
import tempfile
import xml.etree.ElementTree

import program

FEW = ("--prefill", "5,130", "--contexts", "0,100,3000", "--batches", "1,3", "--chunk", 64, "--runs", 3)


class Bench(program.Case):
    def test_everything_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = os.path.join(folder, "shares & all.svg")
            found = json.loads(self.finished("bench", program.MODEL, *FEW, "--threads", 2, "--json", "--plot", picture).stdout)
            machine = found["machine"]
            self.assertEqual(machine["threads"], 2)
            self.assertTrue(machine["isa"])
            runs = [(run["phase"], run["context"], run["batch"]) for run in found["runs"]]
            self.assertEqual(runs, [("prefill", 0, 1), ("prefill", 0, 1), ("decode", 0, 1), ("decode", 0, 3), ("decode", 100, 1), ("decode", 3000, 1)])
            self.assertEqual([run["tokens"] for run in found["runs"][:2]], [5, 130])
            for run in found["runs"]:
                speed = run["tokens_per_s"]
                self.assertTrue(0 < speed["min"] <= speed["median"] <= speed["max"], run)
                ceiling, asked = (run["read_gbs"], run["bytes_per_token"]) if run["phase"] == "decode" else (
                    run["bf16_gflops"], run["flops_per_token"])
                self.assertAlmostEqual(run["share"], speed["median"] * asked / 1e9 / ceiling, places=6)
                self.assertLessEqual(run["read_gbs"], machine["read_gbs"])
                self.assertLessEqual(run["bf16_gflops"], machine["bf16_gflops"])
                self.assertAlmostEqual(sum(op["share"] for op in run["ops"]), 1, places=6)
            alone, three, deep, deeper = found["runs"][2:]
            # What several sequences read they share; what is behind has to be read as well.
            self.assertLess(three["bytes_per_token"], alone["bytes_per_token"])
            self.assertGreater(deep["bytes_per_token"], alone["bytes_per_token"])
            self.assertGreater(deeper["bytes_per_token"], deep["bytes_per_token"])
            bars = xml.etree.ElementTree.parse(picture).getroot().findall("{http://www.w3.org/2000/svg}rect")
            self.assertEqual(len(bars), 1 + len(runs))
            self.assertEqual(os.listdir(folder), ["shares & all.svg"])

    def test_table(self):
        text = self.finished("bench", program.MODEL, "--prefill", 5, "--contexts", "0,99999999", "--batches", 2, "--runs",
                             1).stdout.decode()
        for words in ("ceilings: read", "left out: 99999999 tokens", "prefill of 5, by op", "decode at 0, batch 2, by op",
                      "decode at 0, batch 1, by op", "of peak", "of read"):
            self.assertIn(words, text)

    def test_refusals(self):
        self.refused("bench", says="MODEL")
        self.refused("bench", "/nowhere", says="nowhere", status=1)
        self.refused("bench", program.MODEL, "--batches", "0")
        self.refused("bench", program.MODEL, "--prefill", "one")
        self.refused("bench", program.MODEL, "--isa", "reference", says="reference")
        self.refused("bench", program.MODEL, *FEW, "--plot", "/nowhere/x.svg", says="/nowhere", status=1)


if __name__ == "__main__":
    program.main()
