#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Soft interrupts and the CPUs' timers against the kernel's own counts."""
import os
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


def since(before):
    """How many more there are, of soft interrupts and of timers."""
    return [{name: number - old.get(name, 0) for name, number in now.items()} for now, old in zip((softirqs(), timers()), before)]


def flood(seconds, cpus):
    """Datagrams to ourselves: each is received in a soft interrupt of the CPU that sends it."""
    os.sched_setaffinity(0, cpus)
    with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
        there.bind(("127.0.0.1", 0))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(100):
                here.sendto(b"x" * 500, there.getsockname())


def test(t):
    cpus = sorted(os.sched_getaffinity(0))

    def run():
        before = softirqs(), timers()
        flood(1.8, cpus[:1])
        flood(0.2, cpus[-1:]) # hardly ever while it is looked at how long one takes there
        os.sched_setaffinity(0, cpus)
        return since(before)

    before = softirqs(), timers()
    truth, ticks = t.record(run, args=["--softirqs"])
    around, ticks_around = since(before)
    # What takes less than half a millisecond together is not written.
    for name, least in truth.items():
        received = name in [f"{cpu}:NET_RX" for cpu in (cpus[0], cpus[-1])]
        t.check(not received or least > 500, f"the workload makes soft interrupts: {name} {least}")
        t.between(t.total("softirq.count", name), 0.98 * least if received else 0, around[name], f"runs of {name}")
    if ticks:
        found = t.one("SELECT sum(value) FROM level WHERE metric = 'irq.count' AND resource LIKE '%:timer'")
        t.between(found, 0.9 * sum(ticks.values()) - 300 * len(cpus), sum(ticks_around.values()), "interrupts of the CPUs' timers")
    if not t.one("SELECT count(*) FROM unavailable WHERE probe = 'softirqs'"):
        rows = [row for row in t.view("interrupts")["soft"] if row["kind"] == "NET_RX"]
        received, most = (sum(number for name, number in runs.items() if name.endswith(":NET_RX")) for runs in (truth, around))
        t.between(sum(sum(row["histogram"] or []) for row in rows), 0.98 * received, most, "NET_RX whose delay is known")
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
