#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do service times agree with what clients measure, and their parts with what the server knows of itself?

usage: service.py PERFSCOPE SERVICE"""
import json
import socket
import subprocess
import sys
import time

import probe_test

BUCKET = 1.13 # the upper end of a bucket, over a value in it
EXTRA = 400e3 # ns that a request takes beyond what the server means it to, to wake up and to get through


def values(t, metric, service):
    found = t.rows("SELECT sum(s.count), sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN resource r ON "
                   "r.id = s.resource WHERE m.name = ? AND r.kind = 'service' AND r.name = ?", metric, service)
    return found[0][0] or 0, found[0][1] or 0


def part(t, name, service):
    return values(t, "request." + name, service)[1]


def parts(t, truth, service, computed, words):
    """What the server measures of a part ends when it has a CPU again; what it computed it knows by its CPU time."""
    cpu, peer, other = (int(ns) for ns in truth["parts"])
    count = int(truth["asked"][0])
    queued = part(t, "runqueue", service)
    t.between(part(t, "cpu", service), 0.97 * computed, 1.05 * cpu + count * 60e3, f"{words}: cpu")
    # Where a guest's timers are late, short sleeps look a tenth shorter than they are (offcpu.py).
    for name, ns, least in ("peer", peer, 0.97), ("other", other, 0.85):
        found = part(t, name, service)
        t.check(least * ns - count * 60e3 <= found + queued and found <= 1.02 * ns, f"{words}: {name}: {found}, in line for a CPU {queued}, wanted {ns}")


def ask(t, *words):
    """What the workload printed, by the first word of a line."""
    done = subprocess.run([sys.argv[2], *words], stdout=subprocess.PIPE, text=True, check=False)
    t.check(done.returncode == 0, f"the workload works: {words}")
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}


def time_is(t, ns, truth, words, slack=0):
    """At least what the server measured between a request and its answer, at most what clients did."""
    count, mean, *_ = (int(x) for x in truth["asked"])
    t.between(ns, 0.99 * int(truth["served"][0]), 1.01 * count * (mean + 1) + slack, words)


def latencies(t, truth, service, words):
    """A client's latency is a little more than the service's."""
    asked, _, *percentiles = (int(x) for x in truth["asked"])
    for metric in "request.time", "call.time":
        count, ns = values(t, metric, service)
        t.check(count == asked, f"{words}: {metric} counts {count} of {asked}")
        time_is(t, ns, truth, f"{words}: {metric}")
        found = t.rows("SELECT p50, p90, p99 FROM latency_summary WHERE metric = ? AND resource = ?", metric, service)
        # A client that got its answer and then had no CPU for a while makes its own tail longer, not the service's.
        p50, p90, _ = percentiles
        for name, value, least, most in zip(("p50", "p90", "p99"), found[0] if found else (0, 0, 0), (p50, p90, p90), percentiles):
            t.check(least / BUCKET - EXTRA < value < most * BUCKET + EXTRA, f"{words}: {name} of {metric} is {value}, wanted {least} to {most}")
    whole = values(t, "request.time", service)[1]
    together = t.one("SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource "
                  "WHERE m.name GLOB 'request.*' AND m.name <> 'request.time' AND r.name = ?", service)
    t.near(together, whole, 0.01, 0, f"{words}: the parts' sum")


def open_ones(t, metric, service):
    """What waits for an answer, by slice: how many, their ages' sum in seconds, whose."""
    return t.rows("SELECT sum(s.count), sum(s.value) / 1e9, group_concat(DISTINCT t.process_comm) FROM sample s "
                  "JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource LEFT JOIN thread t USING (task) "
                  "WHERE m.name = ? AND r.name = ? GROUP BY s.slice ORDER BY s.slice", metric, service)


def waiting(t, service):
    report = subprocess.run([t.perfscope, "report", "--view", "services", "--format", "json", t.path], stdout=subprocess.PIPE, check=True)
    rows = json.loads(report.stdout)["tables"]["unanswered"]
    return [(row["what"], row["count"], row["process"]) for row in rows if row["service"] == service]


ARCHIVE = """import socket, time
open("/proc/self/comm", "w").write("archive")
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
c.recv(1)
time.sleep(60)
"""


def older(t):
    """A request that was there before the recording, and has no answer when it ends."""
    with subprocess.Popen([sys.executable, "-c", ARCHIVE], stdout=subprocess.PIPE, text=True) as archive:
        port = int(archive.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"?")
            time.sleep(0.5)
            t.record(lambda: time.sleep(2))
        archive.kill()
    found = waiting(t, f"127.0.0.1:{port}")
    t.check(found == [("client sent last", 1, "archive")], f"a request from before: {found}")


