#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A lock whose holder waits for a CPU: that is where the chain of its waiter ends, for as long as the program says itself."""
import json
import subprocess
import sys

import probe_test


def test(t):
    waited, queued = map(int, t.record(lambda: subprocess.run([sys.argv[2], "5"], check=True, text=True,
                                                              stdout=subprocess.PIPE).stdout).split())
    mine = [(frames, ns) for frames, ns in t.folded("wakeup") if frames[:2] == ["starved", "waiter"] and "ask_for_totals" in frames]
    total = sum(ns for _, ns in mine)
    for end, wanted in (["holder", "[waits for a CPU]"], queued), (["compute_totals"], waited - queued):
        ns = sum(ns for frames, ns in mine if any(frames[i:i + len(end)] == end for i in range(len(frames))))
        t.check(abs(ns / (total or 1) - wanted / waited) < 0.1, f"{end}: {ns / (total or 1)} of the wait, {wanted / waited} in truth")
    document = json.loads(subprocess.run([t.perfscope, "report", "--format", "json", t.path], check=True, stdout=subprocess.PIPE).stdout)
    ways = [([hop["thread"] for hop in row["hops"]], row["end"]) for row in document["waits"][:6]]
    t.check((["waiter", "holder"], "queued") in ways, f"the waiter waits for the holder, and that for a CPU: {ways}")


sys.exit(probe_test.main("starved", test))
