# SPDX-License-Identifier: BSD-2-Clause
"""Loads that look like a fault and are none: busy, idle, many threads, moderate traffic."""
import contextlib
import os
import subprocess
import sys
import time

from case import INJECT, Case, running, script

CUSTOMERS = """
import socket, threading, time
open("/proc/self/comm", "w").write("customer")
def buy():
    with socket.create_connection(("127.0.0.1", 18091)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            s.sendall(b"tea\\n"); s.recv(100); time.sleep(0.01)
for _ in range(4): threading.Thread(target=buy).start()
"""

# A thread for each client; one of them takes its time on purpose, as curl --limit-rate does.
DOWNLOADS = """
import http.server, threading, socket, select, os
class Files(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words): pass
    def do_GET(self):
        self.send_response(200); self.end_headers()
        while True: self.wfile.write(bytes(1 << 16))
open("/proc/self/comm", "w").write("library")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
if os.fork():
    server.serve_forever()
open("/proc/self/comm", "w").write("reader")
s = socket.create_connection(server.server_address)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
while s.recv(1 << 15): select.select([], [], [], 0.01)
"""

# Puts page after page into a store that has none of them yet.
SITE = """
import socket, time
open("/proc/self/comm", "w").write("site")
s = socket.create_connection(("127.0.0.1", 18098))
answers = s.makefile("rb")
for number in range(10 ** 9):
    key, page = b"page:%d" % number, b"%d" % number * 500
    s.sendall(b"*3\\r\\n$3\\r\\nSET\\r\\n$%d\\r\\n%s\\r\\n$%d\\r\\n%s\\r\\n" % (len(key), key, len(page), page))
    answers.readline()
    time.sleep(0.002)
"""

# A job whose parent gathers what its children have worked out.
POOL = """
import multiprocessing
def render(tile):
    return sum(i * i for i in range(200000 + tile % 1000))
with multiprocessing.Pool(2) as pool:
    while True:
        pool.map(render, range(50))
"""


# Two threads compress what another reads from a pipe, as it comes.
PACKER = """
import concurrent.futures, fcntl, hashlib, os, time, zlib
open("/proc/self/comm", "w").write("packer")
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1 << 20)
if os.fork() == 0:
    open("/proc/self/comm", "w").write("scanner")
    page = os.urandom(1 << 16) * 4
    while True:
        os.write(w, page)
        time.sleep(0.01)
os.close(w)
pages = os.fdopen(r, "rb")
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    while page := pages.read(1 << 18):
        hashlib.sha256(page).digest()
        pool.submit(zlib.compress, page)
"""


# Computes all the time, with a runtime that has threads of its own, beside others that do.
BUNDLER = "node -e 'for (;;) JSON.stringify(Array.from({length: 30000}, (_, i) => ({k: i, v: String(i)})))'"
BATCHES = "while :; do :; done & while :; do :; done & exec " + BUNDLER