def unanswered(t):
    """The recording ends while clients still wait."""
    def work():
        done = subprocess.Popen([sys.argv[2], "hang", "6", "5"], stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        return done
    done = t.record(work)
    truth = {line.split()[0]: line.split()[1:] for line in done.communicate()[0].splitlines()}
    for metric, comm, count in ("open.request", "frontdesk", 2), ("open.unread", "frontdesk", 2), ("open.call", "service-workloa", 6):
        found = open_ones(t, metric, local(truth))
        t.check(found and found[-1][0] == count and found[-1][2] == comm, f"{count} {metric} of {comm}: {found}")
        t.check(found and count <= found[-1][1] <= count * 2.6, f"they have waited for 1 to 2.5 s: {found}")
    # Of those that want no answer the kernel's clock does not always tell whether they came after the last one.
    shown = {what: count for what, count, _ in waiting(t, local(truth)) if what != "client sent last"}
    t.check(shown == {"request in work": 2, "request nobody received": 2, "call": 6}, f"the view shows them: {shown}")


def answered_by(t, service):
    return {comm for (comm,) in t.rows(
        "SELECT DISTINCT p.comm FROM sample s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource "
        "JOIN task k ON k.id = s.task JOIN process p ON p.id = k.process WHERE m.name = 'request.time' AND r.name = ?", service)}


def local(truth, which=0):
    return "127.0.0.1:" + truth["ports"][which]


def threads(t, truth, words):
    service = local(truth)
    latencies(t, truth, service, words)
    t.check(part(t, "other", service) > 0.9 * values(t, "request.time", service)[1], "a server that sleeps sleeps")
    t.check(answered_by(t, service) == {"frontdesk"}, f"answered by {answered_by(t, service)}")


def unix(t, truth, words):
    latencies(t, truth, truth["path"][0], words)


def one_by_one(t, truth, words):
    service, behind = local(truth), local(truth, 1)
    latencies(t, truth, service, words)
    parts(t, truth, service, 100 * 2e6, words)
    t.between(values(t, "call.time", behind)[1], 0.99 * int(truth["behind"][0]), 1.01 * int(truth["parts"][1]), "calls of the server")
    found = t.rows("SELECT DISTINCT a.process_comm, b.process_comm FROM edge e JOIN metric m ON m.id = e.kind JOIN thread a ON "
                   "a.task = e.task JOIN thread b ON b.task = e.other_task JOIN resource r ON r.id = e.resource "
                   "WHERE m.name = 'service.call' AND r.name = ?", behind)
    t.check(("frontdesk", "storehouse") in found, f"who calls whom: {found}")


def pool(t, truth, words):
    latencies(t, truth, local(truth), words)
    parts(t, truth, local(truth), 480 * 1e6, words)


def loop(t, truth, words):
    latencies(t, truth, local(truth), words)
    peer, whole = part(t, "peer", local(truth)), values(t, "request.time", local(truth))[1]
    t.check(peer > 0.75 * whole, f"a loop waits for the other server: {peer} of {whole} ns")


def halves(t, truth, words):
    count, ns = values(t, "request.time", local(truth))
    asked = 40 * (int(truth["asked"][1]) + 1 - 30e6)
    t.check(count == 40 and ns < 1.01 * asked, f"a request in two parts begins with the second: {count} in {ns} ns, of {asked}")


def two_answers(t, truth, words):
    """Of messages that want no answer the last one, of what nobody has asked for the first."""
    count, ns = values(t, "request.time", local(truth))
    t.check(count == 2, f"{words}: two requests: {count}")
    # Where the server has had no CPU since the last but one, that was the last it could know of: 3 ms before, and not 300.
    time_is(t, ns, truth, words, 40e6 if words.startswith("one-way") else 0)


# What the workload is told, and what looks at it.
MODES = ((("threads", "1", "60"), threads), (("threads", "8", "60"), threads), (("unix", "2", "40"), unix),
         (("parts", "1", "100"), one_by_one), (("pool", "6", "80"), pool), (("loop", "6", "80"), loop),
         (("halves", "2", "20"), halves), (("one-way", "2", "100"), two_answers), (("stream", "2", "1"), two_answers))


def test(t):
    # One after the other in one recording: each has ports of its own.
    truths = t.record(lambda: [ask(t, *words) for words, _ in MODES])
    for (words, look), truth in zip(MODES, truths):
        look(t, truth, " ".join(words))
    unanswered(t)
    older(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("service", test))
