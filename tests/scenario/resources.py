#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""resources.py PERFSCOPE [NAME...]: does `diagnose` name the resource that runs out, who made it so and who suffers, and
keep silent when it is merely used? Each case makes its own load, in a cgroup of its own where a limit is wanted."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../probe"))
import cgroups  # noqa: E402
import probe_test  # noqa: E402

SECONDS = 4
MB = 1 << 20


class Checks(probe_test.Counts):
    def __init__(self, perfscope):
        super().__init__("resources")
        self.perfscope = perfscope

    def check(self, name, fact, words):
        return super().check(fact, f"{name}: {words}")

    def diagnose(self, seconds=SECONDS):
        done = subprocess.run([self.perfscope, "diagnose", "--quiet", "-d", f"{seconds}s", "--format", "json"],
                              stdout=subprocess.PIPE, check=False, timeout=90)
        document = json.loads(done.stdout)
        return {f["id"]: f for f in document["findings"]}, document


def people(finding, role):
    return [task["pid"] for task in finding["affected"] if task["role"] == role]


@contextlib.contextmanager
def cgroup(controller, *settings):
    parent, child = cgroups.make(controller, *settings)
    try:
        yield child
    finally:
        if parent:
            cgroups.remove(parent)


@contextlib.contextmanager
def running(*processes):
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def severity_is(c, name, finding, *wanted):
    return c.check(name, finding and finding["severity"] in wanted, f"severity of {finding and finding['title']}")


def spin(child):
    return cgroups.run_in(child, "while True: pass")


def throttled(c):
    with cgroup("cpu", [("cpu.cfs_period_us", "50000"), ("cpu.cfs_quota_us", "10000")], [("cpu.max", "10000 50000")]) as child:
        with running(spin(child)) as (spinner,):
            time.sleep(0.3)
            found, _ = c.diagnose()
    finding = found.get("cpu.throttled")
    if not c.check("throttled", finding, f"found {list(found)}"):
        return
    severity_is(c, "throttled", finding, "warning", "critical")
    c.check("throttled", people(finding, "culprit") == [spinner.pid], f"{finding['affected']}, not {spinner.pid}")
    c.check("throttled", finding["resource"] == {"kind": "cgroup", "name": "/" + cgroups.NAME}, f"{finding['resource']}")
    evidence = {e["metric"]: e["value"] for e in finding["evidence"]}
    c.check("throttled", abs(evidence["quota"] - 0.2) < 1e-6, f"{evidence}")
    c.check("throttled", finding["impact"] > 0.5, f"four fifths of its time is lost: {finding['impact']}")


def ample_quota(c):
    """Half of what it may have."""
    with cgroup("cpu", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "100000")],
                [("cpu.max", "100000 100000")]) as child:
        work = "import time\nwhile True:\n end = time.monotonic() + 0.02\n while time.monotonic() < end: pass\n time.sleep(0.02)"
        with running(cgroups.run_in(child, work)):
            found, _ = c.diagnose()
    c.check("ample quota", "cpu.throttled" not in found, f"{found.get('cpu.throttled')}")


MEMORY_LIMIT = ([("memory.limit_in_bytes", str(48 * MB))], [("memory.max", str(48 * MB)), ("memory.swap.max", "0")])


def killed(c):
    grow = "import time\ntime.sleep(1.5)\nx = []\nwhile True: x.append(bytearray(1 << 20))"
    with cgroup("memory", *MEMORY_LIMIT) as child:
        with running(cgroups.run_in(child, grow)) as (hog,):
            found, _ = c.diagnose()
    finding = found.get("memory.oom")
    if not c.check("killed", finding, f"found {list(found)}"):
        return
    severity_is(c, "killed", finding, "critical")
    c.check("killed", people(finding, "culprit") == [hog.pid], f"{finding['affected']}, not {hog.pid}")
    c.check("killed", finding["resource"]["name"] == "/" + cgroups.NAME, f"{finding['resource']}")


