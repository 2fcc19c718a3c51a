#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""annotate.py PERFSCOPE WORKLOAD: the hottest instructions of a recorded program are those of its loop, also when it
is stripped, and when the program is gone."""
import json
import os
import shutil
import subprocess
import sys

import probe_test

DIVISION = {"x86_64": ("div",), "aarch64": ("udiv",)}
CALL = {"x86_64": "call", "aarch64": "bl"}


def run(t, *args):
    return subprocess.run([t.perfscope, "annotate", *args], capture_output=True, text=True, errors="replace")


def as_json(t, *args):
    result = run(t, *args, "--format", "json")
    t.check(result.returncode == 0 and not result.stderr, f"annotate {args}: {result.returncode} {result.stderr}")
    return json.loads(result.stdout) if result.returncode == 0 else None


def record(t, program):
    if os.path.exists(t.path):
        os.unlink(t.path)
    result = subprocess.run([t.perfscope, "record", "-q", "-F", "199", "-o", t.path, "--", program, "3"],
                            capture_output=True, text=True)
    t.check(result.returncode == 0, f"it records: {result.stderr}")


def loop_of(rows, machine):
    """The instructions of the shortest loop with a division in it."""
    loops = []
    for r in rows:
        low = r["target"]["address"] if r["target"] and r["target"]["inside"] else r["address"] + 1
        loop = [i for i in rows if low <= i["address"] <= r["address"]]
        if any(i["mnemonic"].startswith(DIVISION[machine]) for i in loop):
            loops.append(loop)
    return min(loops, key=len) if loops else []


def loop_is_hot(t, a):
    t.check(a["schema"] == "perfscope.annotate/1" and a["machine"] == os.uname().machine, "schema and machine")
    rows = a["instructions"]
    t.check(sum(len(r["bytes"]) // 2 for r in rows) == a["size"], "instructions cover the function")
    # Something else may want the CPUs, too.
    t.check(a["samples"] > 60 and a["percent"] > 2, f"samples: {a['samples']}, {a['percent']} %")
    t.check(sum(r["samples"] for r in rows) == a["samples"], "each sample has its instruction")
    loop = loop_of(rows, a["machine"])
    if not t.check(loop and len(loop) < len(rows) - 5, f"there is a loop with a division: {len(loop)} of {len(rows)}"):
        return
    share = sum(r["samples"] for r in loop) / a["samples"]
    t.check(share > 0.95, f"the loop has the samples: {share:.2f}")
    hottest = max(rows, key=lambda r: r["samples"])
    t.check(hottest in loop and hottest["percent"] > 30, f"the hottest one lies in it: {hottest}")
    t.check(loop[0]["jumped_to"], "where the jump leads is marked")
    puts = [r for r in rows if r["target"] and "puts" in (r["target"]["name"] or "")]
    t.check(puts and puts[0]["mnemonic"].startswith(CALL[a["machine"]]), "what is called has a name")


def test(t):
    folder = t.directory.name
    program, stripped = os.path.join(folder, "annotated"), os.path.join(folder, "bare")
    source = os.path.abspath(sys.argv[2])
    shutil.copy(source, program)
    record(t, program)
    os.unlink(program)
    elsewhere = os.path.join(folder, "elsewhere")
    os.mkdir(elsewhere)
    shutil.copy(t.path, os.path.join(elsewhere, "perfscope.db"))
    os.chdir(elsewhere)
    a = as_json(t, "hot", "--module", "annotated")
    if a:
        loop_is_hot(t, a)
        part = as_json(t, "hot", "--module", "annotated", "--to", "1s")
        t.check(part and 0 < part["samples"] < a["samples"], "a part of the time has a part of the samples")
    text = run(t, "perfscope.db", "hot", "--module", "annotated", "--syntax", "intel").stdout
    t.check("%r" not in text and "\033" not in text and "puts" in text, "Intel's syntax, and plain in a pipe")
    missing = run(t, "perfscope.db", "no_such_function")
    t.check(missing.returncode == 2 and "no function 'no_such_function' is in it" in missing.stderr, "one clear error")
    bytes_kept = sum(n for n, in t.rows("SELECT length(bytes) FROM code"))
    t.check(0 < bytes_kept < 200 << 10, f"code takes little room: {bytes_kept}")

    subprocess.run(["strip", "-o", stripped, source], check=True)
    record(t, stripped)
    name = t.one("SELECT y.name FROM code k JOIN symbol y ON y.id = k.symbol WHERE y.name GLOB '[[]bare+0x*'")
    if t.check(name, "the function of a stripped program has its code"):
        a = as_json(t, t.path, name)
        if a:
            loop_is_hot(t, a)


sys.exit(probe_test.main("annotate-probe", test))
