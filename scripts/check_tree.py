#!/usr/bin/env python3
"""The rules of the house that a compiler does not check. Python 3 standard library only.

usage: check_tree.py [--root DIR] [--build DIR]
  --root   the source tree (default: where this script lies)
  --build  a build folder: also looks into the objects of src/cpu/isa

Prints one line for every broken rule, `path[:line]: what is wrong`, and exits with 1 if there was one."""

import argparse
import fnmatch
import os
import re
import subprocess
import sys

# module: the modules its files may include, besides itself and what those may include in turn.
DEPENDENCIES = {
    "base": [],
    "io": ["base"],
    "tensor": ["io"],
    "checkpoint": ["tensor"],
    "ops": ["tensor"],
    "parallel": ["tensor"],
    "text": ["base"],
    "chat": ["text"],
    "sample": ["tensor", "text"],
    "cpu": ["ops"],
    "cuda": ["ops"],
    "model": ["ops", "checkpoint", "parallel"],
    "kv": ["model"],
    "engine": ["kv", "sample", "text", "io"],
    "assistant": ["engine", "chat"],
    "serve": ["assistant"],
    "eval": ["assistant"],
    "train": ["model", "ops", "parallel"],
}
EVERYTHING = ["apps"]  # the only modules that may include any other

# A source without a test file of its own, and the test file that covers it; an empty one says why there is none.
COVERED_BY = {
    "src/apps/*": "tests/e2e/cli_test.py",
    "src/base/log.cc": "",  # one call into the log library
    "src/ops/reference_*": "tests/ops/reference_ops_test.cc",
    "src/ops/scalar.cc": "tests/ops/reference_ops_test.cc",
    # The parts of one forward pass: whole models and every layer alone against the reference, all state invariants.
    "src/model/attention.cc": "tests/model/golden_test.cc",
    "src/model/block.cc": "tests/model/golden_test.cc",
    "src/model/compressor.cc": "tests/model/state_test.cc",
    "src/model/indexer.cc": "tests/model/state_test.cc",
    "src/model/model.cc": "tests/model/golden_test.cc",
    "src/model/moe.cc": "tests/model/golden_test.cc",
    "src/model/rewind.cc": "tests/model/state_history_test.cc",
    "src/model/tail_record.cc": "tests/model/state_history_test.cc",
    "src/model/step.cc": "tests/model/state_test.cc",
    "src/sample/grammar/expr_questions.cc": "tests/sample/grammar/expr_test.cc",
    "src/sample/grammar/json_algebra.cc": "tests/sample/grammar/json_shapes_test.cc",
    "src/sample/grammar/json_formula.cc": "tests/sample/grammar/json_shapes_test.cc",
    "src/sample/grammar/json_keywords.cc": "tests/sample/grammar/json_shapes_test.cc",
    "src/sample/grammar/json_objects.cc": "tests/sample/grammar/json_shapes_test.cc",
    "src/sample/grammar/json_members.cc": "tests/assistant/answer_grammar_test.cc",
    "src/assistant/call_grammar.cc": "tests/assistant/answer_grammar_test.cc",
    "src/engine/engine_step.cc": "tests/engine/engine_test.cc",
    "src/kv/disk_writer.cc": "tests/kv/prefix_cache_test.cc",
    "src/serve/http/exchange.cc": "tests/serve/http/connection_test.cc",
    "src/serve/metrics_engine.cc": "tests/serve/metrics_test.cc",
    # What every answer goes through is tested on answers.
    "src/serve/api_call.cc": "tests/serve/openai/chat_test.cc",
    "src/serve/generation.cc": "tests/serve/openai/chat_test.cc",
    "src/serve/openai/chat_json.cc": "tests/serve/openai/chat_test.cc",
    "src/serve/openai/chat_writer.cc": "tests/serve/openai/chat_test.cc",
    "src/serve/openai/models.cc": "tests/serve/service_test.cc",
    "src/serve/routes.cc": "tests/serve/service_test.cc",
    # One table an instruction set, all run against each other.
    "src/cpu/isa/*": "tests/cpu/table_test.cc",
}

MAX_LINES = 600
MAX_FILE_BYTES = 20_000_000
MAX_TREE_BYTES = 50_000_000
GENERATED = ["*.inc", "tests/golden/*", "tests/fuzz/corpus/*"]  # tables and data: no limit on lines
DATA = ["models/*", "tests/golden/*", "tests/fuzz/corpus/*", "*.safetensors", "*.gz", "*.xz", "*.png"]

# Spelled in pieces, so that this file may be checked as well.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
UNFINISHED_SOURCE = re.compile(
    r"\b(" + "|".join(["not imple" + "mented", "unimple" + "mented", "place" + "holder", "st" + "ub"]) + r")\b", re.I)
ONE_MACHINE = "/wo" + "rk/"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, p) for p in patterns)


def closure(module):
    seen, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += DEPENDENCIES.get(name, [])
    return seen


