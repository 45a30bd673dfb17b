"""Many clients of one server: nothing is lost, nothing comes twice, nothing stays behind."""

import re
import resource
import time
import unittest

import load
import program
from serving import Server

STREAMS = 1000
DROPPED = 10000


def bodies(count):
    """Different conversations, each of them more than once."""
    topics = ["a fox", "a king", "the sea", "a lamp", "two friends", "a bridge", "snow", "a small star", "bread", "a river"]
    return [{"messages": [{"role": "user", "content": f"Tell me a story about {topics[i % len(topics)]}"}],
             "max_tokens": 40, "seed": i % 40, "thinking": {"type": "enabled" if i % 4 == 0 else "disabled"}}
            for i in range(count)]


class LoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4 * STREAMS
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise unittest.SkipTest(f"the system allows {hard} open files, {wanted} are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        cls.server = Server("--log-file", "/dev/null", "--max-waiting", 2 * STREAMS)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}\n{cls.server.logged()}"

    def metric(self, name):
        _, _, text = self.server.request("GET", "/metrics")
        found = re.search(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
        self.assertIsNotNone(found, f"no metric {name}")
        return float(found.group(1))

    def idle(self):
        """Waits until the engine has nothing to do."""
        deadline = time.monotonic() + 60
        while self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting") > 0:
            self.assertLess(time.monotonic(), deadline, "requests that nobody waits for are still running")
            time.sleep(0.05)

    def test_a_thousand_streams_lose_and_repeat_nothing(self):
        asked = bodies(STREAMS)
        expected = {}
        for body in asked:
            key = str(body)
            if key not in expected:
                status, answer = self.server.post("/v1/chat/completions", body)
                self.assertEqual(status, 200, answer)
                message = answer["choices"][0]["message"]
                expected[key] = ((message.get("reasoning_content") or "") + message["content"],
                                 answer["usage"]["completion_tokens"])
        streams, seconds = load.run_streams(self.server.port, asked)
        tokens, gaps = 0, []
        for body, stream in zip(asked, streams):
            self.assertEqual(stream.status, 200)
            text, count, when = stream.answer()
            self.assertEqual((text, count), expected[str(body)])
            tokens += count
            gaps += [b - a for a, b in zip(when, when[1:])]
        print(f"{STREAMS} streams at once, {tokens} tokens in {seconds:.1f} s ({tokens / seconds:.0f} a second); between "
              f"tokens: median {load.percentile(gaps, 0.5) * 1e3:.1f} ms, p99 {load.percentile(gaps, 0.99) * 1e3:.1f} ms, "
              f"longest {max(gaps) * 1e3:.1f} ms", flush=True)

    def test_clients_that_drop_leave_nothing_behind(self):
        load.connect_and_drop(self.server.port, 500)
        self.idle()
        before = self.server.memory()
        load.connect_and_drop(self.server.port, DROPPED)
        self.idle()
        deadline = time.monotonic() + 60
        while self.metric("hadal_http_open_connections") > 1:  # ours
            self.assertLess(time.monotonic(), deadline, "connections that nobody holds are still open")
            time.sleep(0.1)
        grown = self.server.memory() - before
        print(f"{DROPPED} clients dropped; resident memory grew by {grown / 1e6:.1f} MB", flush=True)
        self.assertLess(grown, 64e6)
        status, answer = self.server.post("/v1/chat/completions", bodies(1)[0])
        self.assertEqual(status, 200, answer)


if __name__ == "__main__":
    program.main()
