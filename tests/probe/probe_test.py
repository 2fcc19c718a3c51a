# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of single probes share: a recording made while a workload runs, questions to it, counting."""
import contextlib
import glob
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time


def pythons():
    """CPython from 3.9 to 3.13: version and folder, path; one of each, wherever they are kept."""
    found = {}
    for path in [*glob.glob("/usr/bin/python3.[0-9]*"), *glob.glob("/usr/local/bin/python3.[0-9]*"),
                 *glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3.[0-9]*")), sys.executable]:
        if not re.search(r"/python3(\.[0-9]+)?$", path):
            continue
        version = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2])"], text=True,
                                 capture_output=True).stdout.split()
        if len(version) == 2 and version[0] == "3" and 9 <= int(version[1]) <= 13:
            found.setdefault((int(version[0]), int(version[1]), os.path.dirname(path)), path)
    return sorted(found.items())


class Counts:
    """What held and what did not; a test ends with return counts.end()."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.compared = []  # words, what perfscope says, what others say

    def check(self, fact, words):
        if fact:
            self.passed += 1
        else:
            self.failed += 1
            print("not so: " + words, file=sys.stderr)
        return fact

    def skip(self, words):
        self.skipped += 1
        print("skipped: " + words)

    def pythons(self):
        """As pythons(); a skip where there is none."""
        found = pythons()
        if not found:
            self.skip("no Python from 3.9 to 3.13 is installed")
        return found

    def near(self, value, wanted, share, slack, words):
        """perfscope's value against that of another source, which comes into the table at the end."""
        value = value or 0
        self.compared.append((words, value, wanted))
        return self.check(abs(value - wanted) <= wanted * share + slack, f"{words}: {value}, wanted {wanted}")

    def between(self, value, least, most, words):
        """perfscope's value against another source's: of the work alone, and of all that lies around the recording."""
        value = value or 0
        self.compared.append((words, value, least))
        return self.check(least <= value <= most, f"{words}: {value}, wanted {least} to {most}")

    def table(self):
        rows = [("compared", "perfscope", "source", "apart")] if self.compared else []
        rows += [(words, f"{value:.6g}", f"{wanted:.6g}", f"{100 * (value - wanted) / wanted:+.1f} %" if wanted else "")
                for words, value, wanted in self.compared]
        widths = [max(map(len, column)) for column in zip(*rows)]
        for words, *numbers in rows:
            print(words.ljust(widths[0]), *(text.rjust(width) for text, width in zip(numbers, widths[1:])), sep="  ")

    def end(self):
        self.table()
        print(f"{self.name}: {self.passed} passed, {self.failed} failed" +
              (f", {self.skipped} skipped" if self.skipped else ""))
        return self.failed != 0


class ProbeTest(Counts):
    def __init__(self, name, perfscope):
        super().__init__(name)
        self.perfscope = os.path.abspath(perfscope) # a test may change its folder
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "x.db")

    def record(self, workload, seconds=60, args=()):
        """Records until workload() has returned; that begins when the first slice is there. All of the work is done, whatever that costs."""
        if "--max-overhead" not in args:
            args = ("--max-overhead", "100", *args)
        if os.path.exists(self.path):
            os.unlink(self.path)
        with tempfile.TemporaryFile("w+") as said:
            run = subprocess.Popen([self.perfscope, "record", "-q", "-o", self.path, "-d", f"{seconds}s", *args],
                                   stderr=said)
            try:
                while run.poll() is None and not self.slices():
                    time.sleep(0.05)
                return workload()
            finally:
                run.send_signal(2)
                run.wait(30)
                said.seek(0)
                self.check(run.returncode == 0, f"record ends well: {run.returncode} {said.read()}")

    def slices(self):
        try:
            return self.one("SELECT count(*) FROM slice")
        except sqlite3.OperationalError: # not yet
            return 0

    def rows(self, sql, *args):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            return db.execute(sql, args).fetchall()

    def one(self, sql, *args):
        found = self.rows(sql, *args)
        return found[0][0] if found else None

    def view(self, name):
        """Tables of `report --view`, which can also be had as text."""
        text, document = (subprocess.run([self.perfscope, "report", "--view", name, *more, self.path], check=False, text=True,
                                         stdout=subprocess.PIPE).stdout for more in ([], ["--format", "json", "-n", "10000"]))
        self.check(max(map(len, text.splitlines()), default=0) in range(1, 121), f"view {name} as text, at most 120 columns")
        return json.loads(document)["tables"]

    def folded(self, kind):
        """Stacks of the recording, root first, with what they took, ns."""
        text = subprocess.run([self.perfscope, "export", "--kind", kind, "-o", "-", self.path], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        return [(stack.split(";"), float(ns)) for stack, ns in (line.rsplit(" ", 1) for line in text.splitlines())]

    def total(self, metric, resource=None):
        """A counter's growth over the recording."""
        return self.one("SELECT ifnull(sum(value), 0) FROM level WHERE metric = ? AND ifnull(resource, '') = ?", metric,
                        resource or "")

    def level(self, metric, resource=None):
        return self.one("SELECT value FROM level WHERE metric = ? AND ifnull(resource, '') = ? ORDER BY slice DESC",
                        metric, resource or "")

    def end(self):
        self.directory.cleanup()
        return super().end()


def main(name, test):
    """test(t) with a new ProbeTest, or a skip where it may not record."""
    if os.geteuid():
        counts = Counts(name)
        counts.skip("not root")
        return counts.end()
    t = ProbeTest(name, sys.argv[1])
    test(t)
    return t.end()
