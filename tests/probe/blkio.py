#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Requests to the disk against what a program did past the page cache."""
import json
import os
import subprocess
import sys

import probe_test
from gauges import disk_of


def by_thread(t, metric, comm, disk):
    found = t.rows("SELECT sum(s.count), sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric "
                   "JOIN task t ON t.id = s.task JOIN resource r ON r.id = s.resource "
                   "WHERE m.name = ? AND t.comm = ? AND r.kind = 'disk' AND r.name = ?", metric, comm, disk)
    return found[0][0] or 0, found[0][1] or 0


def view(t, disk, file):
    def report(*args):
        return subprocess.run([t.perfscope, "report", "--view", "disk", *args, t.path], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
    tables = json.loads(report("--format", "json"))["tables"]
    device = [row for row in tables["devices"] if row["disk"] == disk]
    t.check(device and 0 < device[0]["busy_percent"] <= 100 and device[0]["requests_s"] > 0, f"the disk is used: {device}")
    kinds = {row["operation"]: row for row in tables["operations"] if row["disk"] == disk}
    t.check({"read", "write", "flush"} <= set(kinds), f"each kind of request: {kinds}")
    t.check(all(0 <= row["device_p50_ns"] <= row["device_p99_ns"] <= row["device_max_ns"] for row in kinds.values()), f"{kinds}")
    user = [row for row in tables["users"] if row["process"] == "blkio" and row["disk"] == disk]
    t.check(user and user[0]["request_time_ns"] and user[0]["read_bytes"] and user[0]["written_bytes"] and user[0]["dirtied_bytes"],
            f"who used it: {user}")
    files = [row for row in tables["files"] if row["process"] == "blkio" and (row["file"] or "").split("/")[-1].startswith(file)]
    t.check(files and all(row["waited_ns"] > 0 for row in files), f"which file it waited for: {tables['files']}")
    calls = {row["call"] for row in files}
    t.check("fdatasync" in calls and calls & {"pread64", "pwrite64"}, f"that it read and wrote it, too: {tables['files']}")
    words = report()
    t.check("Who uses the disks" in words and disk in words and "blkio" in words, words) # a long path may be cut


def test(t):
    path = os.path.join(os.getcwd(), f"blkio-test-{os.getpid()}")
    workload = sys.argv[2]
    open(path, "wb").close()
    disk = disk_of(path)
    os.unlink(path)
    if not disk:
        t.skip("the file system lies on no disk")
        return

    def run():
        done = subprocess.run([workload, path], stdout=subprocess.PIPE, text=True, check=False)
        t.check(done.returncode == 0, "the workload works")
        return {line.split()[0]: [int(word) for word in line.split()[1:]] for line in done.stdout.splitlines()}

    try:
        truth = t.record(run)
    finally:
        if os.path.exists(path):
            os.unlink(path)
    syncs = truth["sync"][0]
    writes = by_thread(t, "io.write", "blkio", disk)
    # The file's inode is written with a sync, too. What the kernel's threads write later is the process's all the same,
    # in larger pieces.
    buffered = truth["buffered"]
    # On a quick disk there are so many syncs that a part is drawn.
    t.check(-0.02 * syncs <= writes[0] - truth["write"][0] - syncs < buffered[0] + 1.02 * syncs, f"{writes[0]} writes of the process")
    least = truth["write"][1] + 4096 * syncs + buffered[1] # and the inode, at the most with each sync
    t.check(0.97 * least <= writes[1] <= 1.03 * (least + 4096 * syncs), f"bytes written by it, and for it: {writes[1]}, wanted {least} and more")
    t.near(by_thread(t, "io.dirtied", "blkio", disk)[1], buffered[1], 0.03, 0, "page cache that it made dirty")
    reads = by_thread(t, "io.read", "blkio", disk)
    least, most = truth["read"][1], max(truth["read"][1], truth["all-read"][1])
    t.check(reads[0] >= 0.97 * truth["read"][0], f"its reads: {reads[0]}")
    t.between(reads[1], 0.97 * least, 1.03 * most + 65536, "bytes read")
    spent = by_thread(t, "io.time", "blkio", disk)[1]
    asked = 2 * truth["write"][2] + truth["read"][2] + 2 * truth["sync"][2] + 64 * buffered[2]
    t.check(0 < spent < 1.5 * asked, f"time of its requests: {spent}, its calls took {asked} ns")
    # A thread of the kernel has the device empty its cache, for the one that waits. Its claim is made of waits that were drawn: when
    # the disk has paused these are the few long ones, while most flushes belong to short ones.
    flushes = by_thread(t, "io.flush", "blkio", disk)[0]
    t.check(flushes >= 0.05 * syncs, f"{flushes} flushes for its {syncs} syncs")
    for operation, least in ("read", truth["read"][0]), ("write", truth["write"][0]), ("flush", syncs):
        found = t.rows("SELECT count, p50, p99, max FROM latency_summary WHERE metric = 'disk.device_time.' || ? "
                       "AND resource = ?", operation, disk)
        t.check(len(found) == 1 and found[0][0] >= 0.98 * least - 2, f"histogram of {operation}: {found}, at least {least}")
        t.check(found and 0 < found[0][1] <= found[0][2] <= found[0][3], f"{operation} takes time: {found}")
    median = truth["median"][2]
    p50 = t.one("SELECT p50 FROM latency_summary WHERE metric = 'disk.device_time.read' AND resource = ?", disk)
    t.check(0.1 * median < p50 < 1.2 * median, f"a read takes {p50} ns in the device, {median} ns as the process sees it")
    t.check(t.total("disk.sequential", disk) >= 200, "the writes were one behind the other")
    view(t, disk, os.path.basename(path))
    t.check(t.total("disk.errors", disk) == 0 and t.total("lost.requests") == 0, "no error, no loss")


if __name__ == "__main__":
    sys.exit(probe_test.main("blkio", test))
