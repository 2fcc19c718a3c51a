#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What fio, getrusage() and /proc/PID/schedstat say of a load, beside what the recording says."""
import json
import os
import shutil
import subprocess
import sys

import probe_test
from gauges import disk_of

BLOCK = 128 << 10  # in one request on any disk

# Computes, sleeps and wakes; then tells what the kernel has counted.
WORK = """
import resource, sys, time
sys.stdin.readline()
def now():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/schedstat") as f: ran, waited, _ = map(int, f.read().split())
    return [usage.ru_nvcsw, usage.ru_nivcsw, ran, waited]
before = now()
end = time.monotonic() + 2
while time.monotonic() < end:
    sum(range(20000))
    time.sleep(0.001)
print(*(b - a for a, b in zip(before, now())), flush=True)
sys.stdin.readline()
"""


def read_with_fio(path):
    done = subprocess.run(["fio", "--name=reader", f"--filename={path}", "--size=64m", "--rw=randread", f"--bs={BLOCK}", "--direct=1",
                           "--ioengine=psync", "--runtime=2", "--time_based", "--output-format=json"], stdout=subprocess.PIPE, text=True,
                          check=False)
    return json.loads(done.stdout)["jobs"][0]["read"] if done.returncode == 0 else None


def quantile(t, disk, share):
    """Within its bucket of the device's histogram, which is an eighth wide."""
    buckets = t.rows("SELECT low_ns, high_ns, count FROM latency_total WHERE metric = 'disk.device_time.read' AND resource = ? ORDER BY 1", disk)
    left = share * sum(count for _, _, count in buckets)
    for low, high, count in buckets:
        if left <= count:
            return low + (high - low) * left / count
        left -= count
    return 0


def check_fio(t, disk, fio):
    found = t.rows("SELECT sum(s.count), sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task "
                   "JOIN resource r ON r.id = s.resource WHERE m.name = ? AND t.process_comm = 'fio' AND r.name = ?", "io.read", disk)
    t.near(found[0][0], fio["total_ios"], 0.05, 5, "reads of fio")
    t.near(found[0][1], fio["io_bytes"], 0.05, 5 * BLOCK, "bytes read by fio")
    # fio's time begins and ends in the program: the system call and the wake-up are part of it.
    clat, way = fio["clat_ns"], t.one("SELECT running + runnable FROM process_state WHERE comm = 'fio' ORDER BY running DESC") / fio["total_ios"]
    t.near(quantile(t, disk, 0.5), clat["percentile"]["50.000000"], 0.05, way, "half of the reads take less, ns")
    slow, told = quantile(t, disk, 0.9), clat["percentile"]["90.000000"]
    t.check(0.5 * told < slow < 1.2 * told, f"nine tenths of the reads take less, ns: {slow}, {told}") # the way may be long for some
    spent = t.one("SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task "
                  "WHERE m.name = 'io.time' AND t.process_comm = 'fio'")
    t.near(spent / fio["total_ios"], clat["mean"], 0.05, way, "mean of a read, ns")


def check_process(t, pid, truth):
    voluntary, involuntary, ran, waited = truth
    found = t.rows("SELECT sum(s.switches) - sum(s.preempted), sum(s.preempted), sum(s.running), sum(s.runnable) FROM thread_state s "
                   "JOIN thread t USING (task) WHERE t.pid = ?", pid)[0]
    t.near(found[0], voluntary, 0.01, 3, "voluntary switches")
    t.near(found[1], involuntary, 0.01, 3, "involuntary switches")
    t.near(found[2], ran, 0.02, 2e6, "time on a CPU")
    # The kernel's own begins when the thread is put into the queue, ours when it is woken: an interrupt of the other CPU earlier.
    if waited:
        t.check(0.95 * waited - 5e6 < found[3] < 1.05 * waited + 5e6 + 100e3 * voluntary, f"time in the run queue: {found[3]}, {waited}")


def test(t):
    path = os.path.join(os.getcwd(), f"truth-test-{os.getpid()}")
    with open(path, "wb") as f:
        for _ in range(64):
            f.write(os.urandom(1 << 20))
        f.flush()
        os.fsync(f.fileno())
    disk = disk_of(path) if shutil.which("fio") else None
    worker = subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run():
        worker.stdin.write("\n")
        worker.stdin.flush()
        fio = read_with_fio(path) if disk else None
        return fio, list(map(int, worker.stdout.readline().split()))

    try:
        fio, truth = t.record(run)
    finally:
        os.unlink(path)
    worker.communicate("\n")
    check_process(t, worker.pid, truth)
    if fio:
        check_fio(t, disk, fio)
    else:
        t.skip("the file system lies on no disk" if not disk else "fio cannot read past the page cache here")


if __name__ == "__main__":
    sys.exit(probe_test.main("truth", test))
