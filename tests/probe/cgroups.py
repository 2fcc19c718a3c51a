#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Quotas and limits of cgroups against the cgroups' own files."""
import json
import os
import subprocess
import sys
import time

import probe_test

NAME = f"perfscope-test-{os.getpid()}"


def mount_of(controller):
    """(path, version) of a controller's hierarchy; None when there is none."""
    for line in open("/proc/self/mounts", encoding="utf-8"):
        _, path, kind, options = line.split()[:4]
        if kind == "cgroup" and controller in options.split(","):
            return path, 1
        if kind == "cgroup2":
            with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as f:
                if controller in f.read().split():
                    return path, 2
    return None


def put(*path_and_text):
    with open(os.path.join(*path_and_text[:-1]), "w", encoding="ascii") as f:
        f.write(path_and_text[-1])


def numbers(*path):
    with open(os.path.join(*path), encoding="ascii") as f:
        return {line.split()[0]: int(line.split()[1]) for line in f if len(line.split()) == 2}


def make(controller, *settings, name=NAME):
    """A new cgroup with a child below it, whose limit is the parent's."""
    found = mount_of(controller)
    if not found:
        return None, None
    top, version = found
    if version == 2:
        put(top, "cgroup.subtree_control", "+" + controller)
    parent = os.path.join(top, name)
    child = os.path.join(parent, "child")
    os.makedirs(child)
    for setting, text in settings[version - 1]:
        put(parent, setting, text)
    return parent, child


def run_in(child, code):
    return subprocess.Popen([sys.executable, "-c", code],
                            preexec_fn=lambda: put(child, "cgroup.procs", str(os.getpid())))


def remove(parent):
    for path in os.path.join(parent, "child"), parent:
        for _ in range(50):
            try:
                os.rmdir(path)
                break
            except OSError:
                time.sleep(0.05)


def cpu(t):
    parent, child = make("cpu", [("cpu.cfs_period_us", "50000"), ("cpu.cfs_quota_us", "10000")],
                         [("cpu.max", "10000 50000")])
    if not parent:
        t.skip("no cgroup controller for CPUs")
        return

    def workload():
        before = numbers(parent, "cpu.stat")
        spinner = run_in(child, "while True: pass")
        time.sleep(2)
        spinner.kill()
        spinner.wait()
        time.sleep(1.2)
        after = numbers(parent, "cpu.stat")
        return {name: after[name] - before[name] for name in after}

    try:
        truth = t.record(workload)
    finally:
        remove(parent)
    stopped = truth["throttled_time"] if "throttled_time" in truth else 1000 * truth["throttled_usec"]
    t.near(t.level("cgroup.quota", "/" + NAME), 0.2, 0, 1e-9, "quota of the parent, in CPUs")
    t.near(t.total("cgroup.throttled", "/" + NAME), stopped, 0.05, 50e6, "time that it was stopped")
    t.check(stopped > 1e9, "the quota bites")
    # The program runs a moment longer than it is recorded.
    t.near(t.total("cgroup.periods_throttled", "/" + NAME), truth["nr_throttled"], 0.02, 3, "periods cut short")
    t.check(not t.rows("SELECT 1 FROM level WHERE metric = 'cgroup.quota' AND resource LIKE '/' || ? || '/%'", NAME),
            "the child has no quota of its own")
    t.check(t.one("SELECT count(*) FROM process p JOIN cgroup g ON g.id = p.cgroup WHERE g.path = ?",
                  f"/{NAME}/child") == 1, "the process is known to be in it")


def limited_disk():
    """A cgroup that may read a MiB a second from the disk below this folder; None where there is no such limit (version 2 would
    have to be asked in the cgroup that limits memory), or none for a partition."""
    number = os.stat(".").st_dev
    try:
        return make("blkio", [("blkio.throttle.read_bps_device", f"{os.major(number)}:{os.minor(number)} {1 << 20}")], [])[0]
    except OSError:
        remove(os.path.join(mount_of("blkio")[0], NAME))
        return None


def memory(t):
    parent, child = make("memory", [("memory.limit_in_bytes", str(64 << 20))],
                         [("memory.max", str(64 << 20)), ("memory.swap.max", "0")])
    if not parent:
        t.skip("no cgroup controller for memory")
        return
    disk = limited_disk()

    pids = []

    def workload():
        hog = run_in(child, "import time\nx = bytearray(40 << 20)\ntime.sleep(2.5)\ny = []\nwhile True: y.append(bytearray(1 << 20))")
        if disk:
            put(disk, "cgroup.procs", str(hog.pid))
        pids.append(hog.pid)
        hog.wait()
        time.sleep(1.2)
        return hog.returncode

    try:
        status = t.record(workload)
    finally:
        remove(parent)
        if disk:
            remove(disk)
    t.check(status == -9, f"the kernel killed it: {status}")
    t.near(t.level("cgroup.memory_limit", "/" + NAME), 64 << 20, 0, 1, "memory limit")
    most = t.one("SELECT max(value) FROM level WHERE metric = 'cgroup.memory' AND resource = ?", "/" + NAME)
    t.near(most, 48 << 20, 0.4, 0, "memory in use")
    t.check(t.total("cgroup.memory_failures", "/" + NAME) > 0, "it met its limit")
    kills = t.rows("SELECT sum(value) FROM level WHERE metric = 'cgroup.oom_kills' AND resource LIKE '/' || ? || '%'", NAME)
    t.check(kills[0][0] and kills[0][0] >= 1, f"the kill is counted: {kills}")
    if not disk:
        t.skip("no cgroup limits disks")
        return
    limits = t.rows("SELECT s.value / s.count FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task "
                    "WHERE m.name = 'io.limit_bytes' AND t.pid = ?", pids[0])
    t.check(limits == [(1 << 20,)], f"what it may read a second: {limits}")


def tasks(t):
    parent, child = make("pids", [("pids.max", "8")], [("pids.max", "8")])
    if not parent:
        t.skip("no cgroup controller for tasks")
        return
    code = ("import threading, time\ndef more():\n try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
            " except RuntimeError: pass\nfor i in range(6): more()\ntime.sleep(1.2)\nfor i in range(5): more()\ntime.sleep(60)")
    spawner = None

    def workload():
        nonlocal spawner
        spawner = run_in(child, code)
        time.sleep(3.5)
        return numbers(parent, "pids.events")["max"] + numbers(child, "pids.events")["max"]

    try:
        refused = t.record(workload)
    finally:
        if spawner:
            spawner.kill()
            spawner.wait()
        remove(parent)
    t.check(refused == 4, f"the limit bites: {refused}")
    t.near(t.level("cgroup.tasks_limit", "/" + NAME), 8, 0, 0, "limit of tasks")
    t.near(t.one("SELECT max(value) FROM level WHERE metric = 'cgroup.tasks' AND resource = ?", "/" + NAME), 8, 0, 0, "tasks in it")
    table = json.loads(subprocess.run([t.perfscope, "report", "--format", "json", t.path], stdout=subprocess.PIPE, text=True, check=True).stdout)
    row = [r for r in table["resources"] if r["kind"] == "task limit" and r["name"] == "/" + NAME]
    t.check(row and row[0]["utilisation_percent"] == 100 and row[0]["errors"] > 0,
            f"it is full, and the refusals: {row}")


def test(t):
    cpu(t)
    tasks(t)
    memory(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("cgroups", test))
