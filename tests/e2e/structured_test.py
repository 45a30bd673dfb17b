"""hadal generate with answers that must be something."""

import json
import os
import re
import tempfile

import program

SCHEMA = {"type": "object", "additionalProperties": False, "required": ["name", "legs"],
          "properties": {"name": {"type": "string", "maxLength": 10}, "legs": {"type": "integer", "minimum": 0, "maximum": 8},
                         "tame": {"type": "boolean"}}}
TOOLS = [{"type": "function", "function": {"name": "save", "description": "Saves it.", "parameters": SCHEMA}}, {"name": "stop"}]
GRAMMAR = 'root ::= "(" root ")" | [a-c]{2,3}\n'


class Structured(program.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def file(self, name, value):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf8") as f:
            f.write(value if isinstance(value, str) else json.dumps(value))
        return path

    def answer(self, *options, seed=1, tokens=400):
        out = self.finished("generate", program.MODEL, "--prompt", "An animal.", "--seed", seed, "-n", tokens, *options).stdout.decode()
        self.assertTrue(out.endswith("\n"))
        return out[:-1]

    def check(self, animal):
        self.assertLessEqual({"name", "legs"}, set(animal))
        self.assertLessEqual(set(animal), {"name", "legs", "tame"})
        self.assertLessEqual(len(animal["name"]), 10)
        self.assertIn(animal["legs"], range(9))
        self.assertIn(animal.get("tame", False), (True, False))

    def test_a_schema(self):
        schema = self.file("schema.json", SCHEMA)
        for seed in range(4):
            answer = self.answer("--schema", schema, seed=seed)
            self.check(json.loads(answer))
            self.assertTrue(answer.startswith('{"name":"'), answer)
            self.assertIn('","legs":', answer)
        self.assertRegex(self.answer("--schema", schema, "--json-space", "python"), r'^\{"name": ".*", "legs": \d')
        # White space is all that such a model may say without end.
        spaced = json.loads(self.answer("--schema", schema, "--json-space", "any", "--json"))
        if spaced["finish_reason"] == "stop":
            self.check(json.loads(spaced["content"]))
        self.check(json.loads(self.answer("--schema", schema, "--raw")))
        thought = json.loads(self.answer("--schema", schema, "--think", "high", "--json", tokens=2000))
        if thought["finish_reason"] == "stop":
            self.check(json.loads(thought["content"]))

    def test_other_forms(self):
        self.assertRegex(self.answer("--regex", r"[a-f]{2}-\d{3}"), r"^[a-f]{2}-[0-9]{3}$")
        self.assertIn(self.answer("--choice", "a fox", "--choice", "a star"), ("a fox", "a star"))
        self.assertRegex(self.answer("--grammar", self.file("g.ebnf", GRAMMAR)), r"^\(*[a-c]{2,3}\)*$")

    def test_tools(self):
        tools = self.file("tools.json", TOOLS)
        for seed in range(4):
            call = self.answer("--tools", tools, "--tool-choice", "save", seed=seed)
            self.assertTrue(call.startswith("save {"), call)
            self.check(json.loads(call[len("save "):]))
        answer = json.loads(self.answer("--tools", tools, "--tool-choice", "required", "--json"))
        for call in answer["tool_calls"]:
            self.assertIn(call["name"], ("save", "stop"))
            if answer["finish_reason"] == "stop" and call["name"] == "stop":
                self.assertEqual(call["arguments"], "{}")
        self.answer("--tools", tools, tokens=40)

    def test_errors_name_the_place(self):
        bad = self.file("bad.json", {"type": "object", "properties": {"a": {"type": "strung"}}})
        self.refused("generate", program.MODEL, "--prompt", "x", "--schema", bad, says="#/properties/a")
        self.refused("generate", program.MODEL, "--prompt", "x", "--schema", "/nonexistent", status=1, says="/nonexistent")
        self.refused("generate", program.MODEL, "--prompt", "x", "--schema", self.file("no.json", "{"), status=1, says="no.json")
        self.refused("generate", program.MODEL, "--prompt", "x", "--regex", "(a", says="--regex: column")
        self.refused("generate", program.MODEL, "--prompt", "x", "--grammar", self.file("bad.ebnf", "root ::= a\n"), says="bad.ebnf: line 1")
        self.refused("generate", program.MODEL, "--prompt", "x", "--tools", bad, status=1, says="bad.json")
        tools = self.file("tools.json", TOOLS)
        self.refused("generate", program.MODEL, "--prompt", "x", "--tools", tools, "--tool-choice", "dog", says="dog")
        wrong = self.file("wrong.json", [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"pattern": "("}}}}])
        self.assertTrue(re.search(r"wrong\.json.*f.*properties/a", self.refused(
            "generate", program.MODEL, "--prompt", "x", "--tools", wrong)))
        self.refused("generate", program.MODEL, "--prompt", "x", "--schema", bad, "--regex", "a", says="--regex")
        self.refused("generate", program.MODEL, "--prompt", "x", "--tool-choice", "required", says="--tools")


if __name__ == "__main__":
    program.main()
