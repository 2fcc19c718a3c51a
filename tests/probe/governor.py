#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""--max-overhead: a storm costs no more than it says, what is left of the figures is right, and after the storm all is back.
What was asked for by an option, system calls here, stays and does not count.

usage: governor.py PERFSCOPE STORM SPLIT [--all]; with --all a storm of page faults, too"""
import os
import subprocess
import sys
import time

import probe_test

MOST = 1.5      # percent of all CPUs
SETTLED = 9     # slices until it must be within the bound
CALM = 8        # seconds after the storm


def costs(t):
    """Percent of all CPUs, by slice, without what was asked for."""
    return dict(t.rows("SELECT l.slice, sum(iif(l.metric = 'self.asked', -1, 1) * l.value) * 100 / (s.end_ns - s.start_ns) / ? "
                       "FROM level l JOIN slice s ON s.id = l.slice "
                       "WHERE l.metric IN ('self.cpu', 'self.bpf', 'self.asked') GROUP BY l.slice", os.cpu_count()))


def shares(t, what):
    return [share for (share,) in t.rows("SELECT value FROM level WHERE metric = 'governor.share' AND resource = ? "
                                         "ORDER BY slice", what)]


def running(t, comm):
    return t.one("SELECT sum(v.value) FROM sample v JOIN metric m ON m.id = v.metric JOIN thread USING (task) "
                 "WHERE m.name = 'task.running' AND thread.comm = ?", comm) or 0


def slices_with_calls(t, comm):
    return t.one("SELECT count(DISTINCT v.slice) FROM sample v JOIN metric m ON m.id = v.metric JOIN thread USING (task) "
                 "WHERE m.name = 'syscall.time' AND v.count > 10000 AND thread.comm = ?", comm)


def sampled(t, function):
    return t.one("""WITH RECURSIVE up(stack, ns, frame, parent) AS (
                        SELECT s.id, c.ns, s.frame, s.parent
                        FROM (SELECT stack, sum(ns) AS ns FROM cpu_sample GROUP BY stack) c JOIN stack s ON s.id = c.stack
                        UNION ALL SELECT up.stack, up.ns, s.frame, s.parent FROM up JOIN stack s ON s.id = up.parent)
                    SELECT sum(ns) FROM (SELECT DISTINCT stack, ns FROM up JOIN frame_name n USING (frame) WHERE n.name = ?)""",
                 function) or 0


def settled_cost(t):
    """Mean over what comes after the first seconds; the last slice has the names of the end."""
    by_slice = costs(t)
    late = [cost for number, cost in by_slice.items() if SETTLED < number < max(by_slice) - CALM]
    return sum(late) / len(late) if late else 100


def test_switches(t, storm, split):
    def work():
        other = subprocess.Popen([split, "9"], stdout=subprocess.DEVNULL)
        done = subprocess.run([storm, "14"], stdout=subprocess.PIPE, check=True, text=True)
        other.wait()
        time.sleep(CALM)
        return [float(word) for word in done.stdout.split()]

    ping, pong = t.record(work, args=["--max-overhead", f"{MOST}%", "--syscalls"])
    cost = settled_cost(t)
    print(f"governor: a storm of switches costs {cost:.2f} % of all CPUs, {costs(t).get(2, 0):.2f} % at first")
    t.check(cost < MOST * 1.15, f"{cost:.2f} % of all CPUs, wanted {MOST}")
    t.check(slices_with_calls(t, "ping") >= 13, f"system calls are counted all the time: {slices_with_calls(t, 'ping')} slices of 14")
    t.check(t.total("self.asked") > 0, "what that costs is told")
    # Exact accounts go last: not at all where the storm is so slow that fewer stacks do.
    times, stacks = shares(t, "times by state"), shares(t, "stacks of waits")
    t.check(stacks and min(stacks) < 1, f"fewer stacks are drawn: {stacks}")
    if times or costs(t).get(2, 0) > 4 * MOST:
        t.check(times and min(times) < 1, f"times by state are thinned out: {times}")
        t.check(times and times[-1] == 1, f"and are whole again after the storm: {times}")
    # A 32nd of each second is watched at the least: what is seen of thousands of switches there is the whole's share.
    t.near(running(t, "ping") / 1e9, ping, 0.1, 0.3, "seconds that ping ran")
    t.near(running(t, "pong") / 1e9, pong, 0.1, 0.3, "seconds that pong ran")
    # Samples may come at an eighth of the rate: 9 s of one thread are some 200 then, and 5 sigma 0.16.
    seventy, thirty = sampled(t, "seventy"), sampled(t, "thirty")
    if t.check(seventy + thirty > 0, "the other program's samples"):
        t.near(seventy / (seventy + thirty), 0.7, 0, 0.16, "share of seventy()")
        t.near((seventy + thirty) / 1e9, 9, 0.4, 0, "seconds of the other program by samples")
    report = subprocess.run([t.perfscope, "report", t.path], stdout=subprocess.PIPE, check=True, text=True).stdout
    t.check("to keep within --max-overhead: " in report and "of it asked for" in report, "the report says so")


def test_faults(t, storm):
    def work():
        subprocess.run([storm, "14", "faults"], check=True)
        time.sleep(CALM)

    t.record(work, args=["--max-overhead", f"{MOST}%"])
    cost = settled_cost(t)
    print(f"governor: a storm of faults costs {cost:.2f} % of all CPUs, {costs(t).get(2, 0):.2f} % at first")
    t.check(cost < MOST * 1.15, f"{cost:.2f} % of all CPUs, wanted {MOST}")
    t.check(shares(t, "page faults")[:1] == [0], f"faults are no longer drawn: {shares(t, 'page faults')}")
    t.check(not shares(t, "times by state"), "times by state are exact: they were not what costs")


def test(t):
    test_switches(t, *sys.argv[2:4])
    if "--all" in sys.argv:
        test_faults(t, sys.argv[2])


sys.exit(probe_test.main("governor", test))
