#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stacks of waits: shares by place against what a program says of itself, totals against the exact ones, wakers."""
import collections
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

import probe_test

PERFSCOPE, SITES, WAITS = sys.argv[1:4]
SECONDS = 24

WAITED = "SELECT th.comm, w.cause, w.stack, w.ns FROM wait_stack w JOIN thread th USING (task) WHERE th.process_comm = ?"

FRAMES = """
WITH RECURSIVE up(id, parent, frame) AS (
    SELECT id, parent, frame FROM stack WHERE id = ?
    UNION ALL SELECT s.id, s.parent, s.frame FROM stack s JOIN up ON s.id = up.parent)
SELECT n.name FROM up JOIN frame_name n ON n.frame = up.frame"""
counts = probe_test.Counts("offcpu")
check = counts.check


def record(path, *command):
    run = subprocess.run([PERFSCOPE, "record", "-q", "--max-overhead", "100", "-o", path, "--", *command], text=True, capture_output=True,
                         stdin=subprocess.DEVNULL)
    check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    return [line.split() for line in run.stdout.splitlines()]


def frames(db, stack, known):
    if stack not in known:
        known[stack] = {row[0] for row in db.execute(FRAMES, (stack,))}
    return known[stack]


def shares(path):
    truth = collections.defaultdict(dict)
    with subprocess.Popen([SITES, str(SECONDS + 2)], text=True, stdout=subprocess.PIPE) as program:
        time.sleep(0.5)
        subprocess.run([PERFSCOPE, "record", "-q", "--max-overhead", "100", "-o", path, "-d", f"{SECONDS}s", "-p", str(program.pid)], check=True)
        for line in program.stdout.read().splitlines():
            thread, place, waits, ns = line.split()
            truth[thread][place] = int(waits), int(ns)
    check(len(truth) == 3, f"three threads: {dict(truth)}")
    found, known = collections.defaultdict(collections.Counter), {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        for comm, cause, stack, ns in db.execute(WAITED, ("sites",)).fetchall():
            if cause != "lock" or comm not in truth:
                continue
            names = frames(db, stack, known) if stack else set()
            place = next((p for p in truth[comm] if p in names), "nowhere")
            found[comm][place] += ns
        exact = dict(db.execute("SELECT comm, ns FROM thread_wait WHERE process_comm = 'sites' AND cause = 'lock'"))
    for thread, places in truth.items():
        waits, asked = map(sum, zip(*places.values()))
        # Timers are late, each by as much: by some microseconds here, and a tenth of a millisecond where the host is busy.
        late = max(exact[thread] * (SECONDS + 2) / SECONDS - asked, 0) / waits
        # Where they are late by more than the short waits last, long ones come out too small, by 6 to 10 points: why is not known yet.
        allowed = 0.03 if late < 15e3 else 0.15
        total, by_stack = asked + late * waits, sum(found[thread].values())
        counts.near(by_stack, exact[thread], 0.05, 0, f"{thread}: ns under stacks, and exactly")
        for place, (times, ns) in places.items():
            share, recorded = (ns + late * times) / total, found[thread][place] / (by_stack or 1)
            counts.near(recorded, share, 0, allowed, f"{thread}: share of {place}")
        check(found[thread]["nowhere"] <= 0.01 * by_stack, f"{thread}: {found[thread]['nowhere']} ns without a place")


def wakers(path, directory):
    """Threads that wait for their partner are woken by it; timers and disks end waits as interrupts."""
    kinds = {name: (cause, int(tid)) for cause, name, tid, *_ in record(path, WAITS, "5", directory)}
    with contextlib.closing(sqlite3.connect(path)) as db:
        edges = db.execute("SELECT w.tid, o.comm, sum(e.count) FROM waker e JOIN thread w ON w.task = e.task "
                           "LEFT JOIN thread o ON o.task = e.other_task WHERE w.process_comm = 'waits' GROUP BY 1, 2").fetchall()
        stacks = db.execute("SELECT count(*), sum(other_stack IS NULL) FROM waker").fetchone()
    check(stacks[0] > 100 and stacks[1] <= 0.02 * stacks[0], f"a waker's stack each: {stacks}")
    for name in ("futex", "pipe", "unix", "eventfd", "tcp", "inode"):
        by = {other: count for tid, other, count in edges if tid == kinds[name][1]}
        check(by.get("waker", 0) >= 0.99 * sum(by.values()) > 0, f"{name} is woken by its partner: {by}")
    for name in ("sleep-5", "epoll"):
        by = {other: count for tid, other, count in edges if tid == kinds[name][1]}
        check(by.get(None, 0) >= 0.99 * sum(by.values()), f"{name} is woken by an interrupt: {by}")


def main():
    if os.geteuid():
        counts.skip("not root")
        return counts.end()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        path = os.path.join(directory, "x.db")
        shares(path)
        wakers(path, directory)
    return counts.end()


sys.exit(main())
