#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The sum of all tests must not call a run good that is not."""
import json
import os
import subprocess
import sys
import tempfile

SCRIPT = sys.argv[1]
KNOWN = "flaky: there is no * # on small machines\n# a comment\n"


def run(tests, names=None):
    """(status, last line) of the script over a build folder with these test records."""
    with tempfile.TemporaryDirectory() as build:
        os.mkdir(build + "/meson-logs")
        os.mkdir(build + "/meson-info")
        with open(build + "/meson-logs/unit.json", "w") as f:
            for name, stdout, result, code in tests:
                record = {"name": name, "stdout": stdout, "result": result, "returncode": code}
                f.write(json.dumps(record) + "\n")
        with open(build + "/meson-info/intro-tests.json", "w") as f:
            json.dump([{"name": name} for name in names or [t[0] for t in tests]], f)
        with open(build + "/known", "w") as f:
            f.write(KNOWN)
        done = subprocess.run([sys.executable, SCRIPT, build + "/known", build, "unit", "others"],
                              capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout.splitlines() or [done.stderr])[-1]


GOOD = ("good", "noise\ngood: 5 passed, 0 failed\n", "OK", 0)
CASES = [
    ("one that passes", run([GOOD]), (0, "5 passed, 0 failed")),
    ("one that fails", run([GOOD, ("bad", "bad: 1 passed, 2 failed\n", "FAIL", 1)]), (1, "6 passed, 2 failed")),
    ("a crash", run([GOOD, ("bad", "", "FAIL", -11)]), (1, "5 passed, 1 failed")),
    ("a crash behind the closing line", run([GOOD, ("bad", "bad: 1 passed, 0 failed\n", "FAIL", -6)]),
     (1, "6 passed, 1 failed")),
    ("a time-out", run([GOOD, ("slow", "slow: 1 passed, 0 failed\n", "TIMEOUT", -15)]), (1, "6 passed, 1 failed")),
    ("no closing line", run([GOOD, ("mute", "all is well\n", "OK", 0)]), (1, "5 passed, 1 failed")),
    ("one that did not run", run([GOOD], ["good", "lost"]), (1, "5 passed, 1 failed")),
    ("two of one name", run([GOOD, GOOD]), (1, "10 passed, 1 failed")),
    ("nothing passed", run([("good", "good: 0 passed, 0 failed\n", "OK", 0)]), (1, "0 passed, 1 failed")),
    ("a known skip", run([GOOD, ("flaky", "skipped: there is no redis\nflaky: 1 passed, 0 failed, 1 skipped\n", "OK", 0)]),
     (0, "6 passed, 0 failed, 1 skipped")),
    ("an unknown skip", run([GOOD, ("flaky", "skipped: no time\nflaky: 1 passed, 0 failed, 1 skipped\n", "OK", 0)]),
     (1, "6 passed, 1 failed, 1 skipped")),
    ("a skip without reason", run([GOOD, ("flaky", "flaky: 1 passed, 0 failed, 1 skipped\n", "OK", 0)]),
     (1, "6 passed, 1 failed, 1 skipped")),
    ("a whole test that skips", run([GOOD, ("flaky", "skipped: there is no node\nflaky: 0 passed, 0 failed, 1 skipped\n", "SKIP", 77)]),
     (0, "5 passed, 0 failed, 1 skipped")),
]



def second_try():
    """What fails is named; when it passes the second time, that counts."""
    with tempfile.TemporaryDirectory() as build:
        os.makedirs(build + "/meson-logs")
        os.mkdir(build + "/meson-info")
        bad = {"name": "shaky", "stdout": "shaky: 1 passed, 1 failed\n", "result": "FAIL", "returncode": 1}
        good = {"name": "shaky", "stdout": "shaky: 2 passed, 0 failed\n", "result": "OK", "returncode": 0}
        for name, value in ("meson-logs/unit.json", bad), ("meson-info/intro-tests.json", [{"name": "shaky"}]):
            with open(f"{build}/{name}", "w") as f:
                json.dump(value, f)
        open(build + "/known", "w").close()
        named = subprocess.run([sys.executable, SCRIPT, "--failed", build, "unit", "again"], capture_output=True, text=True)
        with open(build + "/meson-logs/again.json", "w") as f:
            json.dump(good, f)
        done = subprocess.run([sys.executable, SCRIPT, build + "/known", build, "unit", "again"], capture_output=True, text=True)
        return named.stdout.strip(), done.returncode, done.stdout.strip()


CASES.append(("a second try", second_try(), ("shaky", 0, "2 passed, 0 failed")))
failed = 0
for what, got, want in CASES:
    if got != want:
        failed += 1
        print(f"{what}: {got}, wanted {want}", file=sys.stderr)
print(f"sum: {len(CASES) - failed} passed, {failed} failed")
sys.exit(failed != 0)
