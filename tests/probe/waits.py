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
        cause, name, *numbers = line.split()
        yield cause, name, *map(int, numbers)


def thread(path, tid):
    """(blocked ns by cause, ns on a CPU, ns in line for one, how often it slept) of a thread."""
    causes = dict(rows(path, "SELECT cause, ns FROM thread_wait WHERE tid = ?", tid))
    return causes, *(rows(path, "SELECT running, runnable, switches FROM thread_state WHERE tid = ?", tid) or [(0, 0, 0)])[0]


def by_cause(path, directory):
    run = subprocess.run([PERFSCOPE, "record", "-q", "--max-overhead", "100", "-o", path, "--", WAITS, "4", directory], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    found = list(truth(run.stdout))
    check(len(found) == 19, f"19 threads told their truth: {len(found)}")
    for cause, name, tid, waits, lived, off in found:
        causes, running, runnable, switches = thread(path, tid)
        counts.near(sum(causes.values()) + running + runnable, lived, 0.01, 3e6, f"{name}: ns lived")
        # Until a wait is over it is that cause's; from then on, in line for a CPU. The kernel takes some microseconds of the way out of
        # an idle CPU for running, and what its host takes away for none. Between its waits for pages, `cold` is in line for a CPU, too.
        waited, slack = causes.get(cause, 0), 3e6 + 7e3 * switches + 0.1 * running
        words = f"{name}: ns off CPU for {cause}, {waits} times"
        if name == "cold":
            check(waited + runnable >= 0.95 * off - slack, f"{words}: {waited} and {runnable} in line, wanted {off}")
        else:
            counts.near(waited + runnable, off, 0.01, slack, words)
        check(waited <= off + slack, f"{name} waits for {cause}: {causes}, in line {runnable}, {off} in truth")
        if name != "cold":
            # The journal of a file system may hold up the write, too.
            share = {"fsync": 0.10, "inode": 0.03}.get(name, 0.01)
            counts.near(waited, sum(causes.values()), share, 3e6, f"{name}: ns waited for {cause}, of all waits")


def functions(path, *args):
    """Those in the flame graph of waits."""
    text = subprocess.run([PERFSCOPE, "export", "--kind", "offcpu", *args, "-o", "-", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {name for line in text.splitlines() for name in line.rsplit(" ", 1)[0].split(";")}


def idle(path):
    """Who polls or sleeps waits for work."""
    work, held_up = {"epoll_idle", "poll_idle", "sleep_5", "sleep_50"}, {"futex_wait", "take_file_lock", "write_and_sync", "cold_fault", "small_write"}
    found, with_idle = functions(path), functions(path, "--idle")
    check(work | held_up <= with_idle, f"waits for work are there when asked for: all but {(work | held_up) - with_idle}")
    check(held_up <= found and not work & found, f"and else left out: {work & found}; what holds up stays: all but {held_up - found}")


def semaphores(path):
    rest = rows(path, "SELECT t.comm, w.kind, r.kind, r.name, sum(w.ns) FROM lock_wait w JOIN thread t USING (task) "
                "LEFT JOIN resource r ON r.id = w.resource WHERE t.comm IN ('sysv', 'posix') GROUP BY 1 ORDER BY sum(w.ns)")
    found = {comm: (kind, of, name) for comm, kind, of, name, _ in rest}
    check(found.get("sysv", ("", "", ""))[:2] == ("semaphore", "semaphore"), f"a semaphore of System V: {found}")
    check(found.get("sysv") and found["sysv"][2].startswith("System V semaphores "), f"which one: {found}")
    check(found.get("posix", ("", "", ""))[:2] == ("semaphore", "futex"), f"one of POSIX: {found}")


def main():
    if os.geteuid():
        counts.skip("not root")
        return counts.end()
    # On a disk: in memory nothing waits for one.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        path = os.path.join(directory, "x.db")
        by_cause(path, directory)
        idle(path)
        semaphores(path)
    return counts.end()


sys.exit(main())
