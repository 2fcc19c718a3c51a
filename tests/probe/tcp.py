#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections in namespaces of their own against what ss and nstat say of them; failed connects and lost datagrams against the workload.

usage: tcp.py PERFSCOPE DISTANT, an injector of the scenarios"""
import json
import re
import socket
import subprocess
import sys
import time

import probe_test
from gauges import network_counters

# In a namespace of its own: connections that end well, break, are refused, and find no room at a port.
QUARREL = """
import json, socket, struct, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
sys.stdin.readline()
v6 = socket.AF_INET6
with socket.create_server(("::1", 0), family=v6, backlog=64) as server, socket.socket(v6) as nobody:
    nobody.bind(("::1", 0))
    ports = server.getsockname()[1], nobody.getsockname()[1]
    for i in range(60):
        with socket.create_connection(server.getsockname()[:2]) as client, server.accept()[0] as accepted:
            if i % 3 == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for i in range(7):
        with socket.socket(v6) as client: client.connect_ex(nobody.getsockname())
with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
    clients = [socket.socket() for _ in range(8)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(full.getsockname())
    time.sleep(1.3)
    for client in clients: client.close()
    time.sleep(2.2) # until a look has found what was lost
    print(json.dumps(ports), flush=True)
    sys.stdin.readline()
"""


def child_of(pid, comm):
    for line in subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout.splitlines():
        if line.split()[1] == comm:
            return line.split()[0]
    return None


def socket_counts(pid):
    """What ss says of the busiest connection in the process's namespace."""
    text = subprocess.run(["nsenter", "-n", "-t", pid, "ss", "-tinH", "state", "established"], capture_output=True, text=True,
                          check=True).stdout
    names = {"sent": r"bytes_acked:(\d+)", "received": r"bytes_received:(\d+)", "segments": r"data_segs_out:(\d+)",
             "again": r"retrans:\d+/(\d+)", "rtt_ms": r"\srtt:([\d.]+)/"}
    found = {name: re.search(words, text) for name, words in names.items()}
    return {name: float(match.group(1)) if match else 0 for name, match in found.items()} | network_counters(pid)


def sample(t, column, metric, comm, kind="service"):
    return t.one(f"SELECT sum(s.{column}) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task "
                 "JOIN resource r ON r.id = s.resource WHERE m.name = ? AND t.process_comm = ? AND r.kind = ?", metric, comm, kind) or 0


def far_host(t, injector, *args):
    def run():
        process = subprocess.Popen([injector, "ask", *args])
        try:
            time.sleep(3)
            return {comm: socket_counts(child_of(process.pid, comm)) for comm in ("customer",)}
        finally:
            process.kill()
            process.wait()

    truth = t.record(run)["customer"]
    t.check(truth["sent"] > 1000, f"there was traffic: {truth}")
    # A moment passes between ss and the end; what happens in it is little.
    t.near(sample(t, "value", "connection.sent", "customer"), truth["sent"], 0.1, 800, "bytes sent")
    t.near(sample(t, "value", "connection.received", "customer"), truth["received"], 0.1, 8000, "bytes received")
    t.near(sample(t, "count", "connection.sent", "customer"), truth["segments"], 0.1, 8, "segments sent")
    t.near(sample(t, "value", "connection.retransmits", "customer"), truth["again"], 0.1, 2, "segments sent again")
    t.near(sample(t, "value", "connection.retransmits", "customer"), truth["Tcp.RetransSegs"], 0.1, 2, "likewise, of nstat")
    found = t.one("SELECT p50 FROM latency_summary WHERE metric = 'connection.round_trip' AND resource_kind = 'service'")
    t.near((found or 0) / 1e6, truth["rtt_ms"], 0.2, 2, "round trip")
    t.check(t.one("SELECT count(*) FROM edge e JOIN metric m ON m.id = e.kind JOIN thread a ON a.task = e.task "
                  "JOIN thread b ON b.task = e.other_task WHERE m.name = 'connection.peer' AND a.process_comm = 'customer' "
                  "AND b.process_comm = 'clerk'"), "both ends are known, each in its own namespace")
    return truth


def lossy_host(t, injector):
    truth = far_host(t, injector, "1", "40", "1")
    t.check(truth["again"] >= 2, f"the line loses packets: {truth}")
    t.near(sample(t, "value", "connection.retransmitted", "customer", "connection"), truth["again"], 0.1, 2,
           "segments sent again, by connection")


def distant_host(t, injector):
    far_host(t, injector, "20", "0")
    waited = sample(t, "value", "connection.waited", "customer", "connection") / 1e9
    t.check(1.5 < waited < 3.3, f"nearly all of three seconds were spent on round trips: {waited}")


def view(t):
    """Of the recording of distant_host()."""
    def report(*args):
        return subprocess.run([t.perfscope, "report", *args, t.path], capture_output=True, text=True, check=False)
    document = json.loads(report("--view", "network", "--format", "json").stdout)
    tables = document["tables"]
    t.check(document["empty"] == {"names": "not recorded: record --dns does it"}, f"why there is nothing: {document['empty']}")
    t.check(any(row["process"] == "customer" and row["lost_ns"] > 1.5e9 for row in tables["services"]), f"{tables['services']}")
    t.check(any(row["process"] == "customer" and row["rtt_p50_ns"] > 30e6 for row in tables["connections"]), f"{tables['connections']}")
    t.check(any(row["process"] == "clerk" and row["listener"] == "10.77.0.1:7070" for row in tables["listeners"]),
            f"{tables['listeners']}")
    words = report("--view", "network").stdout
    t.check("Services" in words and "customer" in words and "10.77.0.1:7070" in words, words)
    wrong = report("--view", "nothing")
    t.check(wrong.returncode == 2 and "network" in wrong.stderr, f"views are named: {wrong.stderr}")


def quarrel(t):
    """Each of them, against the counters of a namespace in which nothing else happens."""
    with subprocess.Popen(["unshare", "-n", sys.executable, "-c", QUARREL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        def run():
            child.stdin.write("\n")
            child.stdin.flush()
            ports = json.loads(child.stdout.readline())
            return ports, network_counters(child.pid)

        (server, nobody), truth = t.record(run)
        child.communicate("\n")

    def total(metric):
        return t.one("SELECT sum(s.count) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task "
                     "WHERE m.name = ? AND t.pid = ?", metric, child.pid)
    t.check(truth["Tcp.AttemptFails"] >= 7 and truth["TcpExt.TCPAbortOnData"] == 20, f"what was meant to go wrong did: {truth}")
    for port, metric in (server, "opened"), (nobody, "refused"):
        names = t.one("SELECT group_concat(DISTINCT r.name) FROM sample s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource "
                      "JOIN thread t ON t.task = s.task WHERE m.name = 'connection.' || ? AND t.pid = ? AND r.name LIKE '[%'", metric, child.pid)
        t.check(names == f"[::1]:{port}", f"{metric} by port: {names}, not {port}")
    t.near(total("connection.accepted"), 60, 0, 0, "connections accepted")
    t.near(total("connection.opened"), truth["Tcp.PassiveOpens"], 0, 0, "connections opened, nstat's PassiveOpens")
    t.near(total("connection.refused"), truth["Tcp.AttemptFails"], 0, 0, "connects refused, nstat's AttemptFails")
    t.near(total("connection.resets"), truth["TcpExt.TCPAbortOnData"], 0, 0, "connections broken, nstat's TCPAbortOnData")
    t.near(total("port.overflows"), truth["TcpExt.ListenDrops"], 0, 0, "connections without room, nstat's ListenDrops")


def datagrams(t):
    def run():
        with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            there.bind(("127.0.0.1", 0))
            time.sleep(0.3)  # until a look has found the socket
            for _ in range(500):
                here.sendto(b"x" * 700, there.getsockname())
            there.setblocking(False)
            received = 0
            try:
                while there.recv(2000):
                    received += 1
            except BlockingIOError:
                pass
            return there.getsockname()[1], 500 - received

    port, lost = t.record(run)
    rows = t.rows("SELECT r.name, t.process_comm, s.value FROM sample s JOIN metric m ON m.id = s.metric "
                  "JOIN resource r ON r.id = s.resource LEFT JOIN thread t ON t.task = s.task "
                  "WHERE m.name = 'packet.drops' AND r.name LIKE '%udp port ' || ?", str(port))
    if not rows and t.one("SELECT count(*) FROM unavailable WHERE probe = 'tcp'"):
        return
    t.check(sum(row[2] for row in rows) == lost, f"{lost} datagrams were lost: {rows}")
    t.check(all("RCVBUFF" in row[0] for row in rows), f"for want of room: {rows}")


def accepts(t):
    """Connections that are accepted a quarter of a second after they are there. Looks come ten times a second: of 12, the mean
    is within 5 sigma of 8 ms."""
    count, delay = 12, 0.25

    def run():
        with socket.create_server(("127.0.0.1", 0)) as server:
            for _ in range(count):
                with socket.create_connection(server.getsockname()):
                    time.sleep(delay)
                    server.accept()[0].close()
                time.sleep(0.05)
            time.sleep(1.2)
            return server.getsockname()[1]

    port = t.record(run)
    rows = [row for row in t.view("network")["listeners"] if row["listener"] == f"127.0.0.1:{port}"]
    if not t.check(len(rows) == 1 and rows[0]["accepted"] == count, f"{count} are accepted: {rows}"):
        return
    t.near(rows[0]["accept_mean_ns"] / 1e9, delay, 0, 0.06, "seconds until one is accepted")
    t.check(0.13 < rows[0]["seen_waiting_ns"] / 1e9 < 0.45, f"seconds that one was seen to wait: {rows[0]}")


# Accepts, and lets a child go on with it once that has been seen.
PASSES_ON = """
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
connection = server.accept()[0]
time.sleep(1.5)
if os.fork(): os._exit(0)
open("/proc/self/comm", "w").write("heir")
for _ in range(150):
    connection.sendall(b"x" * 10000)
    time.sleep(0.01)
"""


def passed_on(t):
    """What goes over a connection is that process's which has it now."""
    def run():
        process = subprocess.Popen([sys.executable, "-c", PASSES_ON], stdout=subprocess.PIPE, text=True)
        read = 0
        with socket.create_connection(("127.0.0.1", int(process.stdout.readline()))) as client:
            while data := client.recv(1 << 16):
                read += len(data)
        process.wait()
        return read

    read = t.record(run)
    t.near(sample(t, "value", "connection.sent", "heir"), read, 0.4, 0, "bytes sent by who has inherited the connection")


def test(t):
    injector = sys.argv[2]
    lossy_host(t, injector)
    distant_host(t, injector)
    view(t)
    quarrel(t)
    datagrams(t)
    accepts(t)
    passed_on(t)


if __name__ == "__main__":
    sys.exit(probe_test.main("tcp", test))
