#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check.py RESULTS SKIPPED [PAGE]: what the guests of scripts/kernel-matrix found, against what their load did; PAGE is made of it.
SKIPPED kernels could not be booted."""
import json
import os
import sqlite3
import sys

MARKS = {"works": "yes", "fallback": "other way", "missing": "no", "untried": "?", "info": ""}
HEAD = """# Kernels

What `scripts/kernel-matrix -w` found: the same binary on Debian's kernels, each booted in QEMU without KVM. Each guest ran
`perfscope doctor` and recorded a load that knows its own numbers: CPU time, sleeps, waits for a lock, reads of a disk that takes
2 ms, bytes over a connection.
"""


class Guest:
    def __init__(self, suite, folder):
        self.suite, self.folder = suite, folder
        self.passed, self.failures = 0, []
        self.doctor = {}
        self.kernel, self.truth = suite, {}

    def check(self, fact, words):
        if fact:
            self.passed += 1
        else:
            self.failures.append(f"{self.suite}: {words}")
        return fact

    def near(self, value, wanted, part, words):
        self.check(abs(value - wanted) <= part * wanted, f"{words}: {value}, wanted {wanted}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def value(self, comm, metric, column="value"):
        return self.db.execute(f"SELECT sum(s.{column}) FROM sample s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task "
                               "WHERE t.comm = ? AND m.name = ?", (comm, metric)).fetchone()[0] or 0

    def waited(self, comm, cause):
        """What a thread itself measures ends when it has a CPU again."""
        least, truth = self.value(comm, "offcpu." + cause), self.truth[comm, cause]
        most = least + sum(self.value(comm, m) for m in ("task.runnable", "task.preempted", "task.running"))
        self.check(0.3 * truth < least <= 1.03 * truth and most >= 0.97 * truth, f"{comm} waited {least} to {most}, it says {truth}")

    def read(self):
        """False when the guest did not come so far."""
        if not self.check(os.path.exists(self.path("status")), "the guest did not end well: " + self.text("console")[-300:]):
            return False
        self.check(self.text("status").strip() == "0", "record failed: " + self.text("record.err"))
        document = json.loads(self.text("doctor.json"))
        self.kernel = document["kernel"]
        self.check(document["can_record"], "doctor says that nothing can be recorded")
        self.doctor = {(c["group"], c["name"]): c for c in document["checks"]}
        self.truth = {tuple(line.split()[:2]): int(line.split()[2]) for line in self.text("truth").splitlines()}
        self.db = sqlite3.connect(self.path("r.db"))
        self.unavailable = dict(self.db.execute("SELECT probe, reason FROM unavailable"))
        self.programs = {p["name"]: p["bytes_xlated"] // 8 for p in json.loads(self.text("programs.json"))}
        return True

    def compare(self):
        """Wide bounds: a guest without KVM is slow, and what interrupts it is counted by one side only."""
        self.check(not {"sched", "offcpu", "life", "oncpu", "blkio", "tcp"} & set(self.unavailable), f"{self.unavailable}")
        self.near(self.value("spinner", "task.running"), self.truth["spinner", "running"], 0.03, "CPU time")
        self.near(self.value("spinner", "cpu.time"), self.truth["spinner", "running"], 0.2, "CPU time by samples")
        self.waited("sleeper", "sleep")
        self.waited("waiter", "lock")
        self.waited("reader", "disk")
        self.check(self.truth["reader", "reads"] > 0, "the disk could be read")
        self.near(self.value("reader", "io.read", "count"), self.truth["reader", "reads"], 0.01, "reads")
        p50 = self.db.execute("SELECT p50 FROM latency_summary WHERE metric = 'disk.device_time.read' AND resource = 'nullb0'").fetchone()
        self.check(p50 and 2e6 <= p50[0] < 4e6, f"a read takes 2 ms and more: {p50}")
        if "service" not in self.unavailable:
            self.near(self.value("server", "request.time", "count"), self.truth["server", "requests"], 0.05, "requests")
            least, most = self.truth["server", "served"], self.truth["asker", "asked"]
            ns = self.value("server", "request.time")
            self.check(0.97 * least <= ns <= 1.03 * most, f"requests took {ns}, {least} of it in the server, {most} for who asks")
        name = self.db.execute("SELECT count(*) FROM symbol WHERE name = 'spin_here'").fetchone()[0]
        self.check(name, "the function that took the CPU has its name")


def table(head, rows):
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head)] + rows]) + "\n"


def page(guests):
    head = ["", *(f"{g.kernel}" for g in guests)]
    numbers = [["agreed with the load", *(f"{g.passed} of {g.passed + len(g.failures)}" for g in guests)]]
    probes = sorted({p for g in guests for p in g.unavailable})
    numbers += [[f"probe `{p}`", *(g.unavailable.get(p, "yes") for g in guests)] for p in probes]
    out = HEAD + "\n" + table(head, numbers)
    out += "\nProbes that are not in the table work on all of them.\n\n## What doctor says\n\nOnly what differs.\n\n"
    keys = list(dict.fromkeys(k for g in guests for k in g.doctor))
    rows = []
    for key in keys:
        marks = [MARKS[g.doctor[key]["status"]] if key in g.doctor else "-" for g in guests]
        if len(set(marks)) > 1:
            rows.append([f"{key[0]}: {key[1]}", *marks])
    out += table(head, rows)
    names = sorted({n for g in guests for n in g.programs}, key=lambda n: -max(g.programs.get(n, 0) for g in guests))
    out += "\n## Instructions\n\nOf each program as the kernel keeps it, after the verifier has taken out what cannot be reached there.\n\n"
    return out + table(head, [[f"`{n}`", *(str(g.programs.get(n, "-")) for g in guests)] for n in names])


def main():
    folder, skipped = sys.argv[1], int(sys.argv[2])
    order = ["bullseye", "bookworm", "trixie", "sid"]
    suites = sorted(os.listdir(folder), key=lambda s: (order.index(s) if s in order else len(order), s))
    guests = [Guest(s, os.path.join(folder, s)) for s in suites]
    ran = [g for g in guests if g.read()]
    for guest in ran:
        guest.compare()
    for guest in guests:
        print(f"{guest.kernel}: {guest.passed} right, {len(guest.failures)} wrong")
        for words in guest.failures:
            print(f"not so: {words}")
    if len(sys.argv) > 3 and ran:
        with open(sys.argv[3], "w", encoding="utf-8") as f:
            f.write(page(ran))
    failed = sum(len(g.failures) for g in guests)
    print(f"kernels: {sum(g.passed for g in guests)} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
