#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sum_tests.py KNOWN-SKIPS BUILD-FOLDER LOG...: add up what meson's tests say about themselves.

A test ends with "NAME: N passed, N failed[, N skipped]" and gives a line "skipped: REASON" for
each check that it left out. A test that did not run, crashes, times out or lacks its closing
line is a failure; so is a skip that KNOWN-SKIPS does not list. The last line is "N passed, N failed[, N skipped]".
"""
import fnmatch
import json
import os
import re
import sys

CLOSING = re.compile(r"^\S+: (\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


def known_skips(path):
    """Lines "NAME: PATTERN" (shell pattern for the reason); # starts a comment."""
    with open(path, encoding="utf-8") as f:
        lines = (line.split("#")[0].strip() for line in f)
        return [tuple(part.strip() for part in line.split(":", 1)) for line in lines if line]


def bare_name(test):
    """Some versions of meson put the suite in front."""
    return test["name"].split(" / ")[-1]


def judge(name, test, known):
    """(passed, failed, skipped, what to tell) of one test."""
    lines = test.get("stdout", "").splitlines()
    closings = [m for m in map(CLOSING.match, lines) if m]
    if not closings:
        return 0, 1, 0, [f"{name}: no closing line ({test['result']}, status {test['returncode']})"]
    passed, failed, skipped = (int(n or 0) for n in closings[-1].groups())
    reasons = [line[len("skipped: "):] for line in lines if line.startswith("skipped: ")]
    notes = [f"{name}: skipped: {reason}" for reason in reasons]
    if failed:
        notes.append(f"{name}: {failed} failed")
    elif test["result"] not in ("OK", "SKIP"):
        failed = 1
        notes.append(f"{name}: {test['result']}, status {test['returncode']}, although it counted no failure")
    if skipped != len(reasons):
        failed += 1
        notes.append(f"{name}: {skipped} skipped, but {len(reasons)} reasons")
    for reason in reasons:
        if not any(n == name and fnmatch.fnmatch(reason, pattern) for n, pattern in known):
            failed += 1
            notes.append(f"{name}: not a known skip: {reason}")
    return passed, failed, skipped, notes


def results(build, logs):
    """Test name to its record in the logs `meson test --logbase LOG` left."""
    found = {}
    for log in logs:
        path = os.path.join(build, "meson-logs", log + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as f:
                found |= {bare_name(test): test for test in map(json.loads, f)}
    return found


def print_failed(build, logs):
    print(" ".join(name for name, test in results(build, logs).items() if test["result"] not in ("OK", "SKIP")))
    return 0


def main():
    if sys.argv[1] == "--failed":
        return print_failed(sys.argv[2], sys.argv[3:])
    known = known_skips(sys.argv[1])
    build = sys.argv[2]
    found = results(build, sys.argv[3:])
    totals = [0, 0, 0]
    with open(os.path.join(build, "meson-info", "intro-tests.json"), encoding="utf-8") as f:
        names = [bare_name(test) for test in json.load(f)]
    for name in names:
        *counts, notes = judge(name, found[name], known) if name in found else (0, 1, 0, [f"{name}: did not run"])
        totals = [a + b for a, b in zip(totals, counts)]
        print("\n".join(notes), end="\n" if notes else "")
    passed, failed, skipped = totals
    if len(set(names)) != len(names) or not passed:
        failed += 1
        print("two tests have the same name" if passed else "no test has passed")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
