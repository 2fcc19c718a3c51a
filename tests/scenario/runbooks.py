#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every runbook beside a fault that it is for, and on a healthy machine.

usage: runbooks.py PERFSCOPE INJECTORS [NAME...]

A runbook is followed live (diagnose --runbook NAME) while a case of run.py is under way whose finding leads to it. Each of its steps
must have run without an error, or say why not; the fault must be found, and a solution be named. On an idle machine the same steps
must find nothing. Prints a table. Not part of what runs on each change: it takes some six minutes."""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time

import case
import resources
import run


@contextlib.contextmanager
def throttled(_injectors):
    with resources.cgroup("cpu", [("cpu.cfs_period_us", "50000"), ("cpu.cfs_quota_us", "10000")], [("cpu.max", "10000 50000")]) as child:
        with resources.running(resources.spin(child)) as (process,):
            yield process


# Cases whose finding the runbook is for, by their names in run.py's.
FAULTS = {
    "container-throttled": case.Case("throttled", throttled, "cpu.throttled"),
    "deadlock": "deadlock",
    "first-60-seconds": "hot-function",
    "gc-pauses": "java",
    "high-cpu": "hot-function",
    "lock-contention": "lock",
    "memory-leak": "leak",
    "memory-pressure": "thrash",
    "network-latency": ("distant", "names-unanswered"),
    "noisy-neighbour": "pinned",
    "packet-loss": "lossy",
    "slow-database": "sync-under-lock",
    "slow-disk": ("disk-slow", "no-space"),
    "slow-service": "slow-warehouse",
    "thread-pool-exhaustion": "pool",
}

# A step whose table is for the case, and must name its culprit or victim.
NAMED_BY = {"names-unanswered": "Who waits for name servers", "no-space": "Whose calls find no room"}


def follow(perfscope, name):
    """Exit status and document."""
    done = subprocess.run([perfscope, "diagnose", "--quiet", "--runbook", name, "-d", "4s", "--format", "json"],
                          stdout=subprocess.PIPE, check=False, timeout=180)
    return done.returncode, json.loads(done.stdout)


def check_steps(c, document):
    steps = document["runbook"]["steps"]
    for step in steps:
        c.check(step.get("ran") or step.get("why_not"), f"step {step['name']} neither ran nor says why not")
        c.check("error" not in step, f"step {step['name']}: {step.get('error')}")
    c.check(any(step.get("ran") for step in steps), "no step ran")


def attempt(name, wanted, options):
    c = run.Checks(name)
    if not run.is_quiet(run.PATIENCE):
        return None
    with contextlib.ExitStack() as stack:
        if wanted:
            stack.enter_context(case.start(wanted, options.injectors))
            time.sleep(0.5)
        status, document = follow(options.perfscope, name)
    found = [f["id"] for f in document["findings"] if f["severity"] != "info"]
    check_steps(c, document)
    c.check(status == bool(wanted), f"status {status}")
    if wanted:
        c.check(wanted.finding in found, f"{wanted.finding} is not among {found}")
        c.check(document["runbook"]["solutions"], "no solution is named")
        step = NAMED_BY.get(wanted.name)
        rows = [row for s in document["runbook"]["steps"] if s["name"] == step for row in s.get("rows", [])]
        c.check(not step or any(comm in row for row in rows for comm in (wanted.culprit, *wanted.victims)), f"step {step} tells {rows}")
    else:
        c.check(not found, f"found on an idle machine: {found}")
    print(f"{name:24} {wanted.name if wanted else 'idle':16} {', '.join(found) or 'nothing'}", flush=True)
    return c


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perfscope", type=os.path.abspath)
    parser.add_argument("injectors", type=os.path.abspath)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    cases = {c.name: c for c in case.all_cases()}
    counts = run.Counts("runbooks")
    for name in options.names or sorted(FAULTS):
        fault = FAULTS[name]
        faults = fault if isinstance(fault, tuple) else (fault,)
        for wanted in (*(cases[f] if isinstance(f, str) else f for f in faults), None):
            c = None if wanted and case.lacks(wanted) else attempt(name, wanted, options)
            if c:
                counts.add(c)
            else:
                counts.skip(name)
    return counts.end()


if __name__ == "__main__":
    sys.exit(main())
