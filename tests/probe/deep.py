#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Deep stacks without frame pointers: exact as far as they are copied, also across pages that are not there, and said to be cut where they are longer. One program
describes its frames in .eh_frame, the other only in .debug_frame of a debug file beside it."""
import collections
import subprocess
import sys

import probe_test

CUT = "[truncated: the stack is longer than its copy]"
# A run of four seconds has some samples on its way down, in a fault for a page of stack that is not there yet: four of about a
# hundred are let pass. In those at its end, which may be as many, the kernel has taken the stack away: they are left out.
OWN = 0.95


def stacks(t, comm, function):
    """(frames of the function, whether main is among the others, name of the root): samples."""
    found = collections.Counter()
    for frames, mains, root, count in t.rows("""
        WITH RECURSIVE walk(leaf, id, frames, mains, exits, root, count) AS (
            SELECT c.stack, c.stack, 0, 0, 0, NULL, sum(c.count) FROM cpu_sample c JOIN thread h ON h.task = c.task
            WHERE h.comm = ? AND c.slice > 1 GROUP BY c.stack
            UNION ALL SELECT w.leaf, s.parent, w.frames + (n.name = ?), w.mains + (n.name = 'main'), w.exits OR n.name = 'do_exit', n.name, w.count
            FROM walk w JOIN stack s ON s.id = w.id JOIN frame_name n ON n.frame = s.frame)
        SELECT frames, mains, root, sum(count) FROM walk WHERE id IS NULL AND root IS NOT NULL AND NOT exits GROUP BY 1, 2, 3""", comm, function):
        found[frames, mains, root] += count
    return found


def test(t):
    def work():
        for run in [subprocess.Popen([program, "4", name]) for program, name in zip(sys.argv[2:4], ("eh", "split"))]:
            run.wait()

    t.record(work, args=("--stack-bytes", "256K"))
    for name in "eh", "split":
        for shape, function, depth in ("small-500", "small", 500), ("large-30", "large", 30), ("hollow-5", "hollow", 5):
            found = stacks(t, f"{name}-{shape}", function)
            whole = sum(n for (frames, mains, _), n in found.items() if frames == depth and mains == 1)
            t.check(whole >= OWN * sum(found.values()) > 20, f"{name}: {shape} exact: {found}")
        found = stacks(t, f"{name}-large-500", "large")
        # So many fit in 256 KiB that begin within a page, and the caller of the last one.
        cut = sum(n for (frames, mains, root), n in found.items() if frames in range(63, 67) and not mains and root == CUT)
        t.check(cut >= OWN * sum(found.values()) > 20, f"{name}: large-500 cut, and said so: {found}")
    for size in "4095", "257K":
        run = subprocess.run([t.perfscope, "record", "--stack-bytes", size, "true"], capture_output=True, text=True, check=False)
        t.check(run.returncode in (2, 125) and "is not between 4K and 256K" in run.stderr, f"--stack-bytes {size}: {run.stderr}")


sys.exit(probe_test.main("deep", test))
