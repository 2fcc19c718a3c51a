#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Page faults against getrusage, and which function's memory has stayed."""
import os
import subprocess
import sys
import tempfile
import time

import probe_test

MB = 1 << 20


def by_function(t, pid, metric, name):
    """Sum of a metric under stacks that lead through a function."""
    return t.one("WITH RECURSIVE below(id) AS (SELECT s.id FROM stack s JOIN frame_name n USING (frame) WHERE n.name = ? "
                 "UNION SELECT s.id FROM below b JOIN stack s ON s.parent = b.id) "
                 "SELECT ifnull(sum(s.value), 0) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread th USING (task) "
                 "WHERE m.name = ? AND th.pid = ? AND s.stack IN below", name, metric, pid)


def total(t, pid, metric):
    return t.one("SELECT ifnull(sum(s.value), 0) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread th USING (task) "
                 "WHERE m.name = ? AND th.pid = ?", metric, pid)


def test(t):
    with tempfile.NamedTemporaryFile(dir=os.getcwd()) as f:
        f.write(os.urandom(32 * MB))
        f.flush()
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        worker = subprocess.Popen([sys.argv[2], f.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        worker.stdout.readline()

        def run():
            worker.stdin.write("\n")
            worker.stdin.flush()
            said = worker.stdout.readline().split()
            time.sleep(1.5) # what was touched last has to stay for a moment
            return map(int, said)

        minor, major = t.record(run)
        worker.communicate("\n")
    pid = worker.pid
    # Some 20 are drawn a second at each place: few of what is over within a second.
    t.near(total(t, pid, "fault.minor"), minor, 0.3, 500, "minor faults")
    t.check(major > 4000, f"the file had to be read: {major} major faults")
    t.near(total(t, pid, "fault.major"), major, 0.7, 0, "major faults")
    t.near(by_function(t, pid, "fault.major", "look"), major, 0.7, 0, "major faults under look()")
    t.near(by_function(t, pid, "fault.minor", "borrow"), 96 * 2560, 0.3, 0, "faults under borrow()")
    t.near(by_function(t, pid, "memory.growth", "keep"), 24 * MB, 0.6, 0, "memory that has stayed, under keep()")
    t.check(by_function(t, pid, "memory.growth", "borrow") < 3 * MB, "what was given back is no growth")
    private = [b for (b,) in t.rows("SELECT s.value FROM sample s JOIN metric m ON m.id = s.metric JOIN thread th USING (task) "
                                    "WHERE m.name = 'memory.private' AND th.pid = ? ORDER BY s.slice", pid)]
    t.check(len(private) >= 2 and private[-1] - private[0] > 15 * MB, f"private memory over time: {private}")
    tables = t.view("memory")
    grown = [(row["function"], row["grown_bytes"]) for row in tables["growth"] if row["pid"] == pid]
    t.near(sum(b for path, b in grown if "keep" in path.split(" < ")), 24 * MB, 0.6, 0, f"view of memory: growth under keep() in {grown}")
    process = next(row for row in tables["processes"] if row["pid"] == pid)
    t.check(process["private_grown_bytes"] > 15 * MB and process["resident_bytes"] > 15 * MB, f"its memory: {process}")
    t.near(process["major_faults"], major, 0.7, 0, "its major faults")
    t.check(any("look" in row["function"].split(" < ") and row["major"] > 1000 for row in tables["faults"]), "and where they come from")


if __name__ == "__main__":
    sys.exit(probe_test.main("fault", test))
