#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A lock handed through three threads to an fsync: who ends each wait, and what all of them come from."""
import json
import os
import subprocess
import sys

import probe_test

RELAY = sys.argv[2]
SECONDS = 8

WAITED = """
WITH RECURSIVE inside(id) AS (
    SELECT s.id FROM stack s JOIN frame_name n ON n.frame = s.frame WHERE n.name = ?
    UNION SELECT s.id FROM inside i JOIN stack s ON s.parent = i.id)
SELECT o.comm, sum(w.ns) FROM waker w JOIN thread t ON t.task = w.task LEFT JOIN thread o ON o.task = w.other_task
WHERE t.comm = ? AND w.stack IN inside GROUP BY o.comm"""


def wakers(t):
    for thread, function, waker in (("first", "wait_for_second", "second"), ("second", "wait_for_third", "third")):
        by = dict(t.rows(WAITED, function, thread))
        t.check(by.get(waker, 0) >= 0.99 * sum(by.values()) > 0, f"{thread} is woken by {waker}: {by}")


def follows(frames, names):
    """These frames are there, in this order."""
    rest = iter(frames)
    return all(name in rest for name in names)


def chains(t, truth):
    found = t.folded("wakeup")
    for thread, hops in (("first", ["wait_for_second", "second", "wait_for_third", "third"]), ("second", ["wait_for_third", "third"])):
        mine = [(frames, ns) for frames, ns in found if frames[:2] == ["relay", thread] and hops[0] in frames]
        total = sum(ns for _, ns in mine)
        mine.sort(key=lambda chain: -chain[1])
        waited, syncing = truth[thread]
        # On a busy machine it also waits for a CPU before it comes back from there.
        share = sum(ns for frames, ns in mine if follows(frames, [*hops, "keep_data", "fsync"]) or
                    follows(frames, [*hops, "[waits for a CPU]"])) / (total or 1)
        t.near(total, waited, 0.08, 0, f"{thread}: ns waited, in chains") # of those that are drawn
        if not t.near(share, syncing / waited, 0, 0.05, f"{thread}: share of it that comes from fsync"):
            print(*mine[:12], sep="\n")


def report(t):
    document = json.loads(subprocess.run([t.perfscope, "report", "--format", "json", t.path], check=True, stdout=subprocess.PIPE).stdout)
    knot = document["knots"][0]
    # first, second, and the main thread, which waits for first to end.
    t.check((knot["process"], knot["thread"]) == ("relay", "third") and knot["waiters"] in (2, 3), f"third holds both others up: {knot}")
    ways = [[hop["thread"] for hop in row["hops"]] for row in document["waits"][:5]]
    t.check(["first", "second", "third"] in ways, f"first waits for second, and that for third: {ways}")


def locks(t, truth):
    tables = t.view("locks")
    for lock, thread, wanted_in in ("outer", "first", "wait_for_second"), ("inner", "second", "wait_for_third"):
        mine = [row for row in tables["programs"] if lock in row["lock"]]
        if not t.check(len(mine) == 1, f"{lock} is a lock of the program: {tables['programs']}"):
            continue
        row, waited = mine[0], truth[thread][0]
        t.near(row["lost_ns"], waited, 0.15, 0, f"time lost to {lock}")
        t.check((row["process"], row["waiters"]) == ("relay", 1), f"who waits for {lock}: {row}")
        t.check(sum(row["histogram"]) >= row["waits"] / 2 and row["p50_ns"] <= row["p99_ns"], f"how long: {row}")
        # A round is 20 ms and the last fsync.
        t.check(8e6 < row["p50_ns"] and sum(row["histogram"][:7]) <= sum(row["histogram"]) / 4, f"most waits are long: {row}")
        top = next((r for r in tables["holders"] if lock in (r["lock"] or "")), {})
        t.check((top.get("wanted_in"), top.get("holder")) == (wanted_in, {"outer": "second", "inner": "third"}[lock]),
                f"who wants {lock}, and who holds it: {top}")


def test(t):
    directory = os.path.join("/var/tmp", f"relay-{os.getpid()}") # on a disk
    os.mkdir(directory)
    try:
        run = subprocess.run([t.perfscope, "record", "-q", "--max-overhead", "100", "-o", t.path, "--", RELAY, str(SECONDS), directory], text=True,
                             stdout=subprocess.PIPE, check=False)
        t.check(run.returncode == 0, f"status {run.returncode}")
        truth = {name: (int(ns), int(syncing)) for name, ns, syncing in (line.split() for line in run.stdout.splitlines())}
        wakers(t)
        chains(t, truth)
        report(t)
        locks(t, truth)
    finally:
        os.unlink(os.path.join(directory, "relay"))
        os.rmdir(directory)


sys.exit(probe_test.main("chains", test))
