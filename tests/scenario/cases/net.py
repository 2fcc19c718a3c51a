# SPDX-License-Identifier: BSD-2-Clause
"""Connections that are held up."""
import contextlib
import subprocess
import sys
import tempfile
import time

from case import Case, running

# A service at a Unix socket with room for two, which takes its time over each request; its six clients rest in between. It has so many
# workers, or accepts by itself.
PRINTER = """
import os, socket, sys, time
takes, rests, workers = map(float, sys.argv[1:])
place = "\\0perfscope-scenario-%d" % os.getpid()
listener = socket.socket(socket.AF_UNIX)
listener.bind(place)
listener.listen(2)
def print_page(connection):
    connection.recv(100)
    time.sleep(takes)
    connection.sendall(b"done")
    connection.close()
for _ in range(6):
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("clerk")
        listener.close()
        while True:
            s = socket.socket(socket.AF_UNIX)
            s.connect(place)
            s.sendall(b"page")
            s.recv(100)
            s.close()
            time.sleep(rests)
for _ in range(int(workers)):
    if os.fork() == 0: workers = 0; break
if workers:
    open("/proc/self/comm", "w").write("foreman")
    os.wait()
open("/proc/self/comm", "w").write("printer")
while True: print_page(listener.accept()[0])
"""

# Sends by a Unix socket to another one that takes its time.
SHIP = """
import os, socket, time
def call_oneself(name): open("/proc/self/comm", "w").write(name)
here, there = socket.socketpair()
if os.fork() == 0:
    here.close()
    call_oneself("sink")
    while there.recv(4096): time.sleep(0.02)
    os._exit(0)
there.close()
call_oneself("shipper")
while True: here.sendall(bytes(4096))
"""


def printer(takes, rests, workers=0):
    return lambda _: running([sys.executable, "-c", PRINTER, str(takes), str(rests), str(workers)], start_new_session=True, stderr=subprocess.DEVNULL)


# Asks a name server that answers after so long, or never (0).
RESOLVE = """
import socket, sys, threading, time
open("/proc/self/comm", "w").write("mailer")
delay = float(sys.argv[1])
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("127.0.0.9", 53))
def answer():
    while True:
        question, client = server.recvfrom(2000)
        time.sleep(delay)
        server.sendto(question[:2] + b"\\x81\\x83" + question[4:], client)  # no such name
if delay: threading.Thread(target=answer).start()
def look_up():
    try: socket.getaddrinfo("mail.example.org", 25)
    except OSError: pass
while True:
    look_up()
    time.sleep(0.01)
"""
# One process for each name.
ASK = 'python3 -c "$@" & sleep 0.3; while :; do getent ahosts mail.example.org; done'


def name_server(*argv):
    """In a network of its own, with that name server alone."""
    @contextlib.contextmanager
    def start(_):
        with tempfile.NamedTemporaryFile("w") as names:
            names.write("nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
            names.flush()
            ready = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"'
            with running(["unshare", "-nm", "sh", "-c", ready, names.name, *argv], start_new_session=True) as process:
                time.sleep(0.5)
                yield process
    return start


def cut_off(kind):
    """So long ago that TCP tries again every six seconds only."""
    @contextlib.contextmanager
    def start(injectors):
        with running([injectors + "/distant-nofp", kind, "1", "1000", "0", "1"]) as process:
            time.sleep(8)
            yield process
    return start


# Each argument is a process with the names that it connects to, which have addresses of which one is enough. Only 127.0.0.1 is served.
TRY = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0), backlog=50)
port = listener.getsockname()[1]
def look_up(addresses):
    for host in addresses.split("/"):
        try: return socket.create_connection((host, port)).close()
        except OSError: pass
for names in sys.argv[1:]:
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("poller")
        while True:
            for addresses in names.split(): look_up(addresses)
            time.sleep(0.02)
