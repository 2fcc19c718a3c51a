#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does `diagnose` name the fault that is injected, and keep silent about healthy load?

usage: run.py PERFSCOPE INJECTORS [--all] [--rounds N] [--once] [NAME...]

Each case (case.py, cases/AREA.py) starts a load and looks at the machine for a few seconds meanwhile. A fault must be the
first finding, with its process and function; a healthy load must raise no warning and no critical finding. What disturbs a
machine now and then disturbs a case, too: one that fails is tried a second time, and said to have been, unless --once is given.
Runs the cases that every change must pass; --all runs the others as well. Prints a table of precision and recall at the end."""
import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time

import case

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../probe"))
import probe_test  # noqa: E402

PATIENCE = 12  # seconds to wait for other programs to come to rest
QUIET = 0.2  # CPUs that they may use
LOOK = 0.5  # seconds
BUSY = "other programs keep the CPUs busy"


class Checks:
    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failures = []

    def check(self, fact, what):
        if fact:
            self.passed += 1
        else:
            self.failures.append(f"{self.name}: {what}")
        return fact


def busy_ticks():
    """Of all CPUs since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (int(n) for n in f.readline().split()[1:8])
    return user + nice + system + irq + softirq


def is_quiet(patience):
    """What is injected is the only load, or its truth is not known."""
    for _ in range(int(patience / LOOK)):
        before = busy_ticks()
        time.sleep(LOOK)
        if (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") <= QUIET * LOOK:
            return True
    return False


def diagnose(perfscope, seconds, options):
    """Exit status and document."""
    done = subprocess.run([perfscope, "diagnose", "--quiet", "-d", f"{seconds}s", "--format", "json", *options],
                          stdout=subprocess.PIPE, check=False, timeout=seconds + 60)
    return done.returncode, json.loads(done.stdout)


def people(finding, role):
    return [task["comm"] for task in finding["affected"] if task["role"] == role]


def check_fault(c, wanted, status, findings):
    if not c.check(findings and status == 1, f"status {status}, {len(findings)} findings"):
        return
    first = findings[0]
    c.check(first["id"] == wanted.finding, f"{first['id']} leads, not {wanted.finding}: {first['title']}")
    c.check(first["severity"] in ("warning", "critical"), first["severity"])
    culprits = [wanted.culprit] if wanted.culprit else []
    c.check(people(first, "culprit")[:1] == culprits, f"culprits {people(first, 'culprit')}")
    if wanted.victims:
        c.check(set(wanted.victims) & set(people(first, "victim")), f"victims {people(first, 'victim')}")
    if wanted.function:
        frames = [f for stack in first["stacks"] for f in stack["frames"]]
        c.check(wanted.function in frames, f"no {wanted.function} in {frames}")
    if wanted.resource:
        name = (first["resource"] or {"name": ""})["name"]
        c.check(re.search(wanted.resource, name), f"resource {name}")
    metrics = " ".join(e["metric"] for e in first["evidence"])
    for words in wanted.evidence:
        c.check(words in metrics, f"no {words} in {metrics}")
    found = {f["id"] for f in findings[1:] if f["severity"] != "info"}
    for other in wanted.also:
        c.check(other in found, f"no {other} in {found}")


def check_healthy(c, status, findings):
    raised = [f["id"] + ": " + f["title"] for f in findings if f["severity"] != "info"]
    c.check(not raised and status == 0, f"status {status}, {raised}")


def attempt(wanted, perfscope, injectors, quiet):
    """Checks and findings; None on a machine that has other work. QUIET: it was at rest just now."""
    c = Checks(wanted.name)
    if not quiet and not is_quiet(PATIENCE):
        return None
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(case.start(wanted, injectors))
        time.sleep(0.5)
        status, document = diagnose(perfscope, wanted.seconds, wanted.options)
        c.check(load.poll() is None, "the load has ended by itself")
    if not is_quiet(2):
        return None
    if wanted.finding:
        check_fault(c, wanted, status, document["findings"])
    else:
        check_healthy(c, status, document["findings"])
    return c, document["findings"]


class Counts(probe_test.Counts):
    """Of checks, over all cases."""

    def add(self, c):
        for words in c.failures:
            print(f"not so: {words}", flush=True)
        self.passed += c.passed
        self.failed += len(c.failures)


class Table:
    """Of the cases that were (not) looked at while thresholds were tuned."""

    def __init__(self):
        self.right = {False: 0, True: 0}  # by held_out: faults that led, culprit and all
        self.wrong = {False: 0, True: 0}
        self.silent = {False: 0, True: 0} # healthy loads
        self.alarms = {False: 0, True: 0}

    def add(self, wanted, good):
        column = (self.right if good else self.wrong) if wanted.finding else (self.silent if good else self.alarms)
        column[wanted.held_out] += 1

    def show(self):
        def share(part, rest):
            return f"{100 * part / (part + rest):.0f} %" if part + rest else "-"
        print(f"{'cases':10} {'faults':>7} {'first place and culprit':>24} {'healthy':>8} {'alarms':>7} {'precision':>10} {'recall':>7}")
        for held_out, words in ((False, "tuned"), (True, "held out")):
            right, wrong, silent, alarms = (x[held_out] for x in (self.right, self.wrong, self.silent, self.alarms))
            print(f"{words:10} {right + wrong:7} {right:24} {silent + alarms:8} {alarms:7} {share(right, wrong + alarms):>10} "
                  f"{share(right, wrong):>7}")


def run(wanted, options, quiet):
    """Checks of the try that counts."""
    for tries_left in (0,) if options.once else (2, 1, 0):
        result = attempt(wanted, options.perfscope, options.injectors, quiet)
        if not result:
            return None
        quiet = True
        c, findings = result
        first = f"{findings[0]['severity']} {findings[0]['id']} {findings[0]['impact']:.2f}" if findings else "nothing"
        print(f"{wanted.name:24} {first}", flush=True)
        if not c.failures or not tries_left:
            return c
        for words in c.failures:
            print(f"once more, for: {words}", flush=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perfscope", type=os.path.abspath)
    parser.add_argument("injectors", type=os.path.abspath)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    counts = Counts("scenario")
    wanted = [c for c in case.all_cases() if (c.name in options.names if options.names else c.often or options.all)]
    if os.geteuid() != 0:
        counts.skip("needs root")
        wanted = []
    table = Table()
    quiet = False
    for one in wanted * options.rounds:
        if lacking := case.lacks(one):
            counts.skip(f"there is no {lacking}")
            continue
        c = run(one, options, quiet)
        quiet = bool(c)
        if not c:
            counts.skip(BUSY)
            continue
        counts.add(c)
        table.add(one, not c.failures)
    table.show()
    return counts.end()


if __name__ == "__main__":
    sys.exit(main())
