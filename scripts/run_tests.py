#!/usr/bin/env python3
"""Builds and runs every check of the project, stage by stage. Python 3 standard library only.

usage: run_tests.py [--fuzz-seconds N] [STAGE...]      all stages by default, in this order:
  release  release build of everything, all tests, the command line, the reference figures, the rules of the tree
  asan     the tests again under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan     the tests that use threads under ThreadSanitizer
  fuzz     every fuzz target for N seconds
and, when it is asked for:
  arm64    the tests of the kernels and of what is below them for AArch64, under an emulator

A stage that fails does not stop the next. Ends with a line for every stage and the count of all tests; exits with 1 if
anything failed."""

import argparse
import concurrent.futures
import dataclasses
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 1
STAGES = ["release", "asan", "tsan", "fuzz"]
OTHER_STAGES = ["arm64"]

# Test binaries with threads in them, and the tests among theirs that start any.
TSAN_TESTS = ["base", "cpu", "model", "kv", "text", "engine", "assistant", "serve"]
TSAN_FILTER = "*Thread*"
ARM64_TESTS = ["base", "tensor", "ops", "cpu"]

SANITIZER_ENVIRONMENT = {
    # addr2line (binutils) turns addresses into lines without the LLVM tools.
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_init_order=1:check_initialization_order=1:"
                    "external_symbolizer_path=/usr/bin/addr2line",
    "UBSAN_OPTIONS": "print_stacktrace=1:external_symbolizer_path=/usr/bin/addr2line",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


@dataclasses.dataclass
class Outcome:
    ok: bool
    line: str  # what the stage says of itself
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def run(*command, env=None):
    """Runs a command with its output going where ours goes; true if it succeeded."""
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}).returncode == 0


def build(preset, folder, targets, *settings):
    if not run("scripts/configure.sh", preset, folder, *settings):
        return False
    return run("ninja", "-C", folder, "--quiet", *targets)


def count_tests(log):
    """Counts of one ctest run: the cases of a GoogleTest or unittest program, one for any other."""
    passed = failed = skipped = 0
    for part in re.split(r"^\d+/\d+ Testing: .*$", log, flags=re.M)[1:]:
        # GoogleTest: "[  PASSED  ] 24 tests."; unittest: "Ran 12 tests in", "FAILED (failures=1, errors=1, skipped=2)".
        def number(pattern):
            return sum(int(n) for n in re.findall(pattern, part, re.M))

        state = "passed" if re.search(r"^Test Passed\.$", part, re.M) else "failed"
        if state == "passed" and re.search(r"^skipped: ", part, re.M):  # ctest's log calls it passed
            state = "skipped"
        if re.search(r"^\[==========\] .* ran\.", part, re.M):
            counts = [number(r"^\[  PASSED  \] (\d+) test"), number(r"^\[  FAILED  \] (\d+) test"),
                      number(r"^\[  SKIPPED \] (\d+) test")]
        elif re.search(r"^Ran \d+ tests? in ", part, re.M):
            bad, left_out = number(r"failures=(\d+)") + number(r"errors=(\d+)"), number(r"skipped=(\d+)")
            counts = [number(r"^Ran (\d+) tests? in ") - bad - left_out, bad, left_out]
        else:
            counts = [int(state == "passed"), 0, int(state == "skipped")]
        if state == "failed" and counts[1] == 0:
            counts[1] = 1  # it crashed or ran out of time
        passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]
    return passed, failed, skipped


def ctest(folder, *arguments, env=None):
    ok = run("ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=error", "--parallel", str(JOBS), *arguments,
             env=env)
    with open(os.path.join(ROOT, folder, "Testing", "Temporary", "LastTest.log"), encoding="utf8", errors="replace") as f:
        passed, failed, skipped = count_tests(f.read())
    line = "100% tests passed" if ok else "tests failed"
    return Outcome(ok and failed == 0, line, passed, failed, skipped)


