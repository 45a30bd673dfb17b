"""A running `hadal serve` for a test."""

import json
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request

import program


class Server:
    """Starts on a free port and ends with the block."""

    def __init__(self, *options, model=program.MODEL, environment=None):
        self.process = subprocess.Popen([program.HADAL, "serve", model, "--port", "0", *map(str, options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        line = self.process.stdout.readline().decode()
        found = re.search(r"(https?://[^ ]+) ", line)
        if not found:
            self.process.wait(timeout=60)
            raise RuntimeError(f"the server did not start: {line}{self.logged()}")
        self.url = found.group(1)
        self.port = int(self.url.rsplit(":", 1)[1])

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))

    def logged(self):
        return "".join(self.log)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        """The exit status; anything but 0 is a crash."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(timeout=120)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._reader.join(timeout=10)
            self.process.stdout.close()
            self.process.stderr.close()
        return status

    def request(self, method, path, body=None, headers=None, timeout=120):
        """(status, headers, text)"""
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        asked = urllib.request.Request(self.url + path, data=data, method=method,
                                       headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def post(self, path, body, headers=None):
        status, _, text = self.request("POST", path, body, headers)
        return status, json.loads(text)

    def get(self, path, headers=None):
        status, _, text = self.request("GET", path, None, headers)
        return status, json.loads(text)

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
