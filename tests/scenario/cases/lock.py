# SPDX-License-Identifier: BSD-2-Clause
"""Threads that wait for locks."""
import os
import sys
import tempfile
import time
from contextlib import contextmanager

from case import Case, compiled, running, script

# Processes that make, rename and remove files in one folder.
ARCHIVE = """
import os, sys
for clerk in range(3): os.fork() or sys.argv.append(str(clerk))
open("/proc/self/comm", "w").write("archive")
while True:
    for i in range(50):
        name = f"{sys.argv[1]}/{os.getpid()}-{i}"
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
        os.rename(name, name + ".done")
        os.unlink(name + ".done")
"""


# A child that fills a pipe which its parent would read only after its end, or after all has been written; one that waits with its
# parent until that is told to stop; one whose answer reaches its parent, who waits for more of it and could write that himself.
PRINTSHOP = """
import os, signal, sys
open("/proc/self/comm", "w").write("printshop")
from_child, out = os.pipe()
to_child, paper = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: sys.exit()) if sys.argv[1] == "told" else None
def print_pages():
    open("/proc/self/comm", "w").write("press")
    if sys.argv[1] == "told": os.read(to_child, 1)
    if sys.argv[1] == "kept": os._exit(os.write(out, b"x") - 1)
    while True: os.write(out, os.read(to_child, 4096) if sys.argv[1] == "feed" else bytes(4096))
def feed():
    while True: os.write(paper, bytes(4096))
def collect():
    while os.read(from_child, 4096): pass
child = os.fork()
for fd in {True: (from_child, paper), False: (to_child,) if sys.argv[1] == "kept" else (to_child, out)}[not child]: os.close(fd)
if not child: print_pages()
{"feed": feed, "kept": collect}.get(sys.argv[1], lambda: os.waitpid(child, 0))()
"""


def printshop(kind):
    return lambda _: running([sys.executable, "-c", PRINTSHOP, kind], start_new_session=True)


# Threads that each wait for a client who keeps silent.
RECEPTION = """
import socket, threading
pairs = [socket.socketpair() for _ in range(300)]
for own, _ in pairs: threading.Thread(target=own.recv, args=(1,)).start()
"""


@contextmanager
def printshop_behind_reception(_injectors):
    with running([sys.executable, "-c", RECEPTION]):
        time.sleep(1)
        with printshop("feed")(_injectors) as process:
            yield process


@contextmanager
def archive(_injectors):
    with tempfile.TemporaryDirectory(dir=".", ignore_cleanup_errors=True) as folder:
        with running([sys.executable, "-c", ARCHIVE, folder], start_new_session=True) as process:
            yield process


def ledger(kind):
    """Python threads with a lock, or processes with a locked file."""
    return script(f"{sys.executable} ledger.py {kind}")


