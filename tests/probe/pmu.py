#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Events that are counted by process and function: the kernel's, which every machine has, against what a program knows of itself;
those of the hardware where there are any."""
import subprocess
import sys

import probe_test

WORK = """
import mmap, resource, sys, time
def touch(bytes):
    m = mmap.mmap(-1, bytes)
    for at in range(0, bytes, 4096):
        m[at] = 1
    m.close()
sys.stdin.readline()
before = resource.getrusage(resource.RUSAGE_SELF)
end = time.monotonic() + 3
while time.monotonic() < end:
    touch(8 << 20)
    time.sleep(0.01)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_minflt - before.ru_minflt, flush=True)
sys.stdin.readline()
"""

UNDER = """WITH RECURSIVE under(id) AS (
    SELECT k.id FROM stack k JOIN frame_name n ON n.frame = k.frame WHERE n.name = 'touch'
    UNION SELECT k.id FROM under u JOIN stack k ON k.parent = u.id)
SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task)
WHERE m.name = ? AND t.pid = ? AND s.stack IN under"""


def total(t, metric, pid):
    return t.one("SELECT ifnull(sum(s.value), 0) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                 "WHERE m.name = ? AND t.pid = ?", metric, pid)


def software(t):
    worker = subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run():
        worker.stdin.write("\n")
        worker.stdin.flush()
        return int(worker.stdout.readline())

    faults = t.record(run, args=["--pmu-events", "page-faults,context-switches"])
    worker.communicate("\n")
    # Hundreds of samples, each of a thousand faults, some of which were others'. Its switches are a small part of the
    # machine's, which few samples do not tell.
    t.near(total(t, "pmu.page_faults", worker.pid), faults, 0.1, 2e3, "page faults")
    t.near(t.one(UNDER, "pmu.page_faults", worker.pid), faults, 0.15, 2e3, "page faults below the function that has them")
    events = t.view("counters")["events"]
    t.check({"page_faults", "context_switches"} <= {row["event"] for row in events}, f"both in the view: {events[:4]}")
    t.check(any(row["pid"] == worker.pid and row["event"] == "page_faults" for row in events), "its faults are in the view")


def hardware(t):
    t.record(lambda: sum(range(10 ** 7)), args=["--pmu"])
    if t.one("SELECT count(*) FROM unavailable WHERE probe = 'pmu'"):
        t.skip("this machine has no hardware counters")
        return
    ipc = t.one("SELECT sum(iif(m.name = 'pmu.instructions', s.value, 0)) * 1.0 / sum(iif(m.name = 'pmu.cycles', s.value, 0)) "
                "FROM sample s JOIN metric m ON m.id = s.metric")
    t.check(ipc and 0.05 < ipc < 8, f"instructions a cycle: {ipc}")


def wrong(t):
    run = subprocess.run([t.perfscope, "record", "--pmu-events", "wishes", "-d", "1s", "-o", t.path], check=False, text=True,
                         stderr=subprocess.PIPE)
    t.check(run.returncode == 2 and "wishes" in run.stderr, f"an event that is not known: {run.returncode} {run.stderr}")


def test(t):
    software(t)
    hardware(t)
    wrong(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("pmu", test))
