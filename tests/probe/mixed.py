#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A database, a cache, a web server, a disk's reader and a collector of garbage at once: each row of the report's table is filled
or says why not, and each view names the right process, file, port and stack."""
import contextlib
import functools
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import probe_test

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scenario/inject/Ledger.java")
CACHE, WEB = 7461, 7462
BLOCKS = 64 << 20


def start(stack, *argv, **more):
    run = subprocess.Popen(argv, **{**QUIET, **more})
    stack.callback(run.wait)
    stack.callback(run.terminate)
    return run


def database(stack, place):
    """With clients that commit; the folder of its log."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found:
        return None
    home = os.path.join(place, "db")
    os.mkdir(home)
    shutil.chown(home, "postgres")
    mine = {"user": "postgres", "cwd": home, **QUIET}
    subprocess.run([found[-1] + "/initdb", "-A", "trust", "-D", home + "/data", "--no-sync"], check=True, **mine)
    server = start(stack, found[-1] + "/postgres", "-D", home + "/data", "-k", home, "-c", "listen_addresses=", **mine)
    while server.poll() is None and subprocess.run([found[-1] + "/psql", "-h", home, "-c", "select 1"], check=False, **mine).returncode:
        time.sleep(0.2)
    subprocess.run([found[-1] + "/pgbench", "-h", home, "-i", "-q", "postgres"], check=True, **mine)
    start(stack, found[-1] + "/pgbench", "-h", home, "-n", "-c", "2", "-R", "100", "-T", "60", "postgres", **mine)
    return home + "/data/pg_wal"


def cache(stack, place):
    if not shutil.which("redis-server"):
        return None
    start(stack, "redis-server", "--port", str(CACHE), "--bind", "127.0.0.1", "--save", "", cwd=place)
    time.sleep(0.3)
    loop = f"while :; do redis-benchmark -p {CACHE} -t get,set -n 3000 -c 4 -q; sleep 0.2; done"
    start(stack, "sh", "-c", loop)
    return f"127.0.0.1:{CACHE}"


def web(stack, place):
    if not shutil.which("curl"):
        return None
    start(stack, sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(WEB), cwd=place)
    start(stack, "sh", "-c", f"while :; do curl -s -o /dev/null http://127.0.0.1:{WEB}/blocks -r 0-9999; sleep 0.02; done")
    return f"127.0.0.1:{WEB}"


def reader(stack, place):
    path = os.path.join(place, "blocks")
    with open(path, "wb") as f:
        f.write(os.urandom(1 << 20) * (BLOCKS >> 20))
        os.fsync(f.fileno())
    code = ("import mmap, os, random, sys, time\nfd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)\nroom = mmap.mmap(-1, 4096)\n"
            f"def fetch():\n    os.preadv(fd, [room], random.randrange({BLOCKS >> 12}) << 12)\n    time.sleep(0.001)\n"
            "while True:\n    fetch()\n")
    start(stack, sys.executable, "-c", code, path)
    return path


def collector(stack):
    if not shutil.which("java"):
        return None
    return start(stack, "java", "-Xmx150m", "-XX:+UseSerialGC", LEDGER, "2", "60", "1500").pid


@functools.lru_cache(maxsize=None)
def view(t, name):
    return json.loads(subprocess.run([t.perfscope, "report", "--view", name, "--format", "json", "-n", "10000", t.path], check=True,
                                     text=True, stdout=subprocess.PIPE).stdout)["tables"]


def rows(t, name, table, **wanted):
    return [row for row in view(t, name)[table] if all(str(row.get(key, "")).startswith(str(value)) for key, value in wanted.items())]


def table(t):
    document = json.loads(subprocess.run([t.perfscope, "report", "--format", "json", t.path], check=True, text=True,
                                         stdout=subprocess.PIPE).stdout)
    kinds = {row["kind"] for row in document["resources"]}
    wanted = {"CPU", "run queue", "memory", "swap", "disk", "file system", "interface", "TCP", "listen queues", "UDP", "locks",
              "kernel locks", "open files", "threads"}
    t.check(wanted <= kinds, f"every resource has a row: {wanted - kinds} have none")
    t.check(kinds & {"CPU quota", "memory limit", "task limit", "cgroup limits"}, f"so have limits of cgroups: {kinds}")
    empty = [row for row in document["resources"] if row["utilisation_percent"] is None and row["saturation"] is None
             and row["errors"] is None and not row["not_measured"]]
    t.check(not empty, f"each is filled, or says why not: {empty}")


def stacks(t, kind, process, function):
    found = [stack for stack, _ in t.folded(kind) if process in stack[0] and any(function in frame for frame in stack)]
    t.check(found, f"a stack of {process} of kind {kind} with {function}")


def look(t, log, port, site, path, java):
    t.check(any(row["call"].endswith("readv") for row in rows(t, "disk", "files", file=path, process="python")), f"who reads which file: {view(t, 'disk')['files']}")
    t.check(rows(t, "disk", "users", process="python"), "who uses the disk")
    stacks(t, "disk", "python", "fetch")
    if log:
        t.check(rows(t, "disk", "files", call="fdatasync", process="postgres", file=log), f"who waits for the log: {view(t, 'disk')['files']}")
        kernel = sum(row["request_time_ns"] for row in rows(t, "disk", "users", process="kworker"))
        whole = sum(row["request_time_ns"] for row in view(t, "disk")["users"])
        t.check(kernel < 0.1 * whole, f"the kernel's threads use the disk for others: {kernel} of {whole}")
        stacks(t, "disk", "postgres", "XLogFlush")
        t.check(any("postgres" in row["process"] for row in rows(t, "services", "answers")), "the database answers at a Unix socket")
    for where, server, client in (port, "redis-server", "redis-benchmark"), (site, "python", "curl"):
        if where:
            t.check(rows(t, "network", "services", service=where, process=client), f"{client} talks to {where}")
            t.check(rows(t, "network", "listeners", listener=where, process=server), f"{server} listens at {where}")
            t.check(rows(t, "services", "answers", service=where, process=server), f"{server} answers at {where}")
            t.check(rows(t, "services", "calls", service=where, caller=client), f"{client} calls {where}")
    if java:
        pauses = rows(t, "pauses", "processes", pid=java)
        t.check(any(row["what"] in ("collection", "all threads") for row in pauses), f"the collector stops its program: {pauses}")
        t.check(rows(t, "memory", "processes", pid=java), "its memory is told")


def test(t):
    with contextlib.ExitStack() as stack:
        place = tempfile.mkdtemp(dir="/var/tmp")
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        os.chmod(place, 0o755)
        path = reader(stack, place)
        found = {"postgres": database(stack, place), "redis": cache(stack, place), "curl": web(stack, place), "java": collector(stack)}
        for name, what in found.items():
            if not what:
                t.skip(f"{name} is not installed")
        time.sleep(2)
        t.record(lambda: time.sleep(10))
    look(t, found["postgres"], found["redis"], found["curl"], path, found["java"])
    table(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("mixed", test))
