"""lm-evaluation-harness: local-completions with tasks that want log-probabilities and one that wants text, and
local-chat-completions. Its numbers must be those of the program's own logits."""

import array
import json
import math
import os
import struct
import unittest

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TQDM_DISABLE="1",
                  OPENAI_API_KEY="none")

import lm_eval
import lm_eval.tasks
import program
import support
from support import OWN_NAME, PLAIN

STORIES = [
    {"question": "Once upon a time there was a fox. The fox", "good": " went to the river.", "bad": " seven equation 4%."},
    {"question": "A king lived in a castle. One day the", "good": " king said,", "bad": " xq zz,"},
    {"question": "Ünïcödé 深 – \"yes\", she said", "good": ", \"of course.\"", "bad": "!!!!!!"},
]

TASKS = {
    "mini_choice": """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: 0
doc_to_choice: "{{[good, bad]}}"
target_delimiter: ""
metric_list: [{metric: acc}]
""",
    "mini_loglikelihood": """
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: "{{good}}"
target_delimiter: ""
metric_list: [{metric: perplexity}, {metric: acc}]
""",
    "mini_rolling": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}{{good}}"
metric_list: [{metric: word_perplexity}, {metric: byte_perplexity}, {metric: bits_per_byte}]
""",
    "mini_generate": """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{good}}"
target_delimiter: ""
generation_kwargs: {until: ["."], max_gen_toks: 30, do_sample: false, temperature: 0.0}
metric_list: [{metric: exact_match}]
""",
}

server = folder = None


def setUpModule():
    global server, folder
    server, folder = support.start_server(), support.temporary_folder()
    data = os.path.join(folder, "stories.jsonl")
    with open(data, "w", encoding="utf8") as f:
        f.writelines(json.dumps(story) + "\n" for story in STORIES)
    for name, text in TASKS.items():
        with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf8") as f:
            f.write(f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {json.dumps(data)}}}}}\n"
                    f"test_split: test\n{text}")


def evaluate(model, path, tasks, **more):
    options = {"model": PLAIN, "base_url": server.url + path, "num_concurrent": 2, "max_retries": 1, **more.pop("options", {})}
    return lm_eval.simple_evaluate(model=model, model_args=options, tasks=tasks, log_samples=True, bootstrap_iters=0,
                                   task_manager=lm_eval.tasks.TaskManager(include_path=folder, include_defaults=False), **more)


def tokens_of(text):
    status, answer = server.post("/tokenize", {"content": text, "add_special": False})
    assert status == 200, answer
    return answer["tokens"]


def logprobs_of(ids):
    """Of every id but the first, after those before it: from `hadal logits`, without any server."""
    ids_path, out = os.path.join(folder, "ids.json"), os.path.join(folder, "out.safetensors")
    with open(ids_path, "w", encoding="utf8") as f:
        json.dump(ids, f)
    done = program.run("logits", program.MODEL, "--ids", ids_path, "--all", "--out", out)
    assert done.returncode == 0, done.stderr
    with open(out, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        values = array.array("f")
        begin, end = header["logits"]["data_offsets"]
        values.frombytes(f.read()[begin:end])
    width = header["logits"]["shape"][1]
    found, greedy = [], []
    for row, following in enumerate(ids[1:]):
        logits = values[row * width:(row + 1) * width]
        top = max(logits)
        found.append(logits[following] - top - math.log(math.fsum(math.exp(value - top) for value in logits)))
        greedy.append(logits[following] == top)
    return found, greedy


class Completions(unittest.TestCase):
    def check(self, got, context, continuation):
        whole, known = tokens_of(context + continuation), len(tokens_of(context))
        values, greedy = logprobs_of(whole)
        self.assertAlmostEqual(got[0], math.fsum(values[known - 1:]), delta=1e-3)
        self.assertEqual(bool(got[1]), all(greedy[known - 1:]))

    def test_log_probabilities(self):
        # A tokenizer is looked for at the server, one request carries one text or many.
        for batch in (1, 3):
            results = evaluate("local-completions", "/v1/completions", ["mini_choice", "mini_loglikelihood"], batch_size=batch)
            self.assertEqual(results["results"]["mini_choice"]["acc,none"], 1.0)
            for sample in results["samples"]["mini_choice"]:
                self.assertEqual([text for _, text in sample["arguments"]], [sample["doc"]["good"], sample["doc"]["bad"]])
                for (context, text), [response] in zip(sample["arguments"], sample["resps"], strict=True):
                    self.check(response, context, text)
            for sample in results["samples"]["mini_loglikelihood"]:
                [[response]] = sample["resps"]
                self.check(response, sample["doc"]["question"], sample["doc"]["good"])

    def test_rolling(self):
        start = tokens_of("<｜begin▁of▁sentence｜>")
        # Left to itself the harness takes a first token whose id is 0 for none.
        results = evaluate("local-completions", "/v1/completions", ["mini_rolling"],
                           options={"custom_prefix_token_id": start[0]})
        for sample in results["samples"]["mini_rolling"]:
            [[response]] = sample["resps"]
            value = response[0] if isinstance(response, (list, tuple)) else response
            values, _ = logprobs_of(start + tokens_of(sample["doc"]["question"] + sample["doc"]["good"]))
            self.assertAlmostEqual(value, math.fsum(values), delta=1e-3)

    def test_texts(self):
        for options in ({}, {"tokenizer_backend": "none"}):  # prompts as ids and as text
            results = evaluate("local-completions", "/v1/completions", ["mini_generate"], options=options)
            for sample in results["samples"]["mini_generate"]:
                [[text]] = sample["resps"]
                self.assertTrue(text)
                status, answer = server.post("/v1/completions", {
                    "model": OWN_NAME, "prompt": tokens_of(sample["doc"]["question"]) if not options else sample["doc"]["question"],
                    "max_tokens": 30, "temperature": 0, "stop": "."})
                self.assertEqual(status, 200)
                self.assertEqual(text.strip(), answer["choices"][0]["text"].strip())


class Chat(unittest.TestCase):
    def test_texts(self):
        results = evaluate("local-chat-completions", "/v1/chat/completions", ["mini_generate"], apply_chat_template=True)
        for sample in results["samples"]["mini_generate"]:
            [[text]] = sample["resps"]
            _, answer = server.post("/v1/chat/completions", {
                "model": PLAIN, "messages": [{"role": "user", "content": sample["doc"]["question"]}], "max_tokens": 30,
                "temperature": 0, "stop": ["."]})
            self.assertEqual(text.strip(), answer["choices"][0]["message"]["content"].strip())


if __name__ == "__main__":
    program.main()
