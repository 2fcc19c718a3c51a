# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of single probes share: a recording made while a workload runs, questions to it, counting."""
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading



class ProbeTest:
    def __init__(self, name, perfscope):
        self.name, self.perfscope = name, perfscope
        self.passed = self.failed = self.skipped = 0
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "x.db")

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

    def near(self, value, wanted, share, slack, words):
        value = value or 0
        return self.check(abs(value - wanted) <= wanted * share + slack, f"{words}: {value}, wanted {wanted}")

    def record(self, workload, seconds=60, args=()):
        """Records until workload() has returned; that is given a moment for the first slice to begin."""
        run = subprocess.Popen([self.perfscope, "record", "-o", self.path, "-d", f"{seconds}s", *args],
                               stderr=subprocess.PIPE, text=True)
        ready = threading.Event()
        said = []

        def listen():
            for line in run.stderr:
                said.append(line)
                ready.set()
            ready.set()

        listener = threading.Thread(target=listen)
        listener.start()
        ready.wait(3)
        while run.poll() is None and not os.path.exists(self.path):
            ready.wait(0.1)
        try:
            return workload()
        finally:
            run.send_signal(2)
            run.wait(30)
            listener.join()
            self.check(run.returncode == 0, f"record ends well: {run.returncode} {''.join(said)}")

    def rows(self, sql, *args):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            return db.execute(sql, args).fetchall()

    def one(self, sql, *args):
        found = self.rows(sql, *args)
        return found[0][0] if found else None

    def total(self, metric, resource=None):
        """A counter's growth over the recording."""
        return self.one("SELECT ifnull(sum(value), 0) FROM level WHERE metric = ? AND ifnull(resource, '') = ?", metric,
                        resource or "")

    def level(self, metric, resource=None):
        return self.one("SELECT value FROM level WHERE metric = ? AND ifnull(resource, '') = ? ORDER BY slice DESC",
                        metric, resource or "")

    def end(self):
        self.directory.cleanup()
        print(f"{self.name}: {self.passed} passed, {self.failed} failed" +
              (f", {self.skipped} skipped" if self.skipped else ""))
        return self.failed != 0


def main(name, test):
    """test(t) with a new ProbeTest, or a skip where it may not record."""
    if os.geteuid():
        print(f"{name}: 0 passed, 0 failed, 1 skipped\nskipped: not root")
        return 0
    t = ProbeTest(name, sys.argv[1])
    test(t)
    return t.end()
