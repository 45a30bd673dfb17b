"""The OpenAPI document, checked by schemathesis: requests that keep to it and requests that do not."""

import os
import subprocess
import sys
import unittest

import program
import support

EXAMPLES = 25  # for each operation
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance"]


class OpenApi(unittest.TestCase):
    def setUp(self):
        # Few tokens, so that no answer takes long whatever is asked for.
        self.server = support.start_server("--ctx", 512, "--slots")

    def test_it_describes_what_there_is(self):
        status, document = self.server.get("/openapi.json")
        self.assertEqual(status, 200)
        self.assertTrue(document["openapi"].startswith("3."))
        paths = document["paths"]
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens",
                     "/v1/models", "/api/chat", "/api/generate", "/api/tags", "/user/balance", "/health", "/metrics",
                     "/tokenize", "/detokenize"):
            self.assertIn(path, paths)
        for path, methods in paths.items():
            for method, operation in methods.items():
                if method in ("get", "post", "delete"):
                    status, _, _ = self.server.request(method.upper(), path.replace("{id}", support.OWN_NAME), b"{}")
                    self.assertIn(str(status), operation["responses"], f"{method} {path}")

    def test_schemathesis(self):
        folder = support.temporary_folder()
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", self.server.url + "/openapi.json",
             "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--mode", "all",
             "--max-examples", str(EXAMPLES), "--seed", "1", "--request-timeout", "60", "--no-color",
             "--warnings", "off", "--suppress-health-check", "all", "--continue-on-failure",
             "--generation-database", "none", "--exclude-tag", "Not supported"],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
        statuses = [line["status"] for line in support.requests_of(self.server)]
        self.assertIn(200, statuses)
        self.assertIn(400, statuses)
        self.assertGreater(len(statuses), 200)


if __name__ == "__main__":
    program.main()
