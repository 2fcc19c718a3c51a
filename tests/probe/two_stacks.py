#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stacks of a thread that goes over to another stack: cut at first, whole as soon as that is known."""
import subprocess
import sys

import probe_test


def share(t, root):
    """Of the samples in compute() from the third slice on, those whose stack leads up to this function."""
    found = t.rows("""
        WITH RECURSIVE walk(leaf, id, inside, rooted, count) AS (
            SELECT c.stack, c.stack, 0, 0, sum(c.count) FROM cpu_sample c JOIN thread h ON h.task = c.task
            WHERE h.comm = 'two_stacks' AND c.slice > 2 GROUP BY c.stack
            UNION ALL SELECT w.leaf, s.parent, w.inside OR n.name = 'compute', w.rooted OR n.name = ?, w.count
            FROM walk w JOIN stack s ON s.id = w.id JOIN frame_name n ON n.frame = s.frame)
        SELECT sum(count), sum(count * rooted) FROM walk WHERE id IS NULL AND inside""", root)[0]
    return (found[1] or 0) / found[0] if found[0] else 0


def test(t):
    t.record(lambda: subprocess.run([sys.argv[2], "4"], check=True))
    for root in "serve", "main":
        t.check(share(t, root) > 0.95, f"{share(t, root)} of the samples lead up to {root}")


sys.exit(probe_test.main("two-stacks", test))
