"""Every rule of scripts/check_tree.py: a tree that keeps it passes, one that breaks it is named."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.dont_write_bytecode = True
import check_tree  # noqa: E402

GOOD = {
    ".clang-format": "BasedOnStyle: Google\n",
    "src/base/a.h": "#pragma once\n",
    "src/base/a.cc": '#include "base/a.h"\n',
    "src/base/log.cc": "#include <spdlog/spdlog.h>\n",
    "src/apps/main.cc": '#include <CLI/CLI.hpp>\n\n#include "base/a.h"\n#include "model/m.h"\n',
    "src/model/m.h": '#include <nlohmann/json_fwd.hpp>\n\n#include "base/a.h"\n#include "ops/o.h"\n',
    "src/model/m.cc": "#include <nlohmann/json.hpp>\n",
    "src/ops/o.h": "",
    "tests/base/a_test.cc": "",
    "tests/e2e/cli_test.py": "",
    "tests/model/m_test.cc": '#include "cpu/c.h"\n',
    "tests/golden/data.json": '"TO' + 'DO"\n',
}


class Rules(unittest.TestCase):
    def problems(self, changes, build=None):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changes}.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf8") as f:
                    f.write(text)
            return check_tree.check(root, build and os.path.join(root, build))

    def broken(self, path, text, expected):
        found = self.problems({path: text})
        self.assertTrue(any(path in p and expected in p for p in found), found)

    def test_a_good_tree_passes(self):
        self.assertEqual(self.problems({}), [])

    def test_long_files(self):
        self.assertEqual(self.problems({"src/base/long.h": "\n" * 600}), ["src/base/long.h: not formatted; `make format` does it"])
        self.broken("src/base/long.h", "//\n" * 601, "601 lines")
        self.broken("tests/base/long_test.cc", "//\n" * 601, "601 lines")
        self.assertEqual(self.problems({"src/base/table.inc": "1,\n" * 2000}), [])

    def test_dependency_order(self):
        self.broken("src/base/a.h", '#include "model/m.h"\n', "base may not include")
        self.broken("src/model/m.h", '#include "cpu/c.h"\n', "model may not include")
        self.broken("src/ops/o.h", '#include "checkpoint/c.h"\n', "ops may not include")
        self.broken("src/model/m.h", '#  include "apps/commands.h"\n', "m.h:1")
        self.broken("src/novel/n.h", "", "no place in the dependency order")

    def test_library_headers(self):
        self.broken("src/model/m.h", "#include <nlohmann/json.hpp>\n", "json_fwd.hpp")
        self.broken("src/model/m.cc", "#include <CLI/CLI.hpp>\n", "outside src/apps")
        self.broken("src/base/a.cc", "#include <spdlog/spdlog.h>\n", "outside src/base/log.cc")

    def test_sources_need_tests(self):
        self.broken("src/base/b.cc", "", "tests/base/b_test.cc is not there")
        found = self.problems({"tests/base/log_test.cc": ""})
        self.assertEqual(found, ["src/base/log.cc: has tests/base/log_test.cc, so it needs no entry in COVERED_BY"])
        self.broken("src/model/moe.cc", "", "tests/model/golden_test.cc, which should cover it, is not there")

    def test_words(self):
        self.broken("src/base/a.cc", "// TO" + "DO: more\n", "left undone")
        self.broken("docs/x.md", "FIX" + "ME\n", "left undone")
        self.broken("src/base/a.cc", "// a place" + "holder\n", "left undone")
        self.assertEqual(self.problems({"docs/x.md": "a place" + "holder\n"}), [])
        self.broken("docs/x.md", "see /wo" + "rk/main\n", "one machine")

    def test_sizes(self):
        self.broken("models/m.bin", "x" * (check_tree.MAX_FILE_BYTES + 1), "bytes")
        half = "x" * (check_tree.MAX_FILE_BYTES - 1)
        found = self.problems({f"models/{i}.bin": half for i in range(3)})
        self.assertTrue(any("bytes in all" in p for p in found), found)

    def test_format(self):
        self.broken("src/base/a.cc", "int   main( );\n", "not formatted")

    def test_weak_symbols_in_isa_objects(self):
        source = "inline int twice(int x) { return x + x; }\nint (*address)(int) = twice;\n"
        with tempfile.TemporaryDirectory() as build:
            folder = os.path.join(build, "src", "cpu", "CMakeFiles", "hadal_cpu.dir", "isa", "avx2")
            os.makedirs(folder)
            for text, weak in (("static " + source, 0), (source, 1)):
                subprocess.run(["c++", "-O2", "-x", "c++", "-c", "-", "-o", os.path.join(folder, "k.cc.o")],
                               input=text.encode(), check=True)
                tree = check_tree.Tree(build)
                check_tree.check_isa_objects(tree, build)
                self.assertEqual(sum("twice(int)" in p for p in tree.problems), weak, tree.problems)

    def test_missing_isa_objects(self):
        found = self.problems({"src/cpu/isa/k.cc": "", "tests/cpu/table_test.cc": "", "build/x": ""}, build="build")
        self.assertTrue(any("no objects" in p for p in found), found)


if __name__ == "__main__":
    unittest.main()