while True: listener.accept()[0].close()
"""


# Asks again and again where there is no way, or too few local ports for connections that come and go.
NO_WAY = """
import os, socket, sys, time
host, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 7171), backlog=50)
if os.fork() == 0:
    open("/proc/self/comm", "w").write("replicator")
    while True:
        try: socket.create_connection((host, port), timeout=1).close()
        except OSError: pass
        time.sleep(0.03)
while True: listener.accept()[0].close()
"""


def own_network(prepare, code, *argv):
    """A Python program in a network of its own, of which the shell has made something."""
    start = f'ip link set lo up && {prepare} && exec "$@"'
    return lambda _: running(["unshare", "-n", "sh", "-c", start, "sh", sys.executable, "-c", code, *argv], start_new_session=True)


def try_names(*processes):
    return lambda _: running([sys.executable, "-c", TRY, *processes], start_new_session=True)


CASES = [
    Case("slow-reader", "tcpfault slow-reader", "net.zero-window", "archiver", function="ponder", victims=("feeder",)),
    Case("full-queue", "tcpfault full-queue", "net.accept-queue", "gatekeeper"),
    Case("refused", "tcpfault-nofp refused", "net.connect-failures", victims=("poller",)),
    Case("small-writes", "tcpfault small-writes", "net.small-writes", "customer", function="ask", victims=("clerk",)),
    Case("slow-reader-6", "tcpfault-nofp slow-reader 1", "net.zero-window", "archiver", victims=("feeder",), held_out=True, often=False),
    Case("reader-of-many", "tcpfault crowd-reader", "net.zero-window", "archiver", function="ponder", victims=("feeder",), often=False),
    Case("full-queue-6", "tcpfault-nofp full-queue 1", "net.accept-queue", "gatekeeper", resource=r"^\[::1\]:", held_out=True, often=False),
    Case("long-queue", "tcpfault-nofp long-queue", "net.accept-queue", "gatekeeper", often=False),
    Case("full-queue-unix", printer(0.05, 0), "net.accept-queue", "printer", function="print_page", victims=("clerk",),
         resource="^@perfscope-scenario", often=False),
    Case("full-queue-unix-hung", printer(1000, 0), "net.accept-queue", "printer", function="print_page", victims=("clerk",),
         resource="^@perfscope-scenario", often=False),
    Case("full-queue-unix-workers-hung", printer(1000, 0, 2), "net.accept-queue", "printer", function="print_page", victims=("clerk",),
         resource="^@perfscope-scenario", often=False),
    Case("quick-queue-unix", printer(0.001, 0.05), often=False),
    Case("slow-reader-unix", lambda _: running([sys.executable, "-c", SHIP]), "net.zero-window", "sink", victims=("shipper",),
         often=False),
    Case("stuck", "tcpfault stuck", "net.accept-queue", "gatekeeper", often=False),
    Case("impatient", "tcpfault impatient 1", "net.accept-queue", "gatekeeper", often=False),
    Case("refused-6", "tcpfault refused 1", "net.connect-failures", victims=("poller",), resource=r"^\[::1\]:", held_out=True, often=False),
    Case("small-writes-of-many", "tcpfault crowd-writes 1", "net.small-writes", "customer", function="ask", victims=("clerk",), often=False),
    Case("hurried", "tcpfault hurried", often=False),
    Case("refused-first", try_names("::1/127.0.0.1"), often=False),
    Case("refused-beside", try_names("::1", "127.0.0.1"), "net.connect-failures", victims=("poller",), resource=r"^\[::1\]:", often=False),
    Case("refused-of-many", try_names("::1" + 6 * " 127.0.0.1"), "net.connect-failures", victims=("poller",), resource=r"^\[::1\]:",
         often=False),
    Case("no-way", own_network("true", NO_WAY, "203.0.113.9", "5432"), "net.connect-failures", victims=("replicator",),
         resource="^203.0.113.9:5432$", evidence=("unreachable",), often=False),
    Case("no-way-6", own_network("ip route add unreachable 2001:db8::/32", NO_WAY, "2001:db8::9", "5432"), "net.connect-failures",
         victims=("replicator",), resource=r"^\[2001:db8::9\]:5432$", held_out=True, often=False),
    Case("no-ports", own_network("sysctl -qw net.ipv4.tcp_tw_reuse=0 net.ipv4.ip_local_port_range='40000 40060'", NO_WAY, "127.0.0.1", "7171"),
         "net.connect-failures", victims=("replicator",), resource="^127.0.0.1:7171$", evidence=("local port",), often=False),
    Case("mistaken", "tcpfault mistaken", often=False),
    # A far host, from the beginning, with connections that come and go, from some moment on; one that asks rarely loses little.
    Case("distant", "distant ask 40 0", "net.latency", victims=("customer",), function="consult", resource=":7070$"),
    Case("distant-calls", "distant-nofp call 30 0 1", "net.latency", victims=("customer",), resource=":7070$", held_out=True,
         often=False),
    Case("names-unanswered", name_server(sys.executable, "-c", RESOLVE, "0"), "net.latency", victims=("mailer",), function="getaddrinfo",
         often=False),
    Case("names-unanswered-short", name_server("sh", "-c", ASK, "sh", RESOLVE, "0"), "net.latency", victims=("getent", "mailer"), held_out=True,
         often=False),
    Case("names", name_server(sys.executable, "-c", RESOLVE, "0.02"), often=False),
    Case("distant-later", "distant-nofp ask 80 0 0 2", "net.latency", victims=("customer",), resource=":7070$", often=False),
    Case("distant-report", "distant report 60 0", often=False),
    # A line that loses packets: of requests, of a stream, of short connections; of all; a few of a stream.
    Case("lossy", "distant ask 1 60", "net.retransmits", victims=("customer",), resource=":7070$"),
    Case("lossy-upload", "distant-nofp upload 5 40 1", "net.retransmits", victims=("customer",), resource=":7070$", held_out=True,
         often=False),
    Case("lossy-calls", "distant call 0 60", "net.retransmits", victims=("customer",), often=False),
    Case("cut-off", "distant ask 1 1000 0 1", "net.retransmits", victims=("customer",), resource=":7070$", often=False),
    Case("lossy-a-little", "distant upload 10 3", often=False),
    Case("cut-off-log", cut_off("log"), seconds=7, often=False),
    Case("cut-off-server", cut_off("pass-on"), "net.retransmits", victims=("customer",), resource=":7070$", seconds=7, often=False),
    Case("nobody-there", "distant-nofp call 0 1000", "net.connect-failures", victims=("customer",), resource=":7070$", often=False),
    # Datagrams for which a buffer, a queue, a firewall has no room.
    Case("lost-datagrams", "datagrams 1000 3000", "net.drops", "collector", function="digest", resource="RCVBUFF.*udp port"),
    Case("lost-datagrams-large", "datagrams-nofp 500 2000 900 1", "net.drops", "collector", resource="RCVBUFF.*udp port", held_out=True,
         often=False),
    Case("read-datagrams", "datagrams-nofp 300 0", often=False),
    Case("shaped", "datagrams 500 0 900", "net.drops", victims=("agent",), resource="QDISC.*lo, udp port",
         network="tc qdisc add dev lo root tbf rate 2mbit burst 4k limit 8k", often=False),
    Case("filtered", "tcpfault whole-writes", "net.drops", victims=("clerk", "customer"), resource="NETFILTER.*, lo",
         evidence=("explains net.retransmits",), often=False,
         network="nft add table inet t && nft 'add chain inet t in { type filter hook input priority 0; }' && "
                 "nft 'add rule inet t in meta l4proto tcp numgen random mod 10 == 0 drop'"),
    Case("firewall", "datagrams-nofp 1000 0", "net.drops", victims=("collector",), resource="NETFILTER.*lo, udp port", often=False,
         network="nft add table inet t && nft 'add chain inet t in { type filter hook input priority 0; }' && "
                 "nft 'add rule inet t in ip protocol udp numgen inc mod 3 == 0 drop'"),
]