def release():
    if not build("release-tests", "build", ["all"], "-DHADAL_TESTS=ON", "-DHADAL_BENCH=ON"):
        return Outcome(False, "does not build", failed=1)
    return ctest("build")


def asan():
    if not build("asan", "build-asan", ["all"]):
        return Outcome(False, "does not build", failed=1)
    return ctest("build-asan", env={**SANITIZER_ENVIRONMENT, "GTEST_FILTER": "-*Slow*"})


def some_tests(preset, folder, names, env=None):
    if not build(preset, folder, [name + "_test" for name in names]):
        return Outcome(False, "does not build", failed=1)
    return ctest(folder, "--tests-regex", "^(" + "|".join(names) + ")$", env=env)


def tsan():
    return some_tests("tsan", "build-tsan", TSAN_TESTS, {**SANITIZER_ENVIRONMENT, "GTEST_FILTER": TSAN_FILTER})


def arm64():
    # A death test starts its own program again, which the emulator of a single program cannot.
    return some_tests("arm64", "build-arm64", ARM64_TESTS, {"GTEST_FILTER": "-*DeathTest*"})


def run_fuzz_target(name, seconds):
    """One target for some seconds, starting from its committed corpus; what it finds stays in build-asan/run."""
    work = os.path.join(ROOT, "build-asan", "run", name)
    grown = os.path.join(work, "corpus")
    os.makedirs(grown, exist_ok=True)
    log_path = os.path.join(work, "log")
    with open(log_path, "w", encoding="utf8") as log:
        done = subprocess.run(
            [os.path.join(ROOT, "build-asan", "fuzz", name), f"-max_total_time={seconds}", "-timeout=20",
             "-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={work}/", grown,
             os.path.join(ROOT, "tests", "fuzz", "corpus", name.removesuffix("_fuzz"))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **SANITIZER_ENVIRONMENT})
    with open(log_path, encoding="utf8", errors="replace") as log:
        text = log.read()
    if done.returncode:
        print(f"{name} failed; the input lies in {work}\n" + "\n".join(text.splitlines()[-60:]), flush=True)
        return False
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    print(f"{name}: {runs.group(1) if runs else '?'} inputs in {seconds} s, no finding", flush=True)
    return True


def fuzz(seconds):
    if not build("fuzz", "build-asan", ["fuzzers"]):
        return Outcome(False, "does not build", failed=1)
    targets = sorted(f for f in os.listdir(os.path.join(ROOT, "build-asan", "fuzz")) if f.endswith("_fuzz"))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        results = list(pool.map(lambda name: run_fuzz_target(name, seconds), targets))
    good = sum(results)
    return Outcome(good == len(targets) > 0, f"{good} of {len(targets)} targets without a finding for {seconds} s", good,
                   len(targets) - good)


def main():
    parser = argparse.ArgumentParser(description="builds and runs every check")
    parser.add_argument("--fuzz-seconds", type=int, default=10)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    args = parser.parse_args()
    known = STAGES + OTHER_STAGES
    unknown = [s for s in args.stages if s not in known]
    if unknown:
        parser.error(f"no stage '{unknown[0]}'; there are {', '.join(known)}")
    actions = {"release": release, "asan": asan, "tsan": tsan, "fuzz": lambda: fuzz(args.fuzz_seconds), "arm64": arm64}
    outcomes = []
    for name in known:
        if name not in (args.stages or STAGES):
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        outcomes.append((name, actions[name](), time.monotonic() - start))
    print("== summary")
    for name, outcome, seconds in outcomes:
        print(f"{name:8} {'ok    ' if outcome.ok else 'FAILED'} {seconds:5.0f} s  {outcome.line}")
    passed, failed, skipped = (sum(getattr(o, key) for _, o, _ in outcomes) for key in ("passed", "failed", "skipped"))
    ok = all(o.ok for _, o, _ in outcomes)
    print(f"{passed} passed, {max(failed, 0 if ok else 1)} failed, {skipped} skipped", flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
