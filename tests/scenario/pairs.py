#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two faults at once: is each of them found, with its culprit?

usage: pairs.py PERFSCOPE INJECTORS [--pairs N] [--seed S]

Draws faults of two areas (run.py tries each alone) and lets both run. Not a test: two may hide each other honestly, when one takes the
CPUs that the other would need. What is not found is printed with what was; look at it."""
import argparse
import contextlib
import os
import random
import sys
import time

import case
import run


def draw(faults, count):
    while count:
        one, other = random.sample(faults, 2)
        if one.finding.split(".")[0] != other.finding.split(".")[0] and not (one.options and other.options):
            count -= 1
            yield one, other


def look(perfscope, injectors, pair):
    with contextlib.ExitStack() as stack:
        for one in pair:
            stack.enter_context(case.start(one, injectors))
        time.sleep(0.5)
        seconds = max(one.seconds for one in pair)
        return run.diagnose(perfscope, seconds, pair[0].options + pair[1].options)[1]["findings"]


def is_found(wanted, findings):
    return any(f["id"] == wanted.finding and f["severity"] != "info" and
               (not wanted.culprit or wanted.culprit in run.people(f, "culprit")) for f in findings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perfscope", type=os.path.abspath)
    parser.add_argument("injectors", type=os.path.abspath)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    faults = [c for c in case.all_cases() if c.finding and not case.lacks(c)]
    both = 0
    for pair in draw(faults, options.pairs):
        findings = look(options.perfscope, options.injectors, pair)
        lacking = [one for one in pair if not is_found(one, findings)]
        both += not lacking
        print(" + ".join(f"{one.name} ({one.finding} of {one.culprit})" for one in pair),
              "both" if not lacking else "without " + " and ".join(one.name for one in lacking), sep=": ", flush=True)
        for f in findings if lacking else ():
            print(f"    {f['severity']} {f['id']} {f['impact']:.2f} {f['title']}")
    print(f"{both} of {options.pairs} pairs: both found")


if __name__ == "__main__":
    sys.exit(main())
