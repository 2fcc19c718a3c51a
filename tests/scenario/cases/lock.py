# SPDX-License-Identifier: BSD-2-Clause
"""Threads that wait for locks."""
import os
import sys
import tempfile
from contextlib import contextmanager

from case import Case, running, script

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
