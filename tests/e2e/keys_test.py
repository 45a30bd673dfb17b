"""hadal keys: a ledger from its first key to its last, and what happens to files that are none."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import program

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


class Keys(program.Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger = os.path.join(self.folder, "ledger.db")

    def keys(self, command, *arguments, **options):
        return self.finished("keys", command, "--ledger", self.ledger, *arguments, **options)

    def fails(self, command, *arguments, status=2, says=""):
        return self.refused("keys", command, "--ledger", self.ledger, *arguments, status=status, says=says)

    def add(self, *arguments):
        return self.keys("add", *arguments).stdout.decode().strip()

    def list(self):
        return json.loads(self.keys("ls", "--json").stdout)

    def sql(self, text, *values):
        with sqlite3.connect(self.ledger) as db:
            rows = db.execute(text, values).fetchall()
        db.close()
        return rows

    def test_a_key_is_shown_once_and_kept_as_its_hash(self):
        done = self.keys("add", "ann")
        key = done.stdout.decode().strip()
        self.assertRegex(key, r"^sk-hadal-[A-Za-z0-9_-]{43}$")
        self.assertEqual(len(base64.urlsafe_b64decode(key[len("sk-hadal-"):] + "=")), 32)
        self.assertIn("shown this once", done.stderr.decode())
        self.assertNotIn(key, done.stderr.decode())
        for command in (["ls"], ["ls", "--json"], ["usage"]):
            self.assertNotIn(key, self.keys(*command).stdout.decode())
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, name)
            with open(path, "rb") as f:
                self.assertNotIn(key[12:40].encode(), f.read())
        # As docs/formats/ledger.md says.
        (salt,), = self.sql("SELECT salt FROM meta")
        (stored,), = self.sql("SELECT hash FROM keys")
        self.assertEqual(stored, hmac.new(salt, hashlib.sha256(key.encode()).digest(), "sha256").digest())
        self.assertNotEqual(self.add("bob"), key)

    def test_ls_and_set(self):
        key = self.add("ann", "--role", "admin", "--rpm", "60", "--tpm", "100000", "--concurrent", "4", "--expires", "30",
                       "--balance", "12.5", "--currency", "CNY")
        self.add("bob")
        self.assertEqual(self.list(), [
            {"id": 1, "name": "ann", "last_four": key[-4:], "role": "admin", "rpm": 60, "tpm": 100000, "concurrent": 4,
             "balance": "12.50", "currency": "CNY", "created": str(TODAY),
             "expires": str(TODAY + datetime.timedelta(30)), "revoked": None, "state": "active"},
            {"id": 2, "name": "bob", "last_four": self.list()[1]["last_four"], "role": "user", "rpm": None, "tpm": None,
             "concurrent": None, "balance": None, "currency": None, "created": str(TODAY), "expires": None,
             "revoked": None, "state": "active"}])
        table = self.keys("ls").stdout.decode().splitlines()
        self.assertEqual(len(table), 3)
        for word in ("ann", "****" + key[-4:], "admin", "60", "100000", "12.50 CNY", "active"):
            self.assertIn(word, table[1])

        self.keys("set", "ann", "--rpm", "none", "--role", "user", "--expires", "2020-01-31")
        self.keys("set", "2", "--balance", "0.000000001", "--tpm", "7")
        ann, bob = self.list()
        self.assertEqual((ann["rpm"], ann["tpm"], ann["role"]), (None, 100000, "user"))
        self.assertEqual((ann["expires"], ann["state"], ann["balance"]), ("2020-01-31", "expired", "12.50"))
        self.assertEqual((bob["balance"], bob["currency"], bob["tpm"]), ("0.000000001", "USD", 7))
        self.keys("set", "ann", "--balance", "none", "--expires", "none", "--concurrent", "none")
        ann = self.list()[0]
        self.assertEqual((ann["balance"], ann["expires"], ann["concurrent"], ann["state"]), (None, None, None, "active"))

    def test_revoke(self):
        self.add("ann")
        self.add("bob")
        self.keys("revoke", "ann")
        self.keys("revoke", "2")
        self.assertEqual([k["state"] for k in self.list()], ["revoked", "revoked"])
        self.fails("revoke", "1", says="revoked already")
        self.fails("revoke", "ann", status=1, says="'ann'")
        self.fails("revoke", "3", status=1, says="'3'")
        self.add("ann")  # the name is free again
        self.keys("revoke", "ann")
        self.assertEqual([k["id"] for k in self.list()], [1, 2, 3])

    def test_usage(self):
        self.add("ann", "--balance", "5")
        self.add("bob")
        day = (datetime.date(2026, 3, 2) - datetime.date(1970, 1, 1)).days
        row = "INSERT INTO usage VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self.sql(row, 1, day, "deepseek-v4-flash", "USD", 3, 1, 100, 200, 300, 40, 1_234_500_000)
        self.sql(row, 1, day + 1, "deepseek-v4-flash", "USD", 1, 0, 1, 2, 3, 0, 500_000)
        self.sql(row, 2, day, "evil\x1b[2Jmodel", "", 1, 0, 1, 2, 3, 0, 0)
        listed = json.loads(self.keys("usage", "--json").stdout)
        self.assertEqual(listed[0], {
            "day": "2026-03-02", "key_id": 1, "key": "ann", "model": "deepseek-v4-flash", "requests": 3, "errors": 1,
            "prompt_cache_hit_tokens": 100, "prompt_cache_miss_tokens": 200, "completion_tokens": 300,
            "reasoning_tokens": 40, "cost": "1.2345", "currency": "USD"})
        self.assertEqual([(u["day"], u["key"]) for u in listed],
                         [("2026-03-02", "ann"), ("2026-03-02", "bob"), ("2026-03-03", "ann")])
        self.assertEqual(len(json.loads(self.keys("usage", "--json", "--since", "2026-03-03").stdout)), 1)
        self.assertEqual(len(json.loads(self.keys("usage", "--json", "--key", "bob").stdout)), 1)
        table = self.keys("usage").stdout.decode()
        self.assertNotIn("\x1b", table)
        self.assertRegex(table, r"(?m)^total .* 1\.235 USD$")
        self.assertEqual(self.list()[0]["balance"], "3.765")
        self.keys("set", "ann", "--balance", "9")  # what is left from now on
        self.assertEqual(self.list()[0]["balance"], "9.00")

    def test_command_lines_that_make_no_sense(self):
        self.refused("keys")
        self.refused("keys", "ls")
        self.refused("keys", "sing", "--ledger", self.ledger)
        self.fails("add")
        for name in ("", "12", "a\nb", "a\x1b[2J", "x" * 129, 'say "hi"'):
            self.fails("add", name)
        for option, values in {"--role": ["root", ""], "--rpm": ["0", "-1", "many", "1.5", "99999999999"], "--tpm": ["0"],
                               "--concurrent": ["0"], "--expires": ["0", "yesterday", "2027-02-30", "99999"],
                               "--balance": ["lots", "-1", "1e3", ""], "--currency": ["dollars", "USD"]}.items():
            for value in values:
                self.fails("add", "ann", f"{option}={value}", says=option)
        self.assertFalse(os.path.exists(self.ledger))
        self.add("ann")
        self.fails("add", "ann", says="'ann'")
        self.fails("usage", "--since", "March", says="--since")
        self.assertEqual(len(self.list()), 1)

    def test_files_that_are_no_ledger(self):
        for command in (["ls"], ["usage"], ["revoke", "1"], ["set", "1"]):
            self.fails(*command, status=1, says="hadal keys add")
        self.assertFalse(os.path.exists(self.ledger))
        with open(self.ledger, "w") as f:
            f.write("sk-my-key name=ann\n" * 100)
        for command in (["ls"], ["usage"], ["revoke", "1"], ["add", "bob"]):
            self.fails(*command, status=1, says="not a ledger")
        os.remove(self.ledger)
        self.sql("CREATE TABLE something(a)")
        for command in (["ls"], ["add", "bob"]):
            self.fails(*command, status=1, says="not a ledger")
        os.remove(self.ledger)
        self.add("ann")
        self.sql("PRAGMA user_version = 9")
        self.fails("ls", status=1, says="version 9")
        self.ledger = self.folder
        self.fails("add", "ann", status=2, says="not a file")
        self.ledger = os.path.join(self.folder, "no", "ledger.db")
        self.fails("add", "ann", status=1, says=self.ledger)

    def test_killed_at_any_moment(self):
        shown = set()
        for i in range(12):
            with subprocess.Popen([program.HADAL, "keys", "add", f"key-{i}", "--ledger", self.ledger],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
                time.sleep(0.002 * i)
                child.send_signal(signal.SIGKILL)
                if child.stdout.read().strip():
                    shown.add(f"key-{i}")
            if os.path.exists(self.ledger):
                self.add(f"after-{i}")  # also completes what was cut off at its beginning
        self.add("last")  # where the machine is slow, none before lived long enough to make the ledger
        names = {k["name"] for k in self.list()}
        self.assertLessEqual(shown, names)

    def test_several_at_once(self):
        children = [subprocess.Popen([program.HADAL, "keys", "add", f"key-{i}", "--ledger", self.ledger],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(8)]
        outputs = [child.communicate() for child in children]
        self.assertEqual([child.returncode for child in children], [0] * 8, outputs)
        self.assertEqual(len({out for out, _ in outputs}), 8)
        self.assertEqual({k["name"] for k in self.list()}, {f"key-{i}" for i in range(8)})

    def test_standard_output_that_is_full(self):
        with open("/dev/full", "w") as full:
            done = program.run("keys", "add", "ann", "--ledger", self.ledger, stdout=full)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(re.search(r"standard output", done.stderr.decode()))


if __name__ == "__main__":
    program.main()
