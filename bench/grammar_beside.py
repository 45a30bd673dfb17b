#!/usr/bin/env python3
"""`hadal bench grammar` beside llguidance on the same schemas, one after the other on one core. Needs llguidance and numpy.

usage: grammar_beside.py HADAL --tokenizer tokenizer.json[.gz] --in FILE.jsonl[.xz] [--limit N]

llguidance is asked through its Python binding, whose calls are part of its times."""

import argparse
import gzip
import json
import lzma
import os
import subprocess
import sys
import time

import llguidance.numpy
import numpy
from llguidance import LLMatcher, LLTokenizer


def opened(path):
    return {".xz": lzma.open, ".gz": gzip.open}.get(os.path.splitext(path)[1], open)(path, "rt", encoding="utf8")


def spread(microseconds):
    values = numpy.array(microseconds or [0.0])
    return {"p50": numpy.percentile(values, 50), "p90": numpy.percentile(values, 90), "p99": numpy.percentile(values, 99),
            "avg": values.mean(), "max": values.max()}


class Peer:
    def __init__(self, tokenizer):
        with opened(tokenizer) as file:
            spec = json.load(file)
        spec["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        self.tokenizer = LLTokenizer(json.dumps(spec))
        self.mask = llguidance.numpy.allocate_token_bitmask(1, self.tokenizer.vocab_size)
        self.first, self.others = [], []

    def accepts(self, grammar, text):
        matcher = LLMatcher(self.tokenizer, grammar, log_level=0)
        for token in self.tokenizer.tokenize_str(text):
            start = time.perf_counter()
            llguidance.numpy.fill_next_token_bitmask(matcher, self.mask, 0)
            self.others.append((time.perf_counter() - start) * 1e6)
            if not matcher.consume_token(token):
                return False
        return matcher.is_accepting()

    def verdict(self, line):
        start = time.perf_counter()
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(line["schema"]))
            if LLMatcher.validate_grammar(grammar, self.tokenizer):
                return "compile_error"
        except ValueError:
            return "compile_error"
        llguidance.numpy.fill_next_token_bitmask(LLMatcher(self.tokenizer, grammar, log_level=0), self.mask, 0)
        self.first.append((time.perf_counter() - start) * 1e6)
        for test in line["tests"]:
            if self.accepts(grammar, test["text"]) != test["valid"]:
                return "validation_error" if test["valid"] else "invalidation_error"
        return "passing"

    def run(self, path, limit):
        counts = dict.fromkeys(("passing", "compile_error", "validation_error", "invalidation_error"), 0)
        with opened(path) as lines:
            for number, line in enumerate(lines):
                if number == limit:
                    break
                counts[self.verdict(json.loads(line))] += 1
        return {"schemas": sum(counts.values()), **counts, "tokens": len(self.others), "ttfm_us": spread(self.first),
                "mask_us": spread(self.others)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hadal")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--in", dest="source", required=True)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    ours = json.loads(subprocess.run(
        [options.hadal, "bench", "grammar", "--tokenizer", options.tokenizer, "--in", options.source, "--limit",
         str(options.limit), "--json"], stdout=subprocess.PIPE, check=True).stdout)
    theirs = Peer(options.tokenizer).run(options.source, options.limit or -1)
    print(f"{'':<22}{'hadal':>12}{'llguidance':>12}")
    for key in ("schemas", "passing", "compile_error", "validation_error", "invalidation_error", "tokens"):
        print(f"{key:<22}{ours[key]:>12}{theirs[key]:>12}")
    for key in ("ttfm_us", "mask_us"):
        for name in ("p50", "p90", "p99", "avg", "max"):
            print(f"{key + ' ' + name:<22}{ours[key][name]:>12.1f}{theirs[key][name]:>12.1f}")


if __name__ == "__main__":
    sys.exit(main())
