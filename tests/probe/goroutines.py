#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""threads of Go programs, with and without symbol tables: goroutines in groups, and those that wait for each other for ever.

usage: goroutines.py PERFSCOPE"""
import json
import os
import shutil
import subprocess
import sys

import probe_test

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goroutines.go")
DEADLOCKS = {"ledger": ["main.transfer"] * 2, "globals": ["main.cancel", "main.reserve"],
             "rwlock": ["main.(*cache).reload", "main.(*cache).report"]}


def threads(t, program, mode, looks=1):
    with subprocess.Popen([program, mode], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found = [json.loads(subprocess.run([t.perfscope, "threads", "-p", str(process.pid), "--format", "json"], check=True,
                                           stdout=subprocess.PIPE).stdout)["goroutines"] for _ in range(looks)]
        process.kill()
    return found


def deadlock(t, program, mode):
    found = threads(t, program, mode)[0]
    if not t.check(found and len(found["deadlocks"]) == 1, f"{mode}: a deadlock: {found and found['deadlocks']}"):
        return
    items = {item["tid"]: item for item in found["items"]}
    stacks = [items[link["tid"]]["frames"] for link in found["deadlocks"][0]]
    t.check(sorted(next((f for f in s if f in DEADLOCKS[mode]), "") for s in stacks) == DEADLOCKS[mode], f"{mode}: who: {stacks}")
    t.check(all(items[link["tid"]]["wait"]["unsure"] for link in found["deadlocks"][0]), f"{mode}: nothing names who holds a lock of Go")
    readers = [item for item in items.values() if item["wait"] and item["wait"]["kind"] == "channel" and item["frames"][0] == "main.main.func1"]
    groups = [g for g in found["groups"] if readers and readers[0]["tid"] in g]
    t.check(len(readers) == 5 and groups and len(groups[0]) == 5, f"five wait for a channel: {groups}")


def finding(t, program, mode):
    """lock.deadlock of a diagnosis beside the program, and the program's number."""
    with subprocess.Popen([program, mode], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        done = subprocess.run([t.perfscope, "diagnose", "-q", "-d", "2s", "--format", "json"], check=False, stdout=subprocess.PIPE)
        process.kill()
    return next((f for f in json.loads(done.stdout)["findings"] if f["id"] == "lock.deadlock"), None), process.pid


def test(t):
    if not shutil.which("go"):
        t.skip("go is not installed")
        return
    for more in [], ["-ldflags=-s -w"]:
        program = os.path.join(t.directory.name, "goroutines")
        subprocess.run(["go", "build", *more, "-o", program, SOURCE], check=True)
        for mode in DEADLOCKS:
            deadlock(t, program, mode)
        found = threads(t, program, "busy", 8)
        t.check(all(f and not f["deadlocks"] for f in found), "who merely waits in line is in no deadlock")
        found, pid = finding(t, program, "ledger")
        t.check(found and found["title"].startswith("2 goroutines of goroutines seem to wait") and
                {a["pid"] for a in found["affected"]} == {pid}, f"diagnose finds it: {found}")
        found, _ = finding(t, program, "busy")
        t.check(not found, f"and nothing else: {found}")


if __name__ == "__main__":
    sys.exit(probe_test.main("goroutines", test))
