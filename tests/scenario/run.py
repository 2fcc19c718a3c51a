#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py PERFSCOPE INJECTORS [NAME...]: does `diagnose` name the fault that is injected, and keep silent about healthy load?

Each scenario runs a program of its own and looks at the machine for a few seconds meanwhile. A fault must be the
first finding, with its process and function; a healthy load must raise no warning and no critical finding."""
import json
import os
import subprocess
import sys
import time

SECONDS = 4
PATIENCE = 12  # seconds to wait for other programs to come to rest
QUIET = 0.2  # CPUs that they may use
BUSY = "other programs keep the CPUs busy"

# name, command, expected first finding (None: nothing above info), culprit's process (None: nobody here), function in its
# stacks, delayed processes, of which one at least is named
SCENARIOS = [
    ("crowd", "crowd 6", "cpu.saturation", "numbercruncher", None, "visitor frontdesk"),
    ("crowd-fast", "crowd-nofp 10 1000 200", "cpu.saturation", "numbercruncher", None, "visitor frontdesk"),
    ("hot-function", "hotserver 2 70", "cpu.hotspot", "hotserver", "price_basket", "buyer"),
    ("hot-function-many", "hotserver-nofp 4 60", "cpu.hotspot", "hotserver", "price_basket", "buyer"),
    ("slow-stage", "pipeline 5000", "cpu.single-thread", "compressor", "squeeze", "bookwriter"),
    ("slow-stage-pool", "pipeline-nofp 20000 3", "cpu.single-thread", "compressor", "squeeze", "bookwriter"),
    ("deadlock", "deadlock 2", "lock.deadlock", "deadlock", "transfer", None),
    ("deadlock-ring", "deadlock-nofp 5", "lock.deadlock", "deadlock-nofp", "transfer", None),
    ("lock", "storekeepers 4 1000 300", "lock.contention", "storekeeper", "reserve_item", None),
    ("lock-many", "storekeepers-nofp 12 3000 500", "lock.contention", "storekeeper", "reserve_item", None),
    ("sync-under-lock", "storekeepers 4 5 300 orders", "disk.sync", "storekeeper", "commit_order", None),
    ("sync-under-lock-many", "storekeepers-nofp 8 20 100 orders", "disk.sync", "storekeeper", "commit_order", None),
    ("slow-reader", "tcpfault slow-reader", "net.zero-window", "archiver", "ponder", "feeder"),
    ("full-queue", "tcpfault full-queue", "net.accept-queue", "gatekeeper", None, None),
    ("refused", "tcpfault-nofp refused", "net.connect-failures", None, None, "poller"),
    ("small-writes", "tcpfault small-writes", "net.small-writes", "customer", "ask", "clerk"),
    ("stopped", "stopped 200 300", "pause.freeze", "bookkeeper", "keep_books", None),
    ("stopped-long", "stopped-nofp 1500 500", "pause.freeze", "bookkeeper", "keep_books", None),
    ("put-aside", "stopped 1 0", None, None, None, None),
    ("turns", "turns 4 1000", "app.serialized", "interpreter", "interpret", None),
    ("turns-long", "turns-nofp 3 5000", "app.serialized", "interpreter", "interpret", None),
    ("faults", "faulter 16", "memory.faults", "painter", "fill_pages", "viewer"),
    ("idle", None, None, None, None, None),
    ("locks-in-order", "deadlock 5 order", None, None, None, None),
    ("build", "crew 2 300", None, None, None, None),
    ("build-crowded", "crew-nofp 5 80", None, None, None, None),
    ("idle-threads", "sleepers 400", None, None, None, None),
    ("requests", "requests 100 1000 3", None, None, None, None),
    ("requests-few", "requests-nofp 20 10000 1", None, None, None, None),
    ("lock-free", "storekeepers 2 20 2000", None, None, None, None),
    ("work-pool", "workpool 8 500 300", None, None, None, None),
    ("work-pool-busy", "workpool-nofp 3 300 4000", None, None, None, None),
    ("batch", "crew 1 60000", None, None, None, None),
    ("fast-reader", "tcpfault fast-reader", None, None, None, None),
    ("busy-queue", "tcpfault-nofp busy-queue", None, None, None, None),
    ("answered", "tcpfault answered", None, None, None, None),
    ("whole-writes", "tcpfault-nofp whole-writes", None, None, None, None),
    ("keep-alive", "tcpfault keep-alive", None, None, None, None),
]


class Checks:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def skip(self, reason):
        self.skipped += 1
        print(f"skipped: {reason}")

    def check(self, scenario, fact, what):
        if fact:
            self.passed += 1
        else:
            self.failed += 1
            print(f"not so: {scenario}: {what}")
        return fact


def busy_ticks():
    """Of all CPUs since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (int(n) for n in f.readline().split()[1:8])
    return user + nice + system + irq + softirq


