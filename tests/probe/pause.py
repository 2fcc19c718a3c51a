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


def bounds(at, length, queued=0, begin=None, until=None):
    return at, length, queued, begin or at, until or at + length


def compare(t, name, kind, truth, late=5e7):
    """truth: start and length by CLOCK_MONOTONIC, how much of it was spent in line for a CPU, when at the earliest it may have begun and
    at the latest have ended. What has mostly been in line may count as no pause; what began before `late` does not count. Returns how
    long it stood, without being in line."""
    start = int(t.one("SELECT value FROM meta WHERE key = 'start_mono_ns'"))
    end = start + int(t.one("SELECT value FROM meta WHERE key = 'duration_ns'"))
    found = t.rows("SELECT p.start_ns + ?, p.ns FROM pause p JOIN thread t ON t.task = p.task WHERE p.kind = ? AND t.process_comm = ? "
                   "AND p.ns >= 9e6 AND p.start_ns > ?", start, kind, name, late - NEAR)
    truth = [bounds(*pause) for pause in truth if pause[1] >= 1e7 and pause[0] > start + late and sum(pause[:2]) < end - 5e7]
    sure = near = missed = stood = 0
    for at, length, queued, begin, until in truth:
        starts, ns = min(found or [(0, 0)], key=lambda pause, at=at: abs(pause[0] - at))
        stood += max(0, ns - queued) if abs(starts - at) <= length else 0
        if queued < 0.4 * length:
            sure += 1
            near += begin - NEAR <= starts <= at + NEAR and at + length - NEAR <= starts + ns <= until + NEAR
            missed += abs(starts - at) > length
    # Now and then a switch is not seen: some machines hide their init.
    t.check(sure >= 4 and missed <= max(1, sure // 12), f"{name}: {missed} of {sure} were missed")
    t.check(near >= 0.9 * sure, f"{name}: {near} of {sure} are within {NEAR / 1e6} ms")
    t.check(len(found) <= len(truth) + 3, f"{name}: {len(found)} found, {len(truth)} told")
    return stood


def told(text):
    return [tuple(map(int, line.split())) for line in text.splitlines() if re.fullmatch(r"\d+ \d+( \d+)*", line)]


def sampled(t, name):
    """What part of its time on CPUs its samples stand for: where the host takes CPUs away, timers do not fire."""
    taken, ran = (t.one("SELECT ifnull(sum(s.value), 0) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                        "WHERE m.name = ? AND t.process_comm = ?", metric, name) for metric in ("cpu.time", "task.running"))
    part = min(1, taken / max(1, ran))
    t.check(part > 0.4, f"{name}: samples stand for {part:.2f} of its time on CPUs")
    return part


def meanwhile(t, kind, name):
    return t.one("SELECT ifnull(sum(s.value), 0) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                 "WHERE m.name = 'pause.' || ? AND t.process_comm = ?", kind, name)


def stopped_world(t):
    stood = compare(t, "orderbook", "world", told(recorded(t, [SAFEPOINT, "3", "30", "150"], 3, env={"TELL": "1"})))
    t.near(meanwhile(t, "world", "orderbook"), stood * sampled(t, "orderbook"), 0.25, 5e7, "what ran while the world was stopped")


def long_callback(t, how, *more):
    stood = compare(t, "gameserver", "burst", told(recorded(t, [LOOP, "60", "250", "50", "3", *more], 3, env={"TELL": "1"})))
    part = 1 if "sleep" in more else sampled(t, "gameserver")
    t.near(meanwhile(t, "burst", "gameserver"), stood * part, 0.35, 5e7, f"what the callback did: {how}")


def stops(t):
    def run():
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
            before = time.monotonic_ns()
            child.send_signal(signal.SIGSTOP)
            os.waitpid(child.pid, os.WUNTRACED)
            stopped = time.monotonic_ns()
            time.sleep(0.1)
            least = time.monotonic_ns() - stopped
            child.send_signal(signal.SIGCONT)
            child.stdin.write(b"x")
            child.stdout.read(1) # it has run
            most = time.monotonic_ns() - before
            time.sleep(0.1)
            child.kill()
            child.wait()
            time.sleep(0.2)
            return child.pid, least, most

    pid, least, most = t.record(run)
    events = dict(t.rows("SELECT e.kind, e.detail FROM event e JOIN thread t ON t.task = e.task WHERE t.pid = ?", pid))
    t.check(re.fullmatch(rf"SIGSTOP from \S+ \({os.getpid()}\)", events.get("process.stop", "")), f"who stopped it: {events}")
    t.check(re.fullmatch(rf"SIGKILL from \S+ \({os.getpid()}\)", events.get("process.killed", "")), f"who killed it: {events}")
    length = t.one("SELECT e.value FROM event e JOIN thread t ON t.task = e.task WHERE e.kind = 'process.continue' AND t.pid = ?",
                   pid)
    t.between(length, least - 5e6, most, "how long it was stopped")


def has_marks(path):
    return "gc__" in subprocess.run(["readelf", "-n", path], check=False, stdout=subprocess.PIPE, text=True).stdout


def joined(pauses):
    """A collection that turns out to be not enough is followed by a whole one at once."""
    whole = []
    for at, length in pauses:
        if whole and at - sum(whole[-1]) < 1e6:
            whole[-1] = whole[-1][0], at + length - whole[-1][0]
        else:
            whole.append((at, length))
    return whole


def java(t):
    java = shutil.which("java")
    if not java:
        t.skip("java is not installed")
        return
    marks = has_marks(os.path.join(os.path.dirname(os.path.realpath(java)), "../lib/server/libjvm.so"))
    if not marks:
        t.skip("this HotSpot has no marks for tracers")
    for collector in ("Serial", "Parallel") if marks else ("Serial",):
        log = os.path.join(t.directory.name, collector + ".log")
        recorded(t, [java, "-Xmx300m", f"-XX:+Use{collector}GC", f"-Xlog:gc:file={log}:timenanos", LEDGER, "3", "120", "2000"], 3,
                 warm=3)
        with open(log, encoding="utf-8") as f:
            lines = re.findall(r"^\[(\d+)ns\] GC\(\d+\) Pause .* ([\d.]+)ms$", f.read(), re.M)
        truth = [(int(end) - float(ms) * 1e6, float(ms) * 1e6) for end, ms in lines]
        compare(t, "java", "gc" if marks else "world", joined(truth), late=1e9)
        told_once(t, "java")


def told_once(t, name):
    """A pause that the runtime tells is not told again as it looks from outside."""
    pauses = t.rows("SELECT p.kind, p.start_ns, p.ns FROM pause p JOIN thread t ON t.task = p.task WHERE t.process_comm = ?", name)
    told = [(at, ns) for kind, at, ns in pauses if kind == "gc"]
    twice = [(at, ns) for kind, at, ns in pauses if kind != "gc"
             if sum(max(0, min(at + ns, a + n) - max(at, a)) for a, n in told) > ns / 2]
    t.check(not twice, f"{name}: told twice: {twice}")


LIBRARY = """import gc, time
open("/proc/self/comm", "w").write("librarian")
gc.disable()
shelves = [[i] for i in range(500000)]
while True:
    at = time.monotonic_ns()
    gc.collect()
    print(at, time.monotonic_ns() - at, flush=True)
    time.sleep(0.05)
"""


def python(t):
    """Marks that are passed over unless somebody counts up to say that he listens."""
    found = [p for p in (sys.executable, "/usr/bin/python3") if os.path.exists(p) and has_marks(os.path.realpath(p))]
    if not found:
        t.skip("no Python here has marks for tracers")
        return
    text = recorded(t, [found[0], "-c", LIBRARY], 3)
    compare(t, "librarian", "gc", told(text), late=1e9)
    told_once(t, "librarian")
    counted = t.one("SELECT sum(s.count) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                    "WHERE m.name = 'gc.time' AND t.process_comm = 'librarian'")
    events = t.one("SELECT count(*) FROM event WHERE kind = 'pause.gc'")
    t.check(counted and counted >= events, f"{counted} collections were counted, {events} told")


def test(t):
    stopped_world(t)
    long_callback(t, "computes")
    long_callback(t, "sleeps", "sleep")
    stops(t)
    java(t)
    python(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("pause", test))