def pipeline(commands):
    return lambda _: running(["bash", "-c", commands], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def java_counter(_):
    """A server in Java with a thread for each connection, past its start."""
    with running(["java", "-Xmx300m", os.path.join(INJECT, "Counter.java"), "18091"], stderr=subprocess.DEVNULL) as server:
        time.sleep(2)
        with running([sys.executable, "-c", CUSTOMERS]):
            time.sleep(3)
            yield server


@contextlib.contextmanager
def store(_):
    with running(["redis-server", "--port", "18098", "--save", ""], stdout=subprocess.DEVNULL) as server:
        time.sleep(1)
        with running([sys.executable, "-c", SITE]):
            time.sleep(2)
            yield server


@contextlib.contextmanager
def benchmark(_):
    """A store, asked as fast as it answers."""
    with running(["redis-server", "--port", "18099", "--save", ""], stdout=subprocess.DEVNULL) as server:
        time.sleep(0.5)
        with running(["redis-benchmark", "-p", "18099", "-c", "4", "-t", "get", "-l", "-q"], stdout=subprocess.DEVNULL):
            yield server


CASES = [
    Case("pool-with-room", "bookings 8 12 30 40 remote"),
    Case("pool-of-few", "bookings-nofp 6 5 50 0 local", often=False),
    Case("put-aside", "stopped 1 0", often=False),
    Case("orders-by-semaphore", "weighbridge orders 3", often=False),
    Case("idle", None),
    Case("relay-by-signal", "deadlock-nofp 3 relay", often=False),
    Case("relay-by-others", "deadlock-nofp 3 relay-shared", often=False),
    Case("relay-by-handler", "deadlock-nofp 3 relay-handler", often=False),
    Case("locks-in-order", "deadlock 5 order", often=False),
    Case("build", "crew 2 300"),
    Case("build-crowded", "crew-nofp 5 80", often=False),
    Case("build-wide", "crew 8 500", often=False),
    Case("pipeline", pipeline("yes some line of text | sed s/some/any/ | grep -c text"), often=False),
    Case("pipeline-archive", pipeline("while :; do tar cf - /usr/include | gzip | wc -c; done"), held_out=True, often=False),
    Case("downloads", lambda _: running([sys.executable, "-c", DOWNLOADS], start_new_session=True), often=False),
    Case("pool-fed-by-pipe", lambda _: running([sys.executable, "-c", PACKER], start_new_session=True), often=False),
    Case("pool-of-processes", lambda _: running([sys.executable, "-c", POOL], start_new_session=True, stderr=subprocess.DEVNULL), often=False),
    Case("idle-threads", "sleepers 400"),
    Case("requests", "requests 100 1000 3"),
    Case("requests-few", "requests-nofp 20 10000 1", often=False),
    Case("lock-free", "storekeepers 2 20 2000", often=False),
    Case("work-pool", "workpool 8 500 300"),
    Case("work-pool-busy", "workpool-nofp 3 300 4000", often=False),
    Case("batch", "crew 1 60000"),
    Case("batches", pipeline(BATCHES), often=False, needs="node"),
    Case("given-back", "collector freed", seconds=5),
    Case("cache-filled", "collector-nofp cache 65536", seconds=5, often=False),
    Case("pool-filled", "collector pool 4096", seconds=5, often=False),
    Case("buffers-filled", "collector-nofp buffers 4096", seconds=5, often=False),
    Case("store-filled", store, seconds=5, often=False, needs="redis-server"),
    Case("store-benchmark", benchmark, often=False, needs="redis-server"),
    Case("java-bottles-drunk", script("java -Xmx400m Cellar.java drunk", 3), seconds=5, often=False, needs="java"),
    Case("desks-enough", script("python3 desk.py 6 40 3", 1), often=False),
    Case("own-folders", "clerks own-names 3", often=False),
    Case("own-files", "clerks-nofp own-pages 3 1024", often=False),
    Case("own-memory", "tenants own 2", often=False),
    Case("fast-reader", "tcpfault fast-reader", often=False),
    Case("busy-queue", "tcpfault-nofp busy-queue", often=False),
    Case("answered", "tcpfault answered", often=False),
    Case("whole-writes", "tcpfault-nofp whole-writes", often=False),
    Case("keep-alive", "tcpfault keep-alive"),
    Case("bound-with-room", "pinned 3 20", often=False),
    Case("many-switches", "relay pipe 1 20000", often=False),
    Case("copy-alone", "caller alone-copy", often=False),
    Case("flood-moderate", "interrupts datagrams 20000 1", often=False),
    Case("quick-warehouse", "chain threads sleep 2", often=False),
    Case("quick-warehouse-loop", "chain-nofp loop compute 1 6", often=False),
    Case("words-in-order", "counters order 5", often=False),
    Case("java-locks-in-order", script("java -Xmx64m Tills.java ordered", 3), often=False, needs="java"),
    Case("java-workers", script("java -Xmx64m Tills.java workers", 3), often=False, needs="java"),
    Case("java-counter", java_counter, often=False, needs="java"),
    Case("long-poll", "chain direct sleep 1500 8", often=False),
    Case("stream", "chain-nofp direct stream 300", often=False),
    Case("backup", script("sh backup.sh"), often=False),
    Case("in-time", "chain direct sleep 5 4 18083", options=("--slo", "port=18083 p99<200ms p50<8ms"), often=False),
]
