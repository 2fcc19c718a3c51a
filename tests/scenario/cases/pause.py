# SPDX-License-Identifier: BSD-2-Clause
"""Processes that stand still."""
import contextlib
import os
import signal
import subprocess
import sys
import time

from case import Case, running, script

FREEZER = "/sys/fs/cgroup/freezer"


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


@contextlib.contextmanager
def frozen(nap):
    """A process with work, and naps of so many seconds, whose cgroup is frozen for half of the time."""
    cgroup = os.path.join(FREEZER, "perfscope-vault")
    os.makedirs(cgroup, exist_ok=True)
    state = os.path.join(cgroup, "freezer.state")
    keeper = ("import os, time\nopen('/proc/self/comm', 'w').write('bookkeeper')\n"
              f"while True:\n    sum(range(100000)); time.sleep({nap})")
    freeze = (f"import time\nwhile True:\n    for s in 'FROZEN', 'THAWED':\n        f = open({state!r}, 'w'); f.write(s); "
              "f.close(); time.sleep(0.25)")
    with running([sys.executable, "-c", keeper]) as process:
        put(os.path.join(cgroup, "cgroup.procs"), str(process.pid))
        try:
            with running([sys.executable, "-c", freeze]):
                yield process
        finally:
            put(state, "THAWED")
            put(os.path.join(os.path.dirname(cgroup), "cgroup.procs"), str(process.pid))
            for _ in range(50):
                with contextlib.suppress(OSError):
                    os.rmdir(cgroup)
                    break
                time.sleep(0.05)


@contextlib.contextmanager
def redis(slow):
    """Redis with clients, and one that asks for what takes long."""
    port = "7379"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(["redis-server", "--port", port, "--save", "", "--enable-debug-command", "yes"], **quiet) as server:
        time.sleep(0.5)
        with running(["redis-benchmark", "-p", port, "-c", "4", "-t", "get", "-l", "-q"], **quiet):
            asking = f"while :; do sleep 0.3; redis-cli -p {port} {slow}; done"
            with running(["sh", "-c", asking], **quiet):
                yield server


@contextlib.contextmanager
def put_to_sleep(_):
    """Redis with clients, stopped for good before anybody looks."""
    port = "7380"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(["redis-server", "--port", port, "--save", ""], **quiet) as server:
        time.sleep(0.5)
        with running(["redis-benchmark", "-p", port, "-c", "4", "-t", "get", "-l", "-q"], **quiet):
            time.sleep(0.5)
            server.send_signal(signal.SIGSTOP)
            yield server


# A server that keeps much, makes garbage for each answer, and has one client.
RUBY = """
require 'socket'
kept = Array.new(1_500_000) { |i| "item #{i}" }
server = TCPServer.new('127.0.0.1', 0)
fork do
  Process.setproctitle('customer')
  s = TCPSocket.new('127.0.0.1', server.addr[1])
  loop { s.puts 'list'; s.gets; sleep 0.002 }
end
File.write('/proc/self/comm', 'shop')
s = server.accept
while s.gets
  kept[rand(kept.size)] = 'x'
  s.puts((0...30_000).map { |i| "v#{i}" * 20 }.size)
end
"""


@contextlib.contextmanager
def ruby(_):
    with running(["ruby", "-e", RUBY], start_new_session=True) as process:
        time.sleep(2)
        yield process


LUA = "eval 'local n = 0; while n < 15000000 do n = n + 1 end; return n' 0"
JAVA = "java -XX:+UseSerialGC -Xlog:disable"

