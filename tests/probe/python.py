#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Python functions in stacks: every CPython from 3.9 to 3.13 that is here, against a program that knows its shares."""
import json
import os
import shutil
import subprocess
import sys

import probe_test

WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_work.py")
LINES = {text.split("#")[1].strip(): number for number, text in enumerate(open(WORK, encoding="utf-8"), 1)
         if "  # " in text}


def record(t, python, seconds, environment=None):
    run = subprocess.run([t.perfscope, "record", "-q", "-o", t.path, "-F", "499", "--", python, WORK, str(seconds)],
                         text=True, capture_output=True, stdin=subprocess.DEVNULL, env=environment)
    t.check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    return json.loads(run.stdout or "{}")


def stacks(t, kind):
    """Of the program's own process: the frames from the root, and the nanoseconds."""
    run = subprocess.run([t.perfscope, "export", t.path, "--kind", kind, "--format", "folded"], text=True,
                         capture_output=True)
    for line in run.stdout.splitlines():
        names, value = line.rsplit(" ", 1)
        names = names.split(";")
        if names[0].startswith("python"):
            yield names, int(value)


def shares(t, taken, full):
    """Share of each part in the time of those that are below everything()."""
    found, total = dict.fromkeys(taken, 0), 0
    for names, ns in stacks(t, "cpu"):
        if "everything" not in names:
            continue
        total += ns
        part = names[names.index("everything") + 1:][:1]
        name = {"Größe.méthode": "méthode", "main.<locals>.<lambda>": "recursion", "<lambda>": "recursion"}.get(
            *part * 2) if part else None
        if name in found:
            found[name] += ns
    whole = sum(taken.values())
    for name, seconds in taken.items():
        wanted, got = seconds / whole, found[name] / max(total, 1)
        t.check(abs(wanted - got) < 0.05, f"{full}: {name} took {wanted:.3f} of the time, recorded {got:.3f}")


def chains(t, version, full):
    """Callers and callees in their order, whatever native code is between them."""
    qualified = version >= (3, 11)
    method = "Größe." if qualified else ""
    function = "main.<locals>.<lambda>" if qualified else "<lambda>"
    callback = "by_callback.<locals>.<lambda>" if qualified else "<lambda>"
    wanted = {
        "nested": ["<module>", "main", "everything", "seventy", "burn"],
        "generator": ["everything", method + "méthode", method + "erzeuge", "burn"],
        "recursion": ["everything", function] + ["recurse"] * 21 + ["burn"],
        "callback": ["everything", "by_callback", callback, "burn"],
        "compiled": ["everything", "by_code", "<module>", "made_up", "burn"],
    }
    all_names = [";".join(names) for names, _ in stacks(t, "cpu")]
    cut = [names for names in all_names if "[truncated: " in names and "recurse" in names]
    # Now and then a stack has changed while it was copied.
    wrong = [names for names in cut if "recurse;" * 100 not in names or "_PyEval_" in names]
    t.check(len(wrong) * 10 < len(cut), f"{full}: what is too deep is said to be: {wrong[:1]}")
    all_names = [names for names in all_names if names not in cut]
    for name, chain in wanted.items():
        t.check(any(";".join(chain) in names for names in all_names), f"{full}: {name}: {chain}")
    # A few are met on their way down.
    deeper = [names for names in all_names if "recurse;" * 22 in names]
    t.check(len(deeper) <= 3 + len(cut) // 5, f"{full}: no deeper than it is: {deeper[:1]}")


def waiting(t):
    return [";".join(names) for names, ns in stacks(t, "offcpu") if ns > 50e6]


def waits(t, python):
    """Who waits for the lock. In one recording of ten or so a thread that waits from its start on is not found out about: why is not known."""
    found = waiting(t)
    if not any("waiter;held_up;" in names for names in found):
        record(t, python, 2)
        found = waiting(t)
    t.check(any("waiter;held_up;" in names for names in found), f"{python}: who waits for the lock: {found}")


def lines(t, full):
    found = t.rows("SELECT f.line, sum(s.count) FROM sample s JOIN metric m ON m.id = s.metric "
                       "JOIN stack t ON t.id = s.stack JOIN frame f ON f.id = t.frame JOIN symbol y ON y.id = f.symbol "
                       "JOIN module o ON o.id = f.module WHERE m.name = 'cpu.time' AND o.kind = 'python' "
                       "AND y.name = 'burn' AND y.file = ? GROUP BY f.line ORDER BY 2 DESC", WORK)
    hot = LINES["the line that takes the time"]
    samples = sum(count for _, count in found)
    t.check(found and found[0][0] == hot and found[0][1] > 0.5 * samples, f"{full}: the hot line is {hot}: {found}")
    t.check({line for line, _ in found} <= set(range(hot - 5, hot + 2)), f"{full}: no line outside burn(): {found}")
    for name, line in (("seventy", LINES["called from here"]), ("made_up", 4)):
        found = t.rows("SELECT DISTINCT f.line FROM frame f JOIN symbol y ON y.id = f.symbol "
                           "JOIN module o ON o.id = f.module WHERE o.kind = 'python' AND y.name = ? AND f.id IN "
                           "(SELECT p.frame FROM stack p JOIN stack c ON c.parent = p.id JOIN frame g ON g.id = c.frame "
                           "JOIN symbol z ON z.id = g.symbol WHERE z.name = 'burn')", name)
        t.check(found == [(line,)], f"{full}: {name}() calls burn() on line {line}: {found}")


def complete(t, full):
    """After the start, nothing of the interpreter's loop is left."""
    loop = sum(ns for names, ns in stacks(t, "cpu") if "_PyEval_EvalFrameDefault" in names)
    whole = sum(ns for _, ns in stacks(t, "cpu"))
    t.check(loop < 0.25 * whole, f"{full}: {loop} of {whole} ns show the interpreter")


def reports(t, full):
    """Both forms of the report know what they are."""
    text = subprocess.run([t.perfscope, "report", t.path], text=True, capture_output=True)
    t.check(text.returncode == 0 and any("Python" in line and "burn" in line for line in text.stdout.splitlines()),
            f"{full}: report: {text.returncode} {text.stderr}")
    run = subprocess.run([t.perfscope, "report", t.path, "--format", "json"], text=True, capture_output=True)
    t.check(run.returncode == 0 and '"python"' in run.stdout, f"{full}: report as JSON: {run.returncode}")
    json.loads(run.stdout)


def wrong_version(t):
    """Another version's layout: no Python frame at all, and each stack counted."""
    other = os.path.join(t.directory.name, "python3.13")
    shutil.copy("/usr/bin/python3.11", other)
    record(t, other, 1, {**os.environ, "PYTHONHOME": "/usr"})
    t.check(t.one("SELECT count(*) FROM module WHERE kind = 'python' AND path LIKE '%python_work.py'") == 0,
            "with a layout that is not its own no Python frame is shown")
    lost = t.one("SELECT sum(g.value) FROM gauge g JOIN metric m ON m.id = g.metric WHERE m.name = 'lost.python'")
    t.check(lost and lost > 100, f"and that is counted: {lost}")


def test(t):
    for (major, minor, _), python in t.pythons():
        taken = record(t, python, 2)
        shares(t, taken, python)
        chains(t, (major, minor), python)
        lines(t, python)
        complete(t, python)
        reports(t, python)
        waits(t, python)
    if os.access("/usr/bin/python3.11", os.X_OK):
        wrong_version(t)


sys.exit(probe_test.main("python", test))
