#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""System calls of a program that knows how many it makes, how long they take and which fail; and what `perf trace -s` says of them."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import probe_test

WORK = """
import os, sys, time
sys.stdin.readline()
for _ in range(20000): os.getppid()
for _ in range(3000):
    try: os.rmdir("/no/such/folder")
    except FileNotFoundError: pass
begin = time.monotonic_ns()
for _ in range(20): time.sleep(0.01)
print(time.monotonic_ns() - begin, flush=True)
sys.stdin.readline()
"""


def unasked(t):
    t.record(lambda: None)
    t.check(not t.one("SELECT count(*) FROM sample s JOIN metric m ON m.id = s.metric WHERE m.name GLOB 'syscall.*'"),
            "none are counted unasked")


@contextlib.contextmanager
def traced(t, pid):
    """{call: (calls, errors, ns)} by perf, once it has ended; empty without it."""
    path, found = os.path.join(t.directory.name, "perf"), {}
    argv = ["perf", "trace", "-s", "-m", "4M", "-o", path, "-p", str(pid)]
    perf = subprocess.Popen(argv, stderr=subprocess.DEVNULL) if shutil.which("perf") else None
    time.sleep(0.5 if perf else 0)
    yield found
    if not perf:
        t.skip("perf is not installed")
        return
    perf.send_signal(signal.SIGINT)
    perf.wait()
    with open(path, encoding="utf-8", errors="replace") as f:
        for call, calls, errors, ms in re.findall(r"^ +([a-z_0-9]+) +(\d+) +(\d+) +([\d.]+) ", f.read(), re.M):
            found[call] = int(calls), int(errors), float(ms) * 1e6


def test(t):
    unasked(t)
    worker = subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run():
        worker.stdin.write("\n")
        worker.stdin.flush()
        return int(worker.stdout.readline())

    with traced(t, worker.pid) as perf:
        slept = t.record(run, args=["--syscalls"])
    worker.communicate("\n")
    if t.one("SELECT count(*) FROM unavailable WHERE probe = 'syscalls'"):
        t.skip("system calls cannot be counted here")
        return
    rows = {row["call"]: row for row in t.view("syscalls")["processes"] if row["pid"] == worker.pid}
    t.check(rows.get("getppid", {}).get("calls") == 20000 and not rows["getppid"]["errors"], f"20000 calls that work: {rows}")
    failing = rows.get("rmdir", {})
    t.check((failing.get("calls"), failing.get("errors"), failing.get("mostly")) == (3000, 3000, "ENOENT"), f"3000 that fail: {rows}")
    sleep = next((row for call, row in rows.items() if "nanosleep" in call or "select" in call), {"calls": 0, "time_ns": 0})
    t.check(sleep["calls"] == 20, f"20 sleeps: {rows}")
    # The calls themselves, less what the interpreter does between them; a CPU that is taken away in between counts here alone.
    t.check(20 * 10e6 <= sleep["time_ns"] <= slept, f"they last {slept} ns: {sleep}")
    for call in ("rmdir", "clock_nanosleep") if perf else ():
        calls, errors, ns = perf.get(call, (0, 0, 0))
        # perf itself loses some of many, the more the busier the machine is.
        row = rows.get(call, {"calls": 0, "errors": 0, "time_ns": 0})
        t.check(0.8 * row["calls"] <= calls <= row["calls"], f"calls of {call}: {row['calls']}, perf trace -s {calls}")
        t.check(0.8 * (row["errors"] or 0) <= errors <= (row["errors"] or 0), f"failed calls of {call}: {row['errors']}, perf trace -s {errors}")
        mean, theirs = row["time_ns"] / max(1, row["calls"]), ns / max(1, calls)
        # Its time has perfscope's hooks in it.
        t.near(mean, theirs, 0.05, 6e3, f"mean time in {call}, ns")
    t.check(t.one("SELECT ifnull(sum(value), 0) FROM level WHERE metric = 'lost.syscalls'") == 0, "none are lost")


if __name__ == "__main__":
    sys.exit(probe_test.main("syscalls", test))
