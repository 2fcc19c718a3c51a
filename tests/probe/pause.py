#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Pauses against what programs say of themselves: stopped worlds, long callbacks, a JVM's own log; stops and who sent them."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import probe_test

SAFEPOINT, LOOP = sys.argv[2:4]
LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scenario/inject/Ledger.java")
NEAR = 2e6 # ns


def recorded(t, argv, seconds, warm=0.2, **more):
    """What the program said while it was recorded."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **more) as program:
        time.sleep(warm)
        t.record(lambda: time.sleep(seconds))
        program.kill()
        return program.stdout.read()


def compare(t, name, kind, truth):
    """truth: (start, length) by CLOCK_MONOTONIC."""
    start = int(t.one("SELECT value FROM meta WHERE key = 'start_mono_ns'"))
    end = start + int(t.one("SELECT value FROM meta WHERE key = 'duration_ns'"))
    found = t.rows("SELECT p.start_ns, p.ns FROM pause p JOIN thread t ON t.task = p.task WHERE p.kind = ? AND t.process_comm = ?",
                   kind, name)
    truth = [(at, length) for at, length in truth if length >= 1e7 and at > start + 5e7 and at + length < end - 5e7]
    if not t.check(len(truth) >= 4 and found, f"{name}: {len(found)} found, {len(truth)} told"):
        return
    near = missed = 0
    for at, length in truth:
        starts, ns = min(((a + start, n) for a, n in found), key=lambda pause, at=at: abs(pause[0] - at))
        near += abs(starts - at) <= NEAR and abs(ns - length) <= NEAR
        missed += abs(starts - at) > length
    t.check(not missed, f"{name}: {missed} of {len(truth)} were missed")
    t.check(near >= 0.9 * len(truth), f"{name}: {near} of {len(truth)} are within {NEAR / 1e6} ms")
    t.check(len(found) <= len(truth) + 3, f"{name}: {len(found)} found, {len(truth)} told")


def told(text):
    return [tuple(map(int, line.split())) for line in text.splitlines() if re.fullmatch(r"\d+ \d+", line)]


def stopped_world(t):
    compare(t, "orderbook", "world", told(recorded(t, [SAFEPOINT, "3", "30", "150"], 3, env={"TELL": "1"})))
    ran = t.rows("SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric WHERE m.name = 'pause.world'")[0][0] or 0
    stood = t.one("SELECT sum(ns) FROM pause WHERE kind = 'world'") or 0
    t.near(ran, stood, 0.25, 5e7, "what ran while the world was stopped")


def long_callback(t, how, *more):
    compare(t, "gameserver", "burst", told(recorded(t, [LOOP, "60", "250", "50", "3", *more], 3, env={"TELL": "1"})))
    stood = t.one("SELECT sum(ns) FROM pause WHERE kind = 'burst'") or 0
    known = t.one("SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric WHERE m.name = 'pause.burst'") or 0
    t.near(known, stood, 0.35, 5e7, f"what the callback did: {how}")


def stops(t):
    def run():
        with subprocess.Popen(["sleep", "60"]) as child:
            for signum, seconds in ((signal.SIGSTOP, 0.1), (signal.SIGCONT, 0.1), (signal.SIGKILL, 0)):
                child.send_signal(signum)
                time.sleep(seconds)
            child.wait()
            time.sleep(0.2)
            return child.pid

    pid = t.record(run)
    events = dict(t.rows("SELECT e.kind, e.detail FROM event e JOIN thread t ON t.task = e.task WHERE t.pid = ?", pid))
    t.check(re.fullmatch(rf"SIGSTOP from \S+ \({os.getpid()}\)", events.get("process.stop", "")), f"who stopped it: {events}")
    t.check(re.fullmatch(rf"SIGKILL from \S+ \({os.getpid()}\)", events.get("process.killed", "")), f"who killed it: {events}")
    length = t.one("SELECT e.value FROM event e JOIN thread t ON t.task = e.task WHERE e.kind = 'process.continue' AND t.pid = ?",
                   pid)
    t.near(length, 1e8, 0.05, 5e6, "how long it was stopped")


def java(t):
    if not shutil.which("java"):
        t.skip("java is not installed")
        return
    log = os.path.join(t.directory.name, "gc.log")
    recorded(t, ["java", "-Xmx300m", "-XX:+UseSerialGC", f"-Xlog:gc:file={log}:timenanos", LEDGER, "3", "120", "2000"], 4, warm=4)
    with open(log, encoding="utf-8") as f:
        lines = re.findall(r"^\[(\d+)ns\] GC\(\d+\) Pause .* ([\d.]+)ms$", f.read(), re.M)
    compare(t, "java", "world", [(int(end) - float(ms) * 1e6, float(ms) * 1e6) for end, ms in lines])


def test(t):
    stopped_world(t)
    long_callback(t, "computes")
    long_callback(t, "sleeps", "sleep")
    stops(t)
    java(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("pause", test))
