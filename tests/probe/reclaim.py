#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who is held up by a memory limit, and who is killed by it."""
import os
import sys

import probe_test
from cgroups import NAME, make, remove, run_in

MB = 1 << 20


def test(t):
    parent, child = make("memory", [("memory.limit_in_bytes", str(40 * MB))],
                         [("memory.max", str(40 * MB)), ("memory.swap.max", "0")])
    if not parent:
        t.skip("no cgroup controller for memory")
        return
    path = os.path.join(os.getcwd(), NAME)

    def run():
        # Its page cache does not fit into the limit: it has to make room again and again.
        writer = run_in(child, f"f = open({path!r}, 'wb')\nfor _ in range(200): f.write(bytes({MB}))")
        writer.wait()
        hog = run_in(child, "x = []\nwhile True: x.append(bytearray(1 << 20))")
        hog.wait()
        return writer.pid, hog.pid, hog.returncode

    try:
        writer, hog, status = t.record(run)
    finally:
        remove(parent)
        if os.path.exists(path):
            os.unlink(path)
    t.check(status == -9, f"the kernel killed the second: {status}")
    found = t.rows("SELECT th.pid, sum(s.count), sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric "
                   "JOIN thread th ON th.task = s.task WHERE m.name = 'reclaim.cgroup' GROUP BY th.pid")
    held_up = {pid: (count, ns) for pid, count, ns in found}
    t.check(writer in held_up and hog in held_up, f"both had to make room: {held_up}")
    lived = dict(t.rows("SELECT pid, end_ns - start_ns FROM process WHERE pid IN (?, ?)", writer, hog))
    for pid in writer, hog:
        count, ns = held_up.get(pid, (0, 0))
        t.check(0 < ns < lived[pid], f"{pid} was held up {count} times, {ns} ns of the {lived[pid]} that it lived")
    t.check(held_up.get(writer, (0,))[0] > 20, f"the writer often: {held_up}")
    killed = t.rows("SELECT th.pid, e.value, e.detail FROM event e JOIN thread th ON th.task = e.task "
                    "WHERE e.kind = 'oom.kill'")
    t.check(len(killed) == 1 and killed[0][0] == hog and killed[0][1] == hog, f"who was killed, and for whom: {killed}")


if __name__ == "__main__":
    sys.exit(probe_test.main("reclaim", test))
