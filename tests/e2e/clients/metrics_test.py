"""The metrics page, read by the parser of Prometheus' own package."""

import time
import unittest

import program
import support
from prometheus_client.parser import text_string_to_metric_families
from support import OWN_NAME, PLAIN, STORY


class Metrics(unittest.TestCase):
    def setUp(self):
        self.server = support.start_server()

    def families(self):
        status, headers, text = self.server.request("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("version=0.0.4", headers["Content-Type"])
        families = list(text_string_to_metric_families(text))
        self.assertEqual(len(families), text.count("# TYPE "))
        return {family.name: family for family in families}

    def value(self, families, family, name=None, **labels):
        found = [s.value for s in families[family].samples
                 if s.name == (name or family) and labels.items() <= s.labels.items()]
        self.assertEqual(len(found), 1, f"{family} {name} {labels}: {families[family].samples}")
        return found[0]

    def test_what_was_done_is_counted(self):
        before = self.families()
        prompt = completion = 0
        for stream in (False, True):
            for turn in range(2):
                status, _, text = self.server.request("POST", "/v1/chat/completions", {
                    "model": PLAIN, "messages": STORY, "max_tokens": 30 + turn, "temperature": 0, "stream": stream})
                self.assertEqual(status, 200)
                self.assertIn("usage", text)
                prompt, completion = prompt + 12, completion + 30 + turn
        def grown(family, name, **labels):
            old = self.value(before, family, name, **labels) if family in before else 0
            return self.value(after, family, name, **labels) - old

        for _ in range(100):  # a step is counted when it is over; its tokens are on their way by then
            after = self.families()
            if (grown("vllm:generation_tokens", "vllm:generation_tokens_total", model_name=OWN_NAME) == completion
                    and self.value(after, "vllm:num_requests_running") == 0):
                break
            time.sleep(0.05)
        self.assertEqual(grown("vllm:generation_tokens", "vllm:generation_tokens_total", model_name=OWN_NAME), completion)
        self.assertEqual(grown("vllm:prompt_tokens", "vllm:prompt_tokens_total", model_name=OWN_NAME), prompt)
        self.assertEqual(grown("llamacpp:tokens_predicted", "llamacpp:tokens_predicted_total"), completion)
        self.assertEqual(grown("vllm:request_success", "vllm:request_success_total", finished_reason="length"), 4)
        self.assertEqual(grown("vllm:time_to_first_token_seconds", "vllm:time_to_first_token_seconds_count"), 4)
        self.assertEqual(self.value(after, "vllm:num_requests_running"), 0)
        self.assertEqual(self.value(after, "vllm:num_requests_waiting"), 0)

    def test_histograms_add_up(self):
        self.server.request("POST", "/v1/chat/completions", {"model": PLAIN, "messages": STORY, "max_tokens": 30})
        checked = 0
        for family in self.families().values():
            if family.type != "histogram":
                continue
            series = {}
            for sample in family.samples:
                labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                series.setdefault(labels, {}).setdefault(sample.name.removeprefix(family.name), []).append(sample)
            for parts in series.values():
                buckets = [sample.value for sample in parts["_bucket"]]
                self.assertEqual(buckets, sorted(buckets))
                self.assertEqual(parts["_bucket"][-1].labels["le"], "+Inf")
                self.assertEqual(buckets[-1], parts["_count"][0].value)
                self.assertIn("_sum", parts)
                checked += 1
        self.assertGreater(checked, 5)


if __name__ == "__main__":
    program.main()