def is_quiet(patience):
    """What is injected is the only load, or its truth is not known."""
    for _ in range(patience):
        before = busy_ticks()
        time.sleep(1)
        if (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") <= QUIET:
            return True
    return False


def diagnose(perfscope):
    """Exit status and document."""
    done = subprocess.run([perfscope, "diagnose", "--quiet", "-d", f"{SECONDS}s", "--format", "json"],
                          stdout=subprocess.PIPE, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout)


def people(finding, role):
    return [task["comm"] for task in finding["affected"] if task["role"] == role]


def check_fault(checks, scenario, status, findings):
    name, _, wanted, culprit, function, victim = scenario
    if not checks.check(name, findings and status == 1, f"status {status}, {len(findings)} findings"):
        return
    first = findings[0]
    checks.check(name, first["id"] == wanted, f"{first['id']} leads, not {wanted}: {first['title']}")
    checks.check(name, first["severity"] in ("warning", "critical"), first["severity"])
    culprits = [culprit] if culprit else []
    checks.check(name, people(first, "culprit")[:1] == culprits, f"culprits {people(first, 'culprit')}")
    if victim:
        checks.check(name, set(victim.split()) & set(people(first, "victim")), f"victims {people(first, 'victim')}")
    if function:
        frames = [f for stack in first["stacks"] for f in stack["frames"]]
        checks.check(name, function in frames, f"no {function} in {frames}")
    if wanted == "cpu.saturation":
        metrics = " ".join(e["metric"] for e in first["evidence"])
        checks.check(name, "p50" in metrics and "p99" in metrics, metrics)


def check_healthy(checks, name, status, findings):
    raised = [f["id"] + ": " + f["title"] for f in findings if f["severity"] != "info"]
    checks.check(name, not raised and status == 0, f"status {status}, {raised}")


def run(total, scenario, perfscope, injectors):
    checks = Checks()
    name, command = scenario[:2]
    argv = command.split() if command else ["sleep", "60"]
    path = os.path.join(injectors, argv[0]) if command else argv[0]
    if not is_quiet(PATIENCE):
        total.skip(BUSY)
        return
    with subprocess.Popen([path] + argv[1:]) as load:
        try:
            time.sleep(0.5)
            status, document = diagnose(perfscope)
            checks.check(name, load.poll() is None, "the load has ended by itself")
        finally:
            load.kill()
    if not is_quiet(2):
        total.skip(BUSY)
        return
    findings = document["findings"]
    if scenario[2]:
        check_fault(checks, scenario, status, findings)
    else:
        check_healthy(checks, name, status, findings)
    first = f"{findings[0]['severity']} {findings[0]['id']} {findings[0]['impact']:.2f}" if findings else "nothing"
    print(f"{name:20} {first}", flush=True)
    total.passed += checks.passed
    total.failed += checks.failed


def main():
    perfscope, injectors, *only = sys.argv[1:]
    checks = Checks()
    if os.geteuid() != 0:
        checks.skip("needs root")
        SCENARIOS.clear()
    for scenario in SCENARIOS:
        if not only or scenario[0] in only:
            run(checks, scenario, perfscope, injectors)
    skipped = f", {checks.skipped} skipped" if checks.skipped else ""
    print(f"scenario: {checks.passed} passed, {checks.failed} failed{skipped}")
    return checks.failed != 0


if __name__ == "__main__":
    sys.exit(main())
