#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""report, flamegraph and export of a recording whose truth is known, as a user would call them."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import probe_test

PERFSCOPE, SPLIT = map(os.path.realpath, sys.argv[1:3])
counts = probe_test.Counts("report-probe")
check = counts.check


def run(*args, **more):
    return subprocess.run([PERFSCOPE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)


def good(*args, **more):
    result = run(*args, **more)
    check(result.returncode == 0 and not result.stderr, f"{args} succeeds: {result.returncode} {result.stderr}")
    return result.stdout


def report(*args):
    return json.loads(good("report", "--format", "json", *args) or "{}")


def refused(words, *args):
    result = run(*args)
    check(result.returncode == 2 and result.stderr.count("\n") == 1 and words in result.stderr and not result.stdout,
          f"{args} is refused with '{words}': {result.returncode} {result.stderr}")


def function(r, name):
    return next((f for f in r["functions_by_total"] if f["name"] == name), None) or dict.fromkeys(
        ("self_ms", "total_ms", "total_percent"), 0) | {"kind": "", "module": ""}


def numbers(path, pid):
    r = report(path, "-p", str(pid), "-n", "5000")
    check(r.get("schema") == "perfscope.report/1", "the schema is named")
    check(r["host"] == os.uname().nodename and r["kernel"] == os.uname().release, "host and kernel")
    check(r["cpus"] == os.cpu_count() == len(r["cpu"]), "every CPU is there")
    check(all(0 <= c["busy_percent"] <= 100.01 for c in r["cpu"]), "shares of CPUs are shares")
    check(all(c["runqueue"]["count"] and c["runqueue"]["p50_us"] <= c["runqueue"]["p99_us"] <= c["runqueue"]["max_us"]
              for c in r["cpu"]), "quantiles are in order")
    seventy, thirty = function(r, "seventy"), function(r, "thirty")
    whole = seventy["total_ms"] + thirty["total_ms"]
    check(0.6 < seventy["total_ms"] / (whole or 1) < 0.8, f"seventy has 70 % with its callees: {seventy} {thirty}")
    check(seventy["kind"] == "elf" and seventy["module"].endswith("/split"), f"it is code of split: {seventy}")
    check(seventy["self_ms"] < 0.3 * seventy["total_ms"], "most of it in what it calls")
    check(function(r, "spin")["self_ms"] > 0.5 * whole, "which is spin")
    check(all(f["self_ms"] <= f["total_ms"] * 1.0001 and f["total_percent"] < 100.01 for f in r["functions"]),
          "self is part of total, and recursion counts once")
    check(any(f["kind"] == "kernel" for f in r["functions"]), "there is kernel code")
    check(r["overhead"]["cpu_percent"] > 0 and r["overhead"]["memory_bytes"] > 1e6, "perfscope tells its own cost")
    check(isinstance(r["findings"], list) and isinstance(r["unavailable"], list), "findings and gaps are lists")
    return r


def times(r, pid):
    threads = {t["comm"]: t for t in r["threads"]}
    half, busy = threads.get("half"), threads.get("busy")
    check(half and busy, f"both threads are there: {list(threads)}")
    if not half or not busy:
        return
    # What it sleeps is at least what it ran, and waiting for a CPU counts as neither.
    life = half["running_ms"] + half["runnable_ms"] + half["blocked_ms"]
    check(0.42 < half["blocked_ms"] / life < 0.58, f"half sleeps half of the time: {half}")
    sampled = function(r, "seventy")["total_ms"] + function(r, "thirty")["total_ms"]
    check(abs(sampled - busy["running_ms"]) < 0.15 * busy["running_ms"], f"samples agree with exact time: {sampled} {busy}")
    own = next((p for p in r["processes"] if p["pid"] == pid), None)
    check(own and own["comm"] == "split" and "split 3" in own["command"] and own["exit_status"] == 0 and
          own["end_s"] is not None, f"the process that exited is known: {own}")
    brief = next((e for e in r["ended"] if e["comm"] == "brief"), {"processes": 0})
    check(190 <= brief["processes"] <= 200, f"200 short-lived processes: {brief}")
    check(sum(p["comm"] == "brief" and p["exit_status"] == 3 << 8 for p in r["processes"]) >= 190,
          "with the status that they ended with")


def everything(path, pid):
    r = report(path)
    names = {p["comm"] for p in r["processes"]}
    check("split" in names and not any(p["command"] and "-o " + path in p["command"] for p in r["processes"]),
          "perfscope itself is not among the processes")
    text = good("report", path, "-p", str(pid), "-n", "100")
    check(all(word in text for word in ("seventy", "spin", "split", "brief", "p99", "What perfscope itself took")),
          "the text names them")
    text = good("report", path)
    check(len(text.splitlines()) < 140 and "\033" not in text, "it is short, and plain in a pipe")
    check(max(map(len, text.splitlines())) <= 120, "lines have a limit")
    first = report(path, "--to", "1s")
    last = report(path, "--from", "-1s")
    check(first["duration_s"] < 1.5 and last["duration_s"] < 2.5 and r["duration_s"] > 2.5, "--from and --to narrow it")
    check(first["recording"]["duration_s"] == r["recording"]["duration_s"], "and the whole is still told")
    check(sum(p["running_ms"] for p in first["processes"]) < 0.7 * sum(p["running_ms"] for p in r["processes"]),
          "a part has a part of the time")
    every = report(path, "--cgroup", "/")
    check(len(every["processes"]) == len(r["processes"]), "--cgroup / is everything")
    refused("no process of cgroup /no/such", "report", path, "--cgroup", "/no/such")
    refused("process 4194303 is not in it", "report", path, "-p", "4194303")
    refused("process 4194303 is not in it", "diagnose", path, "-p", "4194303")
    refused("no process of cgroup /none is in it", "diagnose", path, "--cgroup", "/none")
    refused("there is no process 4194303", "diagnose", "-q", "-p", "4194303")
    refused("nothing lies between", "report", path, "--from", "2s", "--to", "1s")


def pictures(path, pid, folder):
    folded = good("export", path, "--format", "folded", "-p", str(pid))
    sums, strange = {"seventy": 0, "thirty": 0}, 0
    for line in folded.splitlines():
        stack, value = line.rsplit(" ", 1)
        frames = stack.split(";")
        strange += frames[0] not in ("split", "brief")
        for name in sums:
            sums[name] += int(value) * (name in frames)
    check(folded and not strange, f"stacks begin with their process: {folded}")
    check(0.6 < sums["seventy"] / (sum(sums.values()) or 1) < 0.8, f"folded stacks have the split: {sums}")
    check("_[k]" in folded, "kernel frames are marked")
    svg = os.path.join(folder, "x.svg")
    result = run("flamegraph", path, "-p", str(pid), "-o", svg)
    check(result.returncode == 0, f"flamegraph: {result.stderr}")
    picture = open(svg, encoding="utf-8").read()
    check(all(word in picture for word in ("seventy", "thirty", "CPU time", os.uname().nodename, "samples")),
          "the picture names functions, what it shows, and where from")
    good("export", path, "-q", "-o", os.path.join(folder, "x.folded"))
    check(good("flamegraph", "--folded", os.path.join(folder, "x.folded")).startswith("<"), "folded stacks come back")
    shutil.copy(path, os.path.join(folder, "base.db"))
    compared = good("flamegraph", path, "--diff", os.path.join(folder, "base.db"))
    check("compared with base.db" in compared, "a comparison says with what")
    refused("no pause s", "flamegraph", path, "-p", str(pid), "--kind", "pause")
    refused("no pause s", "export", path, "-p", str(pid), "--kind", "pause")


def incident(path, folder):
    """What is kept of a part of a recording is of that part, whatever a runbook's steps looked at."""
    runbook, kept = os.path.join(folder, "draw.yaml"), os.path.join(folder, "kept")
    with open(runbook, "w", encoding="utf-8") as f:
        f.write("issue: It is slow\ncauses: [Work]\nsteps:\n  - {name: Draw it, flamegraph: cpu}\nsolutions:\n  - do: Nothing\n")
    said = run("diagnose", path, "--to", "1s", "--runbook", runbook, "-o", kept)
    of_one = [name for name in os.listdir(kept) if re.fullmatch(r"cpu-[0-9]+\.svg", name)]
    check(len(of_one) == 1, f"a step draws one process: {of_one}, {said.stdout}")
    # Where nothing waited in that second, there is no picture of it.
    waits = [name for name in ("offcpu.svg",) if os.path.exists(os.path.join(kept, name))]
    for name in (*of_one, "cpu.svg", *waits, "incident.md"):
        text = open(os.path.join(kept, name), encoding="utf-8").read()
        said = re.search(r"Z, ([0-9.]+) s(, process [0-9]+ with its children)? \(from second 0 of the recording\)", text)
        check(said and float(said[1]) < 2.5 and bool(said[2]) == (name in of_one), f"{name} is of the first second: {text[:800]}")
    after, whole = (sorted(re.findall("(?s)<title>.*?</title>", text)[1:]) for text in (
        open(os.path.join(kept, "cpu.svg"), encoding="utf-8").read(), good("flamegraph", path, "--to", "1s")))
    check(whole and after == whole, f"what is drawn after it is of all processes: {len(after)} frames of {len(whole)}")
    refused("which FILE?", "diagnose", "--to", "1s")


def elsewhere(path, folder):
    before = good("report", path, "-n", "30")
    moved = os.path.join(folder, "elsewhere")
    os.mkdir(moved)
    shutil.copy(path, os.path.join(moved, "perfscope.db"))
    os.rename(os.path.join(folder, "split"), os.path.join(folder, "gone"))
    after = good("report", "-n", "30", cwd=moved)
    check(before == after, "another folder, and the program gone: the same report")


def bad_files(path, folder):
    whole = open(path, "rb").read()
    cut = os.path.join(folder, "cut.db")
    for size in (0, 1, 50, 100, 4096, len(whole) // 3, len(whole) - 1):
        with open(cut, "wb") as f:
            f.write(whole[:size])
        for command in ("report", "flamegraph", "export"):
            result = run(command, cut)
            check(result.returncode == 2 and result.stderr.count("\n") == 1 and "cut.db" in result.stderr or
                  result.returncode == 0 and not result.stderr, f"{command}: cut at {size}: {result.stderr}")
    refused("cut.db: not a perfscope recording: the file is empty", "report", empty(folder))
    refused("not a perfscope recording", "report", SPLIT)
    refused("No such file", "report", os.path.join(folder, "none.db"))
    refused("Is a directory", "report", folder)


def empty(folder):
    path = os.path.join(folder, "cut.db")
    open(path, "wb").close()
    return path


def main():
    with tempfile.TemporaryDirectory() as folder:
        path, program = os.path.join(folder, "a.db"), os.path.join(folder, "split")
        shutil.copy(SPLIT, program)
        with subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path, "--", program, "3"]) as recorder:
            recorder.wait()
        check(recorder.returncode == 0, "it records")
        listed = [p for p in report(path, "-n", "5000")["processes"] if p["comm"] == "split"]
        pid = listed[0]["pid"] if listed else 0
        check(pid > 0, "the program is in it")
        times(numbers(path, pid), pid)
        everything(path, pid)
        pictures(path, pid, folder)
        incident(path, folder)
        elsewhere(path, folder)
        bad_files(path, folder)
    return counts.end()


sys.exit(main())
