#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Blocked time by cause: threads that wait for one known cause each, against what was recorded of them."""
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile

import probe_test

PERFSCOPE, WAITS = sys.argv[1:3]
counts = probe_test.Counts("waits")
check = counts.check


def rows(path, sql, *args):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql, args).fetchall()


def truth(text):
    for line in text.splitlines():
        cause, name, tid, waits, ns = line.split()
        yield cause, name, int(tid), int(waits), int(ns)


def thread(path, tid):
    """(blocked ns by cause, ns on or waiting for a CPU) of a thread."""
    causes = dict(rows(path, "SELECT cause, ns FROM thread_wait WHERE tid = ?", tid))
    busy = rows(path, "SELECT running + runnable FROM thread_state WHERE tid = ?", tid)
    return causes, busy[0][0] if busy else 0


def by_cause(path, directory):
    # What is not the wait itself is recorded, too: time on a CPU and in the run queue, and waits for another cause
    # while the kernel does what the thread asked for.
    run = subprocess.run([PERFSCOPE, "record", "-q", "-o", path, "--", WAITS, "4", directory], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    found = list(truth(run.stdout))
    check(len(found) == 17, f"17 threads told their truth: {len(found)}")
    for cause, name, tid, waits, lived in found:
        causes, busy = thread(path, tid)
        rest = sum(ns for other, ns in causes.items() if other != cause)
        total = causes.get(cause, 0) + rest + busy
        check(abs(total - lived) <= 0.01 * lived + 3e6 + 2e3 * waits,
              f"{name} lived {lived} ns, recorded {total}: {causes}, busy {busy}")
        # Dropping the page cache waits for every CPU, and holds each thread up once as it begins.
        slack = {"disk": 0.10, "kernel_lock": 0.10, "fault": 0.60}.get(cause, 0.01)
        check(causes.get(cause, 0) > 0.03 * lived and rest <= slack * lived + 120e6,
              f"{name} waits for {cause}, {waits} times: {causes}, busy {busy} of {lived}")


def main():
    if os.geteuid():
        counts.skip("not root")
        return counts.end()
    # On a disk: in memory nothing waits for one.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        by_cause(os.path.join(directory, "x.db"), directory)
    return counts.end()


sys.exit(main())