CASES = [
    Case("lock-python", ledger("threads"), "lock.contention", "ledgerkeeper", function="update_ledger", resource="heap", often=False),
    Case("lock-fresh-threads", ledger("fresh"), "lock.contention", "ledgerkeeper", function="update_ledger", resource="heap", often=False),
    Case("lock-processes", ledger("processes"), "lock.contention", "ledgerkeeper", function="update_ledger", resource="sem", often=False),
    Case("lock-java-monitor", script("java -Xmx64m Tills.java monitor", 3), "lock.contention", "teller", resource="ObjectMonitor",
         needs="java", often=False),
    Case("lock-java-concurrent", script("java -Xmx64m Tills.java lock", 3), "lock.contention", "teller", resource="java.util.concurrent",
         needs="java", often=False),
    Case("lock-go-readers", compiled("go build", "pricelist.go"), "lock.contention", "pricelist", function="main.changePrices", resource="RWMutex",
         needs="go", often=False),
    Case("lock-rust-readers", compiled("rustc -O -g", "menu.rs"), "lock.contention", "menu", function="menu::change_menu", resource="MENU",
         needs="rustc", often=False),
    Case("lock-ruby-monitor", script("ruby cashier.rb monitor", 1), "lock.contention", "cashier", resource="Monitor", needs="ruby",
         often=False),
    Case("lock-ruby-mutex", script("ruby cashier.rb mutex", 1), "lock.contention", "cashier", resource="Mutex", needs="ruby",
         held_out=True, often=False),
    Case("lock-ruby-queue", script("ruby cashier.rb queue", 1), needs="ruby", often=False),
    Case("lock-crowd", "storekeepers 32 500 200", "lock.contention", "storekeeper", function="reserve_item", held_out=True, often=False),
    Case("lock-file", ledger("file"), "lock.contention", "ledgerkeeper", function="write_journal", resource="journal", often=False),
    Case("lock-system-v", "weighbridge lock 6", "lock.contention", "weighbridge", function="weigh_lorry", resource="System V semaphores", often=False),
    Case("lock-system-v-few", "weighbridge-nofp lock 3 2000000 900", "lock.contention", "weighbridge", function="weigh_lorry",
         resource="System V semaphores", held_out=True, often=False),
    Case("deadlock", "deadlock 2", "lock.deadlock", "deadlock", function="transfer"),
    Case("deadlock-ring", "deadlock-nofp 5", "lock.deadlock", "deadlock-nofp", function="transfer", often=False),
    Case("deadlock-processes", "deadlock 2 processes", "lock.deadlock", "deadlock", function="transfer", often=False),
    Case("deadlock-processes-ring", "deadlock-nofp 4 processes", "lock.deadlock", "deadlock-nofp", function="transfer", held_out=True,
         often=False),
    Case("deadlock-files", ledger("files"), "lock.deadlock", "ledgerkeeper", function="flock", resource="income", often=False),
    Case("deadlock-words", "counters-nofp crossed 2", "lock.deadlock", "counters-nofp", function="move_cash", often=False),
    Case("deadlock-words-ring", "counters crossed 4", "lock.deadlock", "counters", function="move_cash", held_out=True, often=False),
    Case("deadlock-rwlock", "deadlock-nofp 3 rwlock", "lock.deadlock", "deadlock-nofp", function="transfer", often=False),
    Case("deadlock-semaphores", "deadlock-nofp 3 semaphores", "lock.deadlock", "deadlock-nofp", function="move_goods", often=False),
    Case("deadlock-java", script("java -Xmx64m Tills.java crossed", 3), "lock.deadlock", "teller", resource="monitor of java.lang.Object", needs="java",
         often=False),
    Case("deadlock-java-ring", script("java -Xmx64m Tills.java ring", 3), "lock.deadlock", "teller", resource="ReentrantLock", needs="java",
         held_out=True, often=False),
    Case("deadlock-python", ledger("crossed"), "lock.deadlock", "ledgerkeeper", function="PyThread_acquire_lock_timed", often=False),
    Case("deadlock-child-unread", printshop("unread"), "lock.deadlock", "printshop", function="print_pages", resource="process .*pipe", often=False),
    Case("deadlock-both-write", printshop("feed"), "lock.deadlock", "printshop", function="feed", resource="pipe .*pipe", often=False),
    Case("deadlock-behind-crowd", printshop_behind_reception, "lock.deadlock", "printshop", function="feed", resource="pipe .*pipe", often=False),
    Case("deadlock-own-pipe", printshop("kept"), "lock.deadlock", "printshop", function="collect", resource="this process alone", held_out=True,
         often=False),
    Case("told-to-stop", printshop("told"), often=False),
    Case("lock", "storekeepers 4 1000 300", "lock.contention", "storekeeper", function="reserve_item"),
    Case("lock-many", "storekeepers-nofp 12 3000 500", "lock.contention", "storekeeper", function="reserve_item", often=False),
    Case("one-folder", "clerks names 4", "lock.kernel", "registrar", function="file_letters", resource="do_|path_"),
    Case("one-file", "clerks-nofp pages 6 2048", "lock.kernel", "registrar", function="keep_ledger", resource="write_iter",
         held_out=True, often=False),
    Case("one-folder-python", archive, "lock.kernel", "archive", resource="do_|path_", held_out=True, often=False),
    Case("unmaps", "tenants maps 6 2", "lock.mmap", "landlord", function="furnish_room", evidence=("munmap",)),
    Case("protects", "tenants-nofp protects 3 32", "lock.mmap", "landlord", function="lock_doors", evidence=("mprotect",),
         held_out=True, often=False),
]
