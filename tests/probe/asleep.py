#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Threads that sleep through the whole recording: each has the stack that it waits at, and its exact time is below it."""
import collections
import contextlib
import subprocess
import sys
import time

import probe_test

WAITERS = sys.argv[2]  # without frame pointers
CROWD = 2000

# Threads of the zoo, and functions of their stacks, from the root.
ZOO = {
    "dead-one": ["dead_one", "lock_second", "do_syscall_64"],
    "dead-two": ["dead_two", "lock_first", "do_syscall_64"],
    "follower": ["follower", "do_syscall_64"],
    "reader": ["reader", "pthread_rwlock_rdlock"],
    "condition": ["condition", "pthread_cond_wait"],
    "semaphore": ["semaphore"],
    "receiver": ["receiver", "recv"],
    "pipe-reader": ["pipe_reader", "read"],
    "poller": ["poller", "epoll_wait"],
    "sleeps": ["sleeps", "nanosleep"],
}

# Two threads that wait for each other, and one that rests.
PYTHON = """
import threading, time
one, two, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
def dead(mine, others):
    with mine:
        both.wait()
        want(others)
def want(lock):
    with lock:
        pass
def rests():
    time.sleep(3000)
for f, *args in (dead, one, two), (dead, two, one), (rests,):
    threading.Thread(target=f, args=args).start()
time.sleep(0.5)
print("ready", flush=True)
"""

STACKS = """
WITH RECURSIVE up(leaf, parent, frame, depth) AS (
    SELECT id, parent, frame, 0 FROM stack
    UNION ALL SELECT leaf, s.parent, s.frame, depth + 1 FROM stack s JOIN up ON s.id = up.parent)
SELECT leaf, name FROM up JOIN frame_name USING (frame) ORDER BY leaf, depth DESC"""


@contextlib.contextmanager
def workload(*command):
    with subprocess.Popen([WAITERS, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = dict(line.rsplit(" ", 1) for line in iter(process.stdout.readline, "ready\n"))
        yield process, {name: int(tid) for name, tid in said.items()}
        process.kill()


def stacks(t):
    found = collections.defaultdict(list)
    for leaf, name in t.rows(STACKS):
        found[leaf].append(name.removeprefix("__").removeprefix("GI_"))
    return found


def waited(t, pid):
    """By thread: exact time by cause; time by stack."""
    exact, stacked = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for tid, cause, ns in t.rows("SELECT tid, cause, ns FROM thread_wait WHERE pid = ?", pid):
        exact[tid][cause] += ns
    for tid, stack, ns in t.rows("SELECT tid, stack, ns FROM wait_stack w JOIN thread USING (task) WHERE thread.pid = ?", pid):
        stacked[tid][stack] += ns
    return exact, stacked


def in_order(names, wanted):
    rest = iter(names)
    return all(any(name == found for found in rest) for name in wanted)


def zoo(t, pid, tids, known):
    exact, stacked = waited(t, pid)
    seconds = t.one("SELECT value FROM meta WHERE key = 'duration_ns'") / 1e9
    for name, functions in ZOO.items():
        tid = tids[name]
        ns = sum(ns for stack, ns in stacked[tid].items() if stack and in_order(known[stack], functions))
        t.near(ns, sum(exact[tid].values()), 0.001, 0, f"{name}: below its stack, and exactly")
        t.near(ns / 1e9, seconds, 0.01, 0.05, f"{name}: of the recording, in seconds")


def python(t, version, pid, known):
    """Functions of Python, of every version that is here."""
    exact, stacked = waited(t, pid)
    for wanted, threads in (["dead", "want"], 2), (["rests"], 1):
        right = [tid for tid, total in exact.items() if abs(sum(total.values()) - sum(
            ns for stack, ns in stacked[tid].items() if stack and in_order(known[stack], wanted))) < sum(total.values()) * 0.001]
        t.check(len(right) == threads, f"Python {version}: {threads} threads in {wanted}: {right} of {dict(stacked)}")


def unanswered(t, pid, known):
    """Its stack can never be read: nobody waits for that, and the kernel's part is there."""
    exact, stacked = waited(t, pid)
    ns = sum(ns for stack, ns in stacked[pid].items() if stack and "do_syscall_64" in known[stack])
    t.near(ns, sum(exact[pid].values()), 0.001, 0, "unanswered: below the kernel's stack, and exactly")


def few(t):
    with contextlib.ExitStack() as stack:
        animals, tids = stack.enter_context(workload(t.path + ".zoo"))
        mute, _ = stack.enter_context(workload("--unanswered"))
        programs = {version: stack.enter_context(subprocess.Popen([path, "-c", PYTHON], stdout=subprocess.PIPE, text=True))
                    for version, path in t.pythons()}
        for program in programs.values():
            program.stdout.readline()
            stack.callback(program.kill)
        t.record(lambda: time.sleep(2.2))
    known = stacks(t)
    zoo(t, animals.pid, tids, known)
    unanswered(t, mute.pid, known)
    for version, program in programs.items():
        python(t, version, program.pid, known)


def crowd(t):
    with workload("--crowd", str(CROWD)) as (process, _):
        t.record(lambda: time.sleep(2.2))
    exact, stacked = waited(t, process.pid)
    known = stacks(t)
    right = [tid for tid, total in exact.items() if abs(total["lock"] - sum(
        ns for stack, ns in stacked[tid].items() if stack and in_order(known[stack], ["take_job", "pthread_cond_wait"]))) < total["lock"] * 0.001]
    t.check(len(right) >= CROWD, f"each of the crowd has its stack, and all of its time there: {len(right)}")


def woken(t):
    """What is woken meanwhile, and sleeps again: nothing counts twice."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        def work():
            for _ in range(3):
                time.sleep(0.7)
                cat.stdin.write(b"x")
                cat.stdin.flush()
            time.sleep(2.2) # of the last one, too, the stack is known
        t.record(work)
        cat.kill()
    exact, stacked = waited(t, cat.pid)
    t.near(sum(stacked[cat.pid].values()), sum(exact[cat.pid].values()), 0.01, 0, "cat: below stacks, and exactly")


def test(t):
    few(t)
    crowd(t)
    woken(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("asleep", test))
