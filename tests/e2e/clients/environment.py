#!/usr/bin/env python3
"""The clients that the tests talk to the server with, from PyPI and npm, each in a folder of its own under the build
folder. Python 3 standard library only.

usage: environment.py make python|node FOLDER                  installs them, once for each state of the lists beside this
       environment.py run python|node FOLDER TEST [ARGUMENT...]   runs a test with what was made

Exits with 77 and says why when the packages cannot be had: no network, no venv or npm, a version too old. With
HADAL_CLIENTS=required in the environment that is an error instead."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = {"python": ["requirements.txt"], "node": ["package.json", "package-lock.json"]}
SKIPPED = 77
SECONDS = {"python": 900, "node": 600}  # for one installation
OLDEST_PYTHON, OLDEST_NODE = (3, 11), (18, 17)
CLOSED = "http://127.0.0.1:9"  # the port of "discard": nothing listens there


class Unavailable(Exception):
    """Why there are no clients here."""


def state(kind):
    """Names what is to be installed, and into what."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name in LISTS[kind]:
        with open(os.path.join(HERE, name), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()[:16]


def stamp(kind, folder):
    return os.path.join(folder, kind + ".made")


def made(kind, folder):
    try:
        with open(stamp(kind, folder), encoding="ascii") as f:
            return f.read() == state(kind)
    except FileNotFoundError:
        return False


def install(kind, folder, *command, **options):
    """Runs one step of an installation; what it printed lies beside the folder."""
    log_path = os.path.join(folder, kind + ".log")
    with open(log_path, "ab") as log:
        # A session of its own, so that no child outlives the limit.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   **options)
        try:
            status = process.wait(SECONDS[kind])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Unavailable(f"{command[0]} took longer than {SECONDS[kind]} s") from None
    if status:
        with open(log_path, encoding="utf8", errors="replace") as log:
            said = [line.strip() for line in log if re.search("error", line, re.I)]
        raise Unavailable(f"{os.path.basename(command[0])} failed, see {log_path}: {' '.join(said[:3])[:400]}")


def make_python(folder):
    if sys.version_info < OLDEST_PYTHON:
        raise Unavailable(f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed")
    place = os.path.join(folder, "python")
    install("python", folder, sys.executable, "-m", "venv", place)
    install("python", folder, os.path.join(place, "bin", "python"), "-m", "pip", "install", "--no-input",
            "--disable-pip-version-check", "--no-compile", "--retries", "1", "--requirement", os.path.join(HERE, "requirements.txt"))


def make_node(folder):
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise Unavailable("there is no node or no npm")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if not found or tuple(map(int, found.groups())) < OLDEST_NODE:
        raise Unavailable(f"Node {'.'.join(map(str, OLDEST_NODE))} or newer is needed, here is {said.strip()}")
    place = os.path.join(folder, "node")
    os.makedirs(place)
    for name in LISTS["node"]:
        shutil.copy(os.path.join(HERE, name), place)
    # Not `npm ci`: that insists on the optional packages of every other platform.
    install("node", folder, npm, "install", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error",
            "--fetch-retries=1", cwd=place)


def make(kind, folder):
    if made(kind, folder):
        return
    os.makedirs(folder, exist_ok=True)
    for path in (stamp(kind, folder), os.path.join(folder, kind + ".log")):
        if os.path.exists(path):
            os.remove(path)
    if os.path.exists(os.path.join(folder, kind)):
        shutil.rmtree(os.path.join(folder, kind))
    {"python": make_python, "node": make_node}[kind](folder)
    with open(stamp(kind, folder), "w", encoding="ascii") as f:
        f.write(state(kind))


def surroundings(folder):
    """Environment variables of a client: no keys and settings of whoever runs the tests, no way out of this machine."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "TERM", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
    home = os.path.join(folder, "home")
    os.makedirs(home, exist_ok=True)
    return {**kept, "HOME": home, "HTTP_PROXY": CLOSED, "HTTPS_PROXY": CLOSED, "http_proxy": CLOSED, "https_proxy": CLOSED,
            "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "PYTHONPYCACHEPREFIX": os.path.join(folder, "bytecode"),
            "PYTHONPATH": os.pathsep.join([HERE, os.path.dirname(HERE)]), "HADAL_CLIENTS_FOLDER": folder}


def run(kind, folder, script, *arguments):
    if not made(kind, folder):
        raise Unavailable(f"the clients are not there; `environment.py make {kind}` says why")
    python = os.path.join(folder, "python", "bin", "python") if kind == "python" else sys.executable
    sys.stdout.flush()
    os.execve(python, [python, script, *arguments], surroundings(folder))


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("make", "run") or sys.argv[2] not in LISTS:
        sys.exit(__doc__)
    action, kind, folder = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3])
    try:
        if action == "make":
            make(kind, folder)
        else:
            run(kind, folder, *sys.argv[4:])
    except Unavailable as why:
        print(f"skipped: {why}", flush=True)
        return 1 if os.environ.get("HADAL_CLIENTS") == "required" else SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
