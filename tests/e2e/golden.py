"""Runs the reference comparison (check.py beside the golden files) on one part of it.

usage: golden.py HADAL GOLDEN_DIR model HALF | tokenizer | encoding      HALF: 0 or 1
Exit status 77 when the golden files are not on this machine."""

import os
import subprocess
import sys


def model_folders(golden, half):
    """Every folder with reference logits; the largest go to different halves."""
    found = [os.path.join(golden, name) for name in sorted(os.listdir(golden))]
    found = [f for f in found if os.path.exists(os.path.join(f, "golden.safetensors"))]
    size = {f: sum(entry.stat().st_size for entry in os.scandir(f)) for f in found}
    return sorted(found, key=lambda f: -size[f])[half::2]


def main():
    hadal, golden, what = sys.argv[1:4]
    check = os.path.join(golden, "check.py")
    if not os.path.exists(check):
        print(f"skipped: {check} is not there")
        return 77
    if what == "model":
        arguments = model_folders(golden, int(sys.argv[4]))
    elif what == "tokenizer":
        tokenizer = os.path.join(golden, "..", "data", "tokenizer", "deepseek-v4-tokenizer.json.gz")
        arguments = [tokenizer, os.path.join(golden, "tokenizer", "cases.jsonl")]
    else:
        arguments = [os.path.join(golden, "encoding", "random.jsonl")]
    return subprocess.run([sys.executable, check, hadal, what, *arguments], stdin=subprocess.DEVNULL).returncode


sys.exit(main())