def making_room(c):
    """Pages of a file that do not fit into the limit, mapped and dirtied at random."""
    with tempfile.NamedTemporaryFile(dir=os.getcwd()) as f, cgroup("memory", *MEMORY_LIMIT) as child:
        f.truncate(200 * MB)
        thrash = (f"import mmap, random\nf = open({f.name!r}, 'r+b')\nm = mmap.mmap(f.fileno(), {200 * MB})\n"
                  f"keep = b'x' * {38 * MB}\nwhile True: m[random.randrange({200 * MB // 4096}) * 4096] = 1")
        with running(cgroups.run_in(child, thrash)) as (process,):
            time.sleep(1)
            found, _ = c.diagnose()
    finding = found.get("memory.pressure") or found.get("memory.swap") # whichever takes longer
    if not c.check("making room", finding, f"found {list(found)}"):
        return
    severity_is(c, "making room", finding, "warning", "critical")
    c.check("making room", people(finding, "culprit")[:1] == [process.pid], f"{finding['affected']}, not {process.pid}")
    c.check("making room", finding["resource"]["name"] == "/" + cgroups.NAME, f"{finding['resource']}")


def streaming(c):
    """A file larger than the limit, read once: pages go that nobody wants again."""
    with tempfile.NamedTemporaryFile(dir=os.getcwd()) as f, cgroup("memory", *MEMORY_LIMIT) as child:
        f.truncate(1 << 40)
        read = f"f = open({f.name!r}, 'rb')\nwhile f.read(1 << 20): pass"
        with running(cgroups.run_in(child, read)):
            found, _ = c.diagnose()
    c.check("streaming", "memory.pressure" not in found, f"{found.get('memory.pressure')}")


def churn(c):
    """A loop that starts one small program after the other."""
    with running(subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])) as (shell,):
        found, _ = c.diagnose()
    finding = found.get("cpu.process-churn")
    if not c.check("churn", finding, f"found {list(found)}"):
        return
    severity_is(c, "churn", finding, "warning", "critical")
    c.check("churn", people(finding, "culprit") == [shell.pid], f"{finding['affected']}, not {shell.pid}")
    c.check("churn", finding["resource"] == {"kind": "command", "name": "true"}, f"{finding['resource']}")


def working_children(c):
    """Processes that do their work, one after the other, as a build does."""
    script = "i=0; while :; do sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; done"
    with running(subprocess.Popen(["sh", "-c", script])):
        found, _ = c.diagnose()
    c.check("working children", "cpu.process-churn" not in found, f"{found.get('cpu.process-churn')}")


SERVER = """
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(int(sys.argv[1]))
print(s.getsockname()[1], flush=True)
while True:
    connection, _ = s.accept()
    connection.close()
    time.sleep(float(sys.argv[2]))
"""

CLIENT = """
import socket, sys, time
keep = []
while True:
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(("127.0.0.1", int(sys.argv[1])))
    keep.append(c)
    if len(keep) > 200: keep.pop(0).close()
    time.sleep(0.005)
"""


def connections(c, backlog, pause):
    """A server that accepts a connection and then pauses, and a client that wants 200 a second."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(backlog), str(pause)], stdout=subprocess.PIPE, text=True)
    with running(server):
        port = server.stdout.readline().strip()
        with running(subprocess.Popen([sys.executable, "-c", CLIENT, port])):
            found, _ = c.diagnose()
        server.stdout.close()
    return found, server.pid, port


def slow_accept(c):
    found, pid, port = connections(c, 4, 0.1)
    finding = found.get("net.accept-queue")
    if not c.check("slow accept", finding, f"found {list(found)}"):
        return
    severity_is(c, "slow accept", finding, "warning", "critical")
    c.check("slow accept", people(finding, "culprit") == [pid], f"{finding['affected']}, not {pid}")
    c.check("slow accept", finding["resource"]["name"] == f"127.0.0.1:{port}", f"{finding['resource']}")


def quick_accept(c):
    found, _, _ = connections(c, 64, 0)
    c.check("quick accept", "net.accept-queue" not in found, f"{found.get('net.accept-queue')}")


CASES = {"throttled": throttled, "ample-quota": ample_quota, "killed": killed, "making-room": making_room,
         "streaming": streaming, "churn": churn, "working-children": working_children,
         "slow-accept": slow_accept, "quick-accept": quick_accept}


def main():
    c = Checks(os.path.abspath(sys.argv[1]))
    if os.geteuid():
        c.skip("not root")
        return c.end()
    for name in sys.argv[2:] or CASES:
        CASES[name](c)
    return c.end()


if __name__ == "__main__":
    sys.exit(main())
