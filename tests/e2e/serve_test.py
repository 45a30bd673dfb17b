"""hadal serve as who runs it meets it: options, start and end, signals, keys, logs, and requests that no library sends."""

import json
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time

import checkpoints
import program
import serving

CHAT = {"model": "deepseek-chat", "messages": [{"role": "user", "content": "Tell me a story about a fox."}], "seed": 3}


class RawConnection:
    """Bytes to and from a server."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()
        self.socket.close()

    def send(self, *parts):
        for part in parts:
            self.socket.sendall(part if isinstance(part, bytes) else part.encode())

    def head(self):
        """(status, headers with lower-case names)"""
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def answer(self):
        """(status, headers, body) of an answer with a length or in chunks."""
        status, headers = self.head()
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, b"".join(iter(self.chunk, b""))
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def chunk(self):
        data = self.file.read(int(self.file.readline(), 16))
        self.file.readline()
        return data


def post(body, path="/v1/chat/completions", *headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}", *headers, "", ""]).encode() + data


def wait_for(case, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    case.fail("it did not happen")


def answer_of(connection):
    status, _, body = connection.answer()
    return status, json.loads(body)


class Options(program.Case):
    def test_help_names_every_option_of_the_documentation_and_no_other(self):
        text = self.finished("serve", "--help").stdout.decode()
        helped = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", re.sub(r"(?m)^ {25,}.*$", "", text)))
        with open(os.path.join(program.SOURCE, "docs", "serving.md"), encoding="utf8") as f:
            table = f.read().split("## Options\n")[1].split("\n## ")[0]
        documented = set(re.findall(r"`(--[a-z][\w-]*)`", table))
        self.assertEqual(helped - {"--help", "--temperature"}, documented)

    def test_nonsense_is_refused(self):
        for options in (["--port", 70000], ["--port", "http"], ["--ctx", 0], ["--ctx", -5], ["--temp", 3], ["--top-p", 2],
                        ["--grace", -1], ["--keep-alive", 0], ["--max-waiting", 0], ["--max-connections", 0],
                        ["--thinking-sampling", "mine"], ["--usage-chunk", "none"], ["--loud"], ["--ledger", ""],
                        ["--prompt-generation", "v9"]):
            with self.subTest(options=options):
                self.refused("serve", program.MODEL, *options)
        self.refused("serve")

    def test_what_cannot_work_is_refused_before_anything_is_served(self):
        with tempfile.TemporaryDirectory() as folder:
            empty, wrong = os.path.join(folder, "empty"), os.path.join(folder, "wrong")
            open(empty, "w").close()
            with open(wrong, "w", encoding="ascii") as f:
                f.write("secret colour=blue\n")
            for options, says in ((["--key-file", empty], empty), (["--key-file", wrong], wrong), (["--prices", wrong], wrong),
                                  (["--key-file", os.path.join(folder, "none")], "none"),
                                  (["--ledger", wrong], wrong), (["--tls-cert", wrong], "--tls-key"),
                                  (["--tls-cert", wrong, "--tls-key", wrong], wrong),
                                  (["--log-file", os.path.join(folder, "no", "log")], "no/log"),
                                  (["--trace", os.path.join(folder, "no", "trace")], "no/trace"),
                                  (["--ctx", 10**12], "--ctx"), (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
                                  (["--body-limit", "much"], "much")):
                with self.subTest(options=options):
                    message = self.finished_badly(options)
                    self.assertIn(says, message)
            self.refused("serve", os.path.join(folder, "nothing"), status=1, says="nothing")

    def finished_badly(self, options):
        done = program.run("serve", program.MODEL, "--port", "0", *options)
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertEqual(done.stdout, b"")
        message = done.stderr.decode()
        self.assertRegex(message, r"(?m)^hadal: ")
        self.assertLessEqual(message.count("\n"), 2, message)
        return message

    def test_a_port_that_is_taken(self):
        with serving.Server() as server:
            message = self.refused("serve", program.MODEL, "--port", server.port, status=1, says=str(server.port))
            self.assertIn("127.0.0.1", message)
            self.assertEqual(server.get("/ready")[0], 200)


class Signals(program.Case):
    @classmethod
    def setUpClass(cls):
        cls.endless = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.endless)
        checkpoints.write_endless(cls.endless, program.MODEL)

    def test_stopping_lets_running_answers_finish(self):
        length = 600 if program.SANITIZED else 3000
        for how in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(how=how), serving.Server(model=self.endless) as server, RawConnection(server) as running, \
                    RawConnection(server) as waiting:
                waiting.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")  # a connection that stays
                self.assertEqual(waiting.answer()[0], 200)
                running.send(post({**CHAT, "max_tokens": length, "stream": True}))
                self.assertEqual(running.head()[0], 200)
                self.assertTrue(running.chunk())
                server.process.send_signal(how)
                self.refusal(server, waiting)
                rest = b"".join(iter(running.chunk, b""))
                self.assertTrue(rest.endswith(b"data: [DONE]\n\n"))
                self.assertIn(b'"finish_reason":"length"', rest)
                self.assertIn(b'"completion_tokens":%d' % length, rest)
                self.assertEqual(server.stop(), 0)

    def refusal(self, server, connection):
        """Waits until new requests are refused: on a connection from before, or as no new one can be made."""
        def refused():
            nonlocal connection
            try:
                if connection is None:
                    connection = RawConnection(server)
                connection.send("GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return connection.answer()[0] == 503
            except (ConnectionError, IndexError):
                fresh, connection = connection is None, None
                return fresh

        wait_for(self, refused)

    def test_what_runs_too_long_is_cut_off_cleanly(self):
        with serving.Server("--grace", "0.2", model=self.endless) as server, RawConnection(server) as running:
            running.send(post({**CHAT, "max_tokens": 300_000, "stream": True}))
            self.assertEqual(running.head()[0], 200)
            running.chunk()
            self.assertEqual(server.stop(), 0)
            self.assertIn("cut off", server.logged())

    def test_hangup_opens_the_log_again(self):
        with tempfile.TemporaryDirectory() as folder:
            log, old = os.path.join(folder, "log"), os.path.join(folder, "log.1")
            with serving.Server("--log-json", "--log-file", log) as server:
                server.get("/v1/models", {"x-request-id": "before"})
                wait_for(self, lambda: "before" in self.text(log))
                os.rename(log, old)
                server.process.send_signal(signal.SIGHUP)
                wait_for(self, lambda: os.path.exists(log))
                server.get("/v1/models", {"x-request-id": "after"})
                wait_for(self, lambda: "after" in self.text(log))
                self.assertNotIn("after", self.text(old))
                self.assertEqual(server.stop(), 0)
            for line in (self.text(log) + self.text(old)).splitlines():
                self.assertEqual(json.loads(line)["status"], 200)

    def text(self, path):
        with open(path, encoding="utf8") as f:
            return f.read()


class Keys(program.Case):
    def status(self, server, key=None, header="Authorization", path="/v1/models"):
        headers = {} if key is None else {header: f"Bearer {key}" if header == "Authorization" else key}
        return server.request("GET", path, None, headers)[0]

    def test_a_key_on_the_command_line_or_in_the_environment(self):
        for options, environment in ((["--api-key", "one", "--api-key", "two"], {}), ([], {"HADAL_API_KEY": "one"})):
            with serving.Server(*options, environment=environment) as server:
                self.assertEqual(self.status(server), 401)
                self.assertEqual(self.status(server, "wrong"), 401)
                self.assertEqual(self.status(server, "one"), 200)
                self.assertEqual(self.status(server, "one", "x-api-key"), 200)
                for path in ("/health", "/ready", "/", "/metrics"):
                    self.assertEqual(self.status(server, path=path), 200, path)
                self.assertEqual(server.stop(), 0)
                self.assertNotIn("two", server.logged())

    def test_a_key_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "keys")
            with open(path, "w", encoding="ascii") as f:
                f.write("# who may\nanns-secret name=ann\nbobs-secret name=bob rpm=2\nold-secret expires=2020-01-01\n")
            with serving.Server("--key-file", path) as server:
                self.assertEqual(self.status(server), 401)
                self.assertEqual(self.status(server, "old-secret"), 401)
                for _ in range(5):
                    self.assertEqual(self.status(server, "anns-secret"), 200)
                headers = {"Authorization": "Bearer bobs-secret"}
                answers = [server.request("POST", "/v1/chat/completions", {**CHAT, "max_tokens": 1}, headers) for _ in range(3)]
                self.assertEqual([status for status, _, _ in answers], [200, 200, 429])
                self.assertGreaterEqual(int(answers[2][1]["Retry-After"]), 1)
                self.assertEqual(server.stop(), 0)
                self.assertIn("key=bob", server.logged())
                self.assertNotIn("secret", server.logged())


class Ledger(program.Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger = os.path.join(self.folder, "ledger.sqlite")
        self.prices = os.path.join(self.folder, "prices.json")
        shutil.copy(os.path.join(program.SOURCE, "docs", "prices.example.json"), self.prices)

    def keys(self, command, *arguments):
        return self.finished("keys", command, "--ledger", self.ledger, *arguments).stdout.decode().strip()

    def server(self):
        return serving.Server("--ledger", self.ledger, "--prices", self.prices, "--name", "deepseek-v4-flash")

    def used(self):
        return json.loads(self.keys("usage", "--json"))

    def ask(self, server, key, **more):
        status, _, text = server.request("POST", "/v1/chat/completions", {**CHAT, "max_tokens": 50, **more},
                                         {"Authorization": f"Bearer {key}"})
        return status, json.loads(text)

    def test_from_the_first_key_to_the_bill(self):
        key = self.keys("add", "ann", "--currency", "USD", "--balance", "5")
        with self.server() as server:
            self.assertEqual(self.status(server), 401)
            counted = [self.ask(server, key)[1]["usage"] for _ in range(3)]
            # A key that is made and one that is revoked while the server runs.
            late = self.keys("add", "bob")
            self.assertEqual(self.ask(server, late)[0], 200)
            self.keys("revoke", "bob")
            wait_for(self, lambda: self.ask(server, late)[0] == 401)
            balance = server.get("/user/balance", {"Authorization": f"Bearer {key}"})[1]
            self.assertTrue(balance["is_available"])
            [info] = balance["balance_infos"]
            self.assertEqual(info["currency"], "USD")
            self.assertLess(float(info["total_balance"]), 5)
            self.assertGreater(float(info["total_balance"]), 4.9)
            self.assertEqual(server.stop(), 0)
        self.assertIn("ann", self.keys("usage"))
        [row] = [row for row in self.used() if row["key"] == "ann"]
        self.assertEqual(row["requests"], 3)
        self.assertEqual(row["completion_tokens"], sum(u["completion_tokens"] for u in counted))
        self.assertGreater(float(row["cost"]), 0)

    def status(self, server):
        return server.request("GET", "/v1/models")[0]

    def test_a_server_that_is_killed_leaves_a_ledger_that_opens(self):
        key = self.keys("add", "ann")
        server = self.server()
        stop = threading.Event()

        def keep_asking():
            while not stop.is_set():
                try:
                    self.ask(server, key, max_tokens=5)
                except (OSError, ValueError):
                    return

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(2.5)  # so that some of it has been written, and more has not
        server.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertIn("ann", self.keys("ls"))
        before = self.used()
        self.assertGreater(before[0]["requests"], 0)
        with self.server() as server:
            self.assertEqual(self.ask(server, key)[0], 200)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.used()[0]["requests"], before[0]["requests"] + 1)


class Files(program.Case):
    def test_a_trace_opens_as_json(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.json")
            with serving.Server("--trace", path) as server:
                for _ in range(3):
                    self.assertEqual(server.post("/v1/chat/completions", {**CHAT, "max_tokens": 10})[0], 200)
                self.assertEqual(server.stop(), 0)
            with open(path, encoding="utf8") as f:
                trace = json.load(f)
            events = trace["traceEvents"] if isinstance(trace, dict) else trace
            self.assertGreater(len(events), 10)
            for event in events:
                self.assertIn("ph", event)
                if event["ph"] != "M":
                    self.assertGreaterEqual(event["ts"], 0)
                if event["ph"] == "X":
                    self.assertGreaterEqual(event["dur"], 0)

    def test_texts_are_logged_only_when_asked(self):
        with serving.Server() as server:
            _, answer = server.post("/v1/chat/completions", {**CHAT, "max_tokens": 20})
            self.assertEqual(server.stop(), 0)
            self.assertIn("completion_tokens=20", server.logged())
            self.assertNotIn("fox", server.logged())
        with serving.Server("--log-prompts", "--log-json") as server:
            server.post("/v1/chat/completions", {**CHAT, "max_tokens": 20})
            self.assertEqual(server.stop(), 0)
            lines = [json.loads(line) for line in server.logged().splitlines() if line.startswith("{")]
            self.assertIn("fox", lines[-1]["prompt"])
            self.assertEqual(lines[-1]["answer"], answer["choices"][0]["message"]["content"])


class Raw(program.Case):
    """What curl and worse send."""

    @classmethod
    def setUpClass(cls):
        # A sanitizer keeps what was freed; that is not the server's memory.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"
        cls.server = serving.Server(environment={"ASAN_OPTIONS": options})

        def stop():
            assert cls.server.stop() == 0, cls.server.logged()

        cls.addClassCleanup(stop)

    def connect(self):
        return RawConnection(self.server)

    def test_expect(self):
        body = json.dumps({**CHAT, "max_tokens": 1}).encode()
        with self.connect() as connection:
            connection.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                            "Expect: 100-continue\r\n\r\n")
            self.assertEqual(connection.head()[0], 100)
            connection.send(body)
            self.assertEqual(answer_of(connection)[0], 200)

    def test_a_body_in_chunks(self):
        body = json.dumps({**CHAT, "max_tokens": 1}).encode()
        with self.connect() as connection:
            connection.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(body), 7):
                connection.send(f"{len(body[i:i + 7]):x}\r\n", body[i:i + 7], "\r\n")
            connection.send("0\r\n\r\n")
            self.assertEqual(answer_of(connection)[0], 200)

    def test_head_options_and_wrong_methods(self):
        with self.connect() as connection:
            for path in ("/", "/health", "/v1/models", "/metrics"):
                connection.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(connection.head()[0], 200)  # and no body: the next answer is in its place
            connection.send("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
                            "Access-Control-Request-Method: POST\r\n\r\n")
            status, headers, _ = connection.answer()
            self.assertEqual((status, headers["allow"]), (204, "OPTIONS, POST"))
            for method, path, allowed in (("GET", "/v1/chat/completions", "POST"), ("DELETE", "/v1/models", "GET"),
                                          ("PUT", "/health", "GET")):
                connection.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                status, headers, body = connection.answer()
                self.assertEqual(status, 405)
                self.assertIn(allowed, headers["allow"])
                self.assertTrue(json.loads(body)["error"]["message"])

    def test_paths(self):
        for path in ("/", "/v1/models/", "/v1/models?beta=true", "/beta/models", "/v1/v1/models", "/v1/models/deepseek-v4-pro"):
            self.assertEqual(self.server.request("GET", path)[0], 200, path)
        for path in ("/v1/nothing", "/v1/models/llama-3", "/v1/models/%00", "/../etc/passwd", "/v1/models/%ff"):
            status, _, text = self.server.request("GET", path)
            self.assertIn(status, (400, 404), path)
            self.assertTrue(json.loads(text)["error"])

    def test_a_body_that_is_too_large(self):
        size = 70 << 20
        with self.connect() as connection:  # said to be: refused before it is sent
            connection.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
                            "Expect: 100-continue\r\n\r\n")
            self.assertEqual(connection.head()[0], 413)
        before = self.server.memory()
        for head in (f"Content-Length: {size}", "Transfer-Encoding: chunked"):
            with self.connect() as connection:
                sent = 0
                piece = b"x" * (1 << 20)
                framed = f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if "chunked" in head else piece
                try:
                    connection.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n")
                    while sent < size:
                        connection.send(framed)
                        sent += len(piece)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                try:
                    self.assertEqual(connection.head()[0], 413)
                except (ConnectionResetError, IndexError):
                    self.assertLess(sent, size)  # it was refused while it was sent
        self.assertLess(self.server.memory() - before, 100 << 20)
        self.assertEqual(self.server.get("/health")[0], 200)

    def test_bodies_that_are_no_requests(self):
        for body in (b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"messages":1}', b'{"messages":[{"role":"user","content":"\xff"}]}',
                     b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
                     b"[" * 100_000, b'{"a":' * 100_000, b'{"messages":[],"x":1e999}', b"\x00" * 100, b"--x\r\nmultipart"):
            with self.subTest(body=body[:60]), self.connect() as connection:
                connection.send(post(body))
                status, answer = answer_of(connection)
                self.assertEqual(status, 400)
                self.assertEqual(answer["error"]["type"], "invalid_request_error")

    def test_a_byte_order_mark_is_no_error(self):
        with self.connect() as connection:
            connection.send(post(b"\xef\xbb\xbf" + json.dumps({**CHAT, "max_tokens": 1}).encode()))
            self.assertEqual(answer_of(connection)[0], 200)

    def test_many_requests_on_one_connection(self):
        with self.connect() as connection:
            request = post({**CHAT, "max_tokens": 2})
            connection.send(request * 5)  # without waiting for answers
            self.assertEqual([answer_of(connection)[0] for _ in range(5)], [200] * 5)

    def test_clients_that_leave(self):
        for i in range(40):
            with self.connect() as connection:
                connection.send(post({**CHAT, "max_tokens": 2000, "stream": True})[:None if i % 2 else 80 + i])
                if i % 2:
                    self.assertEqual(connection.head()[0], 200)
                    if i % 4 == 1:
                        connection.chunk()
        wait_for(self, lambda: re.search(r"(?m)^vllm:num_requests_running\S* 0$", self.server.request("GET", "/metrics")[2]))
        self.assertEqual(self.server.post("/v1/chat/completions", {**CHAT, "max_tokens": 3})[1]["usage"]["completion_tokens"], 3)

    def test_lines_that_are_no_http(self):
        for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
                     b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with self.subTest(data=data[:40]), self.connect() as connection:
                try:
                    connection.send(data)
                    connection.socket.shutdown(socket.SHUT_WR)
                    answer = connection.file.read()
                except ConnectionError:
                    continue
                self.assertTrue(answer == b"" or re.match(rb"HTTP/1\.1 (4\d\d|505) ", answer), answer[:200])
        self.assertEqual(self.server.get("/health")[0], 200)


if __name__ == "__main__":
    program.main()
