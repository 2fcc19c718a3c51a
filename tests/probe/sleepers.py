#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand threads that sleep: what they cost between the walks at the start and at the end."""
import json
import subprocess
import sys
import time

import probe_test

WANTED = 10000


def works(what):
    run = subprocess.run([sys.argv[1], "doctor", "--format", "json"], text=True, stdout=subprocess.PIPE, check=False)
    return any(check["name"] == what and check["status"] == "works" for check in json.loads(run.stdout)["checks"])


def there_already(t):
    """Each thread that was there already is known, how many there may be."""
    with subprocess.Popen([sys.argv[2], "sleepers", "1000"], stdout=subprocess.PIPE, text=True) as crowd:
        count = int(crowd.stdout.readline())
        t.record(lambda: time.sleep(0.5))
        crowd.kill()
    known = t.one("SELECT count(*) FROM thread WHERE pid = ?", crowd.pid)
    t.check(known == count + 1, f"all are known: {known} of {count} and the first")


def test(t):
    there_already(t)

    def run():
        time.sleep(1.2)
        with subprocess.Popen([sys.argv[2], "sleepers", str(WANTED)], stdout=subprocess.PIPE, text=True) as crowd:
            count = int(crowd.stdout.readline())
            time.sleep(5.2) # within two slices each has the stack that it waits at
            crowd.kill()
        return crowd.pid, count

    pid, count = t.record(run)
    t.check(count >= WANTED / 10, f"there is a crowd: {count}")
    cost = dict(t.rows("SELECT slice, sum(value) FROM level WHERE metric IN ('self.cpu', 'self.bpf') GROUP BY slice"))
    # The first slices are without them; they go in the last two.
    slices = sorted(cost)
    before, after = slices[1:2], slices[-4:-2]
    with_them, without = min(cost[s] for s in after), min(cost[s] for s in before)
    # A kernel that does not let sockets be listed has the files of all threads walked for them.
    allowed = 10e6 if works("iter/bpf_sk_storage_map") else 30e6
    t.check(with_them <= without + allowed, f"they cost nothing: {with_them} ns a second of all programs and processes, {without} without them")
    print("each slice:", {s: round(cost[s] / 1e6, 1) for s in slices})
    rows = t.one("SELECT count(*) FROM sample s JOIN thread th USING (task) WHERE th.pid = ? AND s.slice IN (?, ?)", pid, *after)
    t.check(rows == 0, f"they leave no rows while they sleep: {rows}")
    spans = t.one("SELECT count(DISTINCT s.task) FROM span s JOIN thread th ON th.task = s.task WHERE th.pid = ?", pid)
    t.check(spans >= count, f"but a span each: {spans} of {count}")


if __name__ == "__main__":
    sys.exit(probe_test.main("sleepers", test))