class Tree:
    """The files of a source tree and the rules broken so far."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self.files = self.list_files()

    def list_files(self):
        """Tracked files and new ones that git does not ignore; outside a git tree every file but build folders."""
        git = subprocess.run(["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True)
        if git.returncode == 0:
            names = [n for n in git.stdout.decode().split("\0") if n]
        else:
            names = []
            for folder, folders, files in os.walk(self.root):
                folders[:] = [f for f in folders if f != ".git" and not f.startswith("build") and f != "__pycache__"]
                names += [os.path.relpath(os.path.join(folder, f), self.root) for f in files]
        return sorted(set(n for n in names if os.path.isfile(os.path.join(self.root, n))))

    def problem(self, path, what, line=None):
        self.problems.append(f"{path}:{line}: {what}" if line else f"{path}: {what}")

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf8", errors="replace") as f:
            return f.read()

    def sources(self, *folders):
        return [f for f in self.files if f.endswith((".cc", ".h", ".cu", ".cuh")) and f.split("/")[0] in folders]


def check_lengths(tree):
    for path in tree.files:
        if path.split("/")[0] not in ("src", "tests", "bench", "scripts") or matches(path, GENERATED):
            continue
        if path.endswith((".cc", ".h", ".cu", ".cuh", ".py", ".sh")):
            lines = tree.text(path).count("\n")
            if lines > MAX_LINES:
                tree.problem(path, f"{lines} lines; {MAX_LINES} is the most")


def check_includes(tree):
    for path in tree.sources("src"):
        parts = path.split("/")
        module = parts[1] if len(parts) > 2 else ""
        if module not in DEPENDENCIES and module not in EVERYTHING:
            tree.problem(path, f"module '{module}' has no place in the dependency order of scripts/check_tree.py")
            continue
        allowed = closure(module)
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            name = found.group(2)
            target = name.split("/")[0]
            if found.group(1) == '"' and module not in EVERYTHING and target not in allowed:
                tree.problem(path, f'{module} may not include "{name}"; it may see {", ".join(sorted(allowed))}', number)
            if name.startswith("nlohmann/") and name != "nlohmann/json_fwd.hpp" and path.endswith(".h"):
                tree.problem(path, f"<{name}> in a header; <nlohmann/json_fwd.hpp> is enough there", number)
            if name.startswith("CLI/") and module != "apps":
                tree.problem(path, f"<{name}> outside src/apps", number)
            if name.startswith("spdlog/") and path != "src/base/log.cc":
                tree.problem(path, f"<{name}> outside src/base/log.cc", number)


def check_tests_mirror_sources(tree):
    names = set(tree.files)
    for path in tree.sources("src"):
        if not path.endswith(".cc"):
            continue
        elsewhere = [p for p in COVERED_BY if fnmatch.fnmatch(path, p)]
        parts = path.split("/")
        test = "tests/" + "/".join(parts[1:])[:-3] + "_test.cc"
        if test in names:
            if path in COVERED_BY:
                tree.problem(path, f"has {test}, so it needs no entry in COVERED_BY")
        elif not elsewhere:
            tree.problem(path, f"has no test: {test} is not there")
        for pattern in elsewhere:
            if COVERED_BY[pattern] and COVERED_BY[pattern] not in names:
                tree.problem(path, f"{COVERED_BY[pattern]}, which should cover it, is not there")


def check_words(tree):
    for path in tree.files:
        if matches(path, DATA):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            word = UNFINISHED.search(line)
            if not word and path.split("/")[0] in ("src", "web"):
                word = UNFINISHED_SOURCE.search(line)
            if word:
                tree.problem(path, f"'{word.group(1)}' says that something is left undone", number)
            if ONE_MACHINE in line:
                tree.problem(path, f"'{ONE_MACHINE}' is a path of one machine", number)


def check_sizes(tree):
    total = 0
    for path in tree.files:
        size = os.path.getsize(os.path.join(tree.root, path))
        total += size
        if size > MAX_FILE_BYTES:
            tree.problem(path, f"{size} bytes; {MAX_FILE_BYTES} is the most")
    if total > MAX_TREE_BYTES:
        tree.problem(".", f"{total} bytes in all; {MAX_TREE_BYTES} is the most")


def check_format(tree):
    files = tree.sources("src", "tests", "bench")
    if not files:
        return
    try:
        done = subprocess.run(["clang-format-19", "--dry-run", "--ferror-limit=1", *files], cwd=tree.root,
                              capture_output=True, text=True)
    except FileNotFoundError:
        tree.problem(".", "clang-format-19 is not installed")
        return
    wrong = sorted(set(re.findall(r"^(.*?):\d+:\d+: ", done.stderr, re.M)))
    for path in wrong:
        tree.problem(path, "not formatted; `make format` does it")
    if done.returncode and not wrong:
        tree.problem(".", f"clang-format-19 failed: {done.stderr.strip()[:200]}")


def check_isa_objects(tree, build):
    """An inline function compiled for one instruction set must not reach the linker: it could be picked for all."""
    objects = []
    for folder, _, files in os.walk(build):
        objects += [os.path.join(folder, f) for f in files if f.endswith(".o") and "/cpu/isa/" in os.path.join(folder, f).replace(
            "CMakeFiles/hadal_cpu.dir/", "")]
    has_sources = any(f.startswith("src/cpu/isa/") and f.endswith(".cc") for f in tree.files)
    if has_sources and not objects:
        tree.problem(build, "no objects of src/cpu/isa in this build folder")
    for path in sorted(objects):
        symbols = subprocess.run(["nm", "--demangle", path], capture_output=True, text=True, check=True).stdout
        for line in symbols.splitlines():
            kind = re.match(r"^[0-9a-f]+ ([WVu]) (.*)$", line)
            if kind:
                tree.problem(os.path.relpath(path, build), f"weak symbol ({kind.group(1)}) {kind.group(2)}")


def check(root, build=None):
    """All rules; returns the list of problems."""
    tree = Tree(root)
    check_lengths(tree)
    check_includes(tree)
    check_tests_mirror_sources(tree)
    check_words(tree)
    check_sizes(tree)
    check_format(tree)
    if build:
        check_isa_objects(tree, build)
    return tree.problems


def main():
    parser = argparse.ArgumentParser(description="checks the rules of the source tree")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--build")
    args = parser.parse_args()
    problems = check(args.root, args.build)
    for line in problems:
        print(line)
    print(f"{len(problems)} broken rules" if problems else "every rule holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
