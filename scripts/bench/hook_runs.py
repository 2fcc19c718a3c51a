# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own statistics of BPF programs: how often each ran, and how long."""
import json
import subprocess
import time
from collections import namedtuple

OWN_NS = 53 # of a run, by the statistics alone
SWITCH = "/proc/sys/kernel/bpf_stats_enabled"

Row = namedtuple("Row", "name runs ns") # ns: of a run, without what the statistics take


def _programs():
    shown = subprocess.run(["bpftool", "prog", "show", "-j"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {p["id"]: (p.get("name", ""), p.get("run_cnt", 0), p.get("run_time_ns", 0)) for p in json.loads(shown)}


def _enable(on):
    with open(SWITCH, "w", encoding="ascii") as f:
        f.write("1" if on else "0")


def count(seconds, ask=lambda: 0):
    """A row of each program that ran meanwhile, dearest first, and by how much grew what ask() tells: between the same two looks, each
    of which takes its time."""
    _enable(True)
    try:
        before, told = _programs(), ask()
        time.sleep(seconds)
        after, grown = _programs(), ask() - told
    finally:
        _enable(False)
    rows = []
    for number, (name, runs, ns) in after.items():
        _, old_runs, old_ns = before.get(number, ("", 0, 0))
        if runs > old_runs:
            rows.append(Row(name, runs - old_runs, (ns - old_ns) / (runs - old_runs) - OWN_NS))
    return sorted(rows, key=lambda row: -row.runs * row.ns), grown
