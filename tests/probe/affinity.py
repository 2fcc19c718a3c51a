#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which CPUs threads that wait for one may use: three that are bound to one CPU, and three that are not."""
import os
import signal
import sys
import time

import probe_test

SECONDS = 2


def compute(cpus):
    """A child that computes; its pid."""
    pid = os.fork()
    if pid:
        return pid
    os.sched_setaffinity(0, cpus)
    while True:
        sum(range(1000))


def test(t):
    everywhere = os.sched_getaffinity(0)
    last = max(everywhere)
    if len(everywhere) < 2:
        t.skip("needs two CPUs")
        return

    def run():
        bound = [compute({last}) for _ in range(3)]
        free = [compute(everywhere) for _ in range(3)]
        time.sleep(SECONDS)
        for pid in bound + free:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return bound, free

    bound, free = t.record(run)
    for pid in bound:
        masks = t.rows("SELECT DISTINCT r.kind, r.name FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                       "JOIN resource r ON r.id = s.resource WHERE m.name = 'affinity.wait' AND t.pid = ?", pid)
        t.check(masks == [("cpus", str(last))], f"CPUs of {pid}: {masks}")
        waited = t.one("SELECT sum(value) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                       "WHERE m.name = 'affinity.wait' AND t.pid = ?", pid) or 0
        # What is left of the last slice is not asked of a thread that is gone by then.
        runnable = t.one("SELECT runnable FROM thread_state WHERE pid = ?", pid)
        t.check(0.4 * runnable <= waited <= runnable, f"{pid} waited {waited} of {runnable} ns")
    for pid in free:
        found = t.one("SELECT count(*) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t USING (task) "
                      "WHERE m.name = 'affinity.wait' AND t.pid = ?", pid)
        t.check(found == 0, f"{pid} may use all CPUs")


if __name__ == "__main__":
    sys.exit(probe_test.main("affinity", test))
