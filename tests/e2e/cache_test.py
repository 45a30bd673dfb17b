"""hadal cache: list, verify, prune; with payload files written long ago, so that the format cannot change unnoticed."""

import json
import os
import shutil
import tempfile

import program

FILES = os.path.join(program.SOURCE, "tests", "fuzz", "corpus", "kv_file")
# Their names in a cache folder: the key of the last block and the checksum of the header.
BLOCK = "303af3c885e1dc664a109fbc9d3c0056-0beb4b0390d5386e.hkv"
ENTRY = "08435ea15182c2e00e5ea563b0bc2d11-f5280d02ad458fec.hkv"


class Cache(program.Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copy(os.path.join(FILES, "block"), os.path.join(self.folder, BLOCK))
        shutil.copy(os.path.join(FILES, "entry"), os.path.join(self.folder, ENTRY))
        os.utime(os.path.join(self.folder, BLOCK), (1e9, 1e9))

    def cache(self, command, *arguments, **options):
        return self.finished("cache", command, "--dir", self.folder, *arguments, **options)

    def test_ls(self):
        listed = json.loads(self.cache("ls", "--json").stdout)
        self.assertEqual([e["file"] for e in listed], [ENTRY, BLOCK])
        self.assertEqual(listed[0]["model"], "00000000000000010000000000000002")
        self.assertEqual((listed[0]["numerics"], listed[0]["prompt_generation"]), ("release", "v4-preview"))
        self.assertEqual((listed[0]["first_token"], listed[0]["tokens"], listed[0]["tails"]), (640, 896, 2))
        self.assertEqual(listed[1]["bytes"], 4097)
        self.assertEqual(listed[1]["last_used"], 1e9)
        text = self.cache("ls").stdout.decode()
        self.assertIn("640-896", text)
        self.assertIn(": 2 files, 16.4 kB", text)

    def test_verify(self):
        self.assertIn("every checksum is right", self.cache("verify").stdout.decode())
        with open(os.path.join(self.folder, ENTRY), "r+b") as f:
            f.seek(-1, os.SEEK_END)
            f.write(b"x")
        done = self.cache("verify", status=1)
        self.assertIn(ENTRY + ": tail 1", done.stdout.decode())
        self.assertIn("1 of 2 files", done.stderr.decode())
        self.assertTrue(os.path.exists(os.path.join(self.folder, ENTRY)))
        bad = json.loads(self.cache("verify", "--json", "--delete", status=1).stdout)["bad"]
        self.assertEqual([(b["file"], b["removed"]) for b in bad], [(ENTRY, True)])
        self.assertFalse(os.path.exists(os.path.join(self.folder, ENTRY)))
        self.cache("verify")
        self.assertEqual(len(json.loads(self.cache("ls", "--json").stdout)), 1)

    def test_prune(self):
        done = json.loads(self.cache("prune", "--max-bytes", "13K", "--json").stdout)
        self.assertEqual((done["removed_files"], done["files"]), (1, 1))
        self.assertFalse(os.path.exists(os.path.join(self.folder, BLOCK)))
        self.assertIn("0 left, 0 B", self.cache("prune", "--max-bytes", "0").stdout.decode())
        self.assertFalse(os.path.exists(os.path.join(self.folder, ENTRY)))

    def test_sizes(self):
        for size in ("20000", "17kb", "0.1MiB", "1 G", "2TB"):
            done = json.loads(self.cache("prune", "--json", "--max-bytes", size).stdout)
            self.assertEqual(done["removed_files"], 0, size)
        for size in ("", "ten", "-1", "10X", "1e30", "nan", "inf", "10 G B x"):
            self.refused("cache", "prune", "--dir", self.folder, "--max-bytes=" + size)

    def test_usage(self):
        self.refused("cache")
        self.refused("cache", "sing")
        self.refused("cache", "prune", "--dir", self.folder)
        for command in (["ls"], ["verify"], ["prune", "--max-bytes", "0"]):
            self.refused("cache", *command, "--dir", "/nonexistent/kv", status=1, says="/nonexistent/kv")

    def test_the_default_folder(self):
        env = {**os.environ, "XDG_CACHE_HOME": os.path.join(self.folder, "cache")}
        self.assertEqual(self.finished("cache", "ls", "--json", env=env).stdout, b"[]\n")
        self.finished("cache", "verify", env=env)
        self.finished("cache", "prune", "--max-bytes", "1", env=env)
        self.assertFalse(os.path.exists(env["XDG_CACHE_HOME"]))
        for variables in ({"XDG_CACHE_HOME": os.path.join(self.folder, "x")}, {"HOME": os.path.join(self.folder, "home")}):
            base = variables.get("XDG_CACHE_HOME") or os.path.join(variables["HOME"], ".cache")
            shutil.copytree(self.folder, os.path.join(base, "hadal", "kv"), ignore=lambda *_: ["x", "home"])
            clean = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "HOME")}
            self.assertIn("2 files", self.finished("cache", "ls", env={**clean, **variables}).stdout.decode())
        done = self.finished("cache", "ls", status=2, env={})
        self.assertIn("HOME", done.stderr.decode())

    def test_damaged_files_are_only_looked_at(self):
        with open(os.path.join(self.folder, ENTRY), "r+b") as f:
            f.write(b"x")
        self.assertEqual(len(json.loads(self.cache("ls", "--json").stdout)), 1)
        self.assertTrue(os.path.exists(os.path.join(self.folder, ENTRY)))


if __name__ == "__main__":
    program.main()