CASES = [
    Case("stopped", "stopped 200 300", "pause.freeze", "bookkeeper", function="keep_books", resource="SIGSTOP from stopped "),
    Case("stopped-long", "stopped-nofp 1500 500", "pause.freeze", "bookkeeper", function="keep_books", often=False),
    Case("frozen", lambda _: frozen(0.005), "pause.freeze", "bookkeeper", resource="cgroup /perfscope-vault", often=False,
         needs=lambda: os.path.isdir(FREEZER)),
    Case("frozen-asleep", lambda _: frozen(0.03), "pause.freeze", "bookkeeper", resource="cgroup /perfscope-vault", often=False,
         needs=lambda: os.path.isdir(FREEZER)),
    Case("stopped-service", put_to_sleep, "pause.freeze", "redis-server", often=False),
    # A runtime that stops its threads at safe points, or by signals; one whose threads do it themselves.
    Case("stop-all", "safepoint 3 60 200", "pause.gc", "orderbook", function="stop_all_and_sweep", evidence=("p50", "max")),
    Case("stop-all-signal", "safepoint-nofp 8 30 120 signal", "pause.gc", "orderbook", function="stop_all_and_sweep", held_out=True, often=False),
    Case("stop-all-self", "safepoint-nofp 4 40 150 self", "pause.gc", "orderbook", function="stop_all_and_sweep", often=False),
    Case("java", script(JAVA + " -Xmx300m Ledger.java 3 140 3000", 4), "pause.gc", "java", resource="HotSpot", evidence=("p50", "max"),
         often=False, needs="java"),
    Case("java-young", script(JAVA + " -Xmx300m -Xmn60m Ledger.java 2 150 1500", 4), "pause.gc", "java", resource="HotSpot",
         held_out=True, often=False, needs="java"),
    Case("node-collects", script("node --expose-gc kiosk.js collect 600000 300", 1), "pause.gc", "kiosk", resource="V8",
         victims=("customer",), often=False),
    # Threads under an interpreter's lock: one collects, all wait.
    Case("python-collects", script("python3 reading_room.py 300000 20", 2), "pause.gc", "librarian", resource="CPython",
         victims=("reader",), often=False),
    Case("ruby-collects", ruby, "pause.gc", "shop", resource="Ruby", often=False, needs="ruby"),
    # A loop that computes, sleeps, syncs in one of its callbacks.
    Case("loop", "loopserver 100 300", "pause.event-loop", "gameserver", function="rank_players", victims=("player",),
         evidence=("p50", "max")),
    Case("loop-seldom", "loopserver-nofp 250 1200 200 8", "pause.event-loop", "gameserver", function="rank_players",
         victims=("player",), held_out=True, often=False),
    Case("loop-sleeps", "loopserver-nofp 150 400 50 3 sleep", "pause.event-loop", "gameserver", function="rank_players",
         victims=("player",), often=False),
    Case("loop-syncs", "loopserver 150 400 50 3 sync", "disk.sync", "gameserver", function="save_scores", victims=("player",),
         often=False),
    Case("python-loop", script("python3 mailroom.py sleep 100 300"), "pause.event-loop", "python3", function="work",
         victims=("sender",)),
    Case("python-loop-busy", script("python3 mailroom.py compute 150 500"), "pause.event-loop", "python3", function="sort_letters",
         victims=("sender",), held_out=True, often=False),
    Case("python-loop-child", script("python3 mailroom.py child 120 300"), "pause.event-loop", "python3", victims=("sender",), resource="^work$",
         often=False),
    Case("python-loop-asks", script("python3 mailroom.py ask 100 200"), "pause.event-loop", "python3", function="ask", victims=("sender",),
         often=False),
    Case("node-loop", script("node kiosk.js compute 120 400", 1), "pause.event-loop", "kiosk", victims=("customer",), often=False),
    Case("redis-script", lambda _: redis(LUA), "pause.event-loop", "redis-server", victims=("redis-benchmark",), often=False),
    Case("redis-sleep", lambda _: redis("debug sleep 0.2"), "pause.event-loop", "redis-server", function="debugCommand",
         victims=("redis-benchmark",), held_out=True, often=False),
    # Threads that meet, or wait for work together; short callbacks; a collector that takes little.
    Case("phases", "phases 3 20000"),
    Case("phases-pool", "phases-nofp 3 15000 pool 20", often=False),
    Case("loop-short", "loopserver 0 400 300 4", often=False),
    Case("java-small", script(JAVA + " -Xmx600m Ledger.java 2 20 300", 4), often=False, needs="java"),
    Case("python-collects-seldom", script("python3 reading_room.py 20000 400", 1), often=False),
    Case("node-short", script("node kiosk.js compute 3 100", 1), often=False),
]
