#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Soft interrupts and the CPUs' timers against the kernel's own counts."""
import socket
import sys
import time

import probe_test


def softirqs():
    """Runs of each kind of soft interrupt, by "CPU:KIND"."""
    lines = open("/proc/softirqs", encoding="ascii").read().splitlines()
    cpus = [word[3:] for word in lines[0].split()]
    return {f"{cpu}:{line.split()[0][:-1]}": int(number)
            for line in lines[1:] for cpu, number in zip(cpus, line.split()[1:])}


def timers():
    """Interrupts of each CPU's own timer, by CPU; empty where they are counted otherwise."""
    lines = open("/proc/interrupts", encoding="ascii").read().splitlines()
    cpus = [word[3:] for word in lines[0].split()]
    return {cpu: int(number) for line in lines if line.split()[0] == "LOC:" for cpu, number in zip(cpus, line.split()[1:])}


def flood(seconds):
    """Datagrams to ourselves: each is received in a soft interrupt of the CPU that sends it."""
    with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
        there.bind(("127.0.0.1", 0))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(100):
                here.sendto(b"x" * 500, there.getsockname())


def test(t):
    def run():
        before, ticks_before = softirqs(), timers()
        flood(2)
        after, ticks = softirqs(), timers()
        return ({name: after[name] - before[name] for name in after},
                {cpu: ticks[cpu] - ticks_before[cpu] for cpu in ticks})

    truth, ticks = t.record(run, args=["--softirqs"])
    kinds = {}
    for name, number in truth.items():
        kinds[name.split(":")[1]] = kinds.get(name.split(":")[1], 0) + number
    t.check(kinds["NET_RX"] > 1000, f"the workload makes soft interrupts: {kinds['NET_RX']}")
    for kind in "NET_RX", "TIMER", "RCU", "SCHED":
        found = t.rows("SELECT sum(value) FROM level WHERE metric = 'softirq.count' AND resource LIKE '%:' || ?", kind)
        # The recording begins a second before and ends a moment later than the flood.
        t.near(found[0][0], kinds[kind], 0.1 if kind == "NET_RX" else 1.2, 1500, f"runs of {kind}")
    if ticks:
        found = t.rows("SELECT sum(value) FROM level WHERE metric = 'irq.count' AND resource LIKE '%:timer'")
        t.near(found[0][0], sum(ticks.values()), 1.2, 300, "interrupts of the CPUs' timers")
    if not t.one("SELECT count(*) FROM unavailable WHERE probe = 'softirqs'"):
        rows = [row for row in t.view("interrupts")["soft"] if row["kind"] == "NET_RX"]
        t.near(sum(sum(row["histogram"] or []) for row in rows), kinds["NET_RX"], 0.1, 1500, "NET_RX whose delay is known")
        # What is raised by a sender runs as soon as that lets interrupts in.
        delays = [row["delay_p50_ns"] for row in rows if row["delay_p50_ns"]]
        t.check(delays and min(delays) < 5e6, f"half of them run soon: {delays}")
    for cpu in {name.split(":")[0] for name in truth}:
        busy = t.rows("SELECT l.slice, sum(l.value) / (s.end_ns - s.start_ns) FROM level l JOIN slice s ON s.id = l.slice "
                      "WHERE l.metric IN ('softirq.time', 'irq.time') AND l.resource LIKE ? || ':%' GROUP BY l.slice", cpu)
        t.check(all(share < 1.01 for _, share in busy), f"CPU {cpu} is not longer in interrupts than there is time: {busy}")
    net = t.one("SELECT sum(value) FROM level WHERE metric = 'softirq.time' AND resource LIKE '%:NET_RX'") or 0
    t.check(2e6 < net < 2e9, f"time in receiving: {net} ns")


if __name__ == "__main__":
    sys.exit(probe_test.main("irq", test))
