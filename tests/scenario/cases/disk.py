# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for disks."""
import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

from case import Case, running
from disks import dirty_limit, on_file, on_limited_file, on_memory_disk, on_slow_disk, scratch

DISK = r"^(vd|sd|nvme|xvd|dm-|md|mmcblk)"
LOOP = r"^loop\d+$"
LIMIT = (16 << 20, 8 << 20)  # bytes of page cache that may be dirty, and from which on it is written
AMPLE = (512 << 20, 128 << 20)


@contextlib.contextmanager
def beside_short_ones(injectors):
    """A disk that one program fills, and another that is started again and again to read a little of it."""
    with on_file("reindexer,fetch,16,64,0")(injectors) as process:
        reader = 'while :; do dd if="$0" of=/dev/null bs=4k count=30 iflag=direct status=none; done'
        with running(["sh", "-c", reader, process.args[1]]):
            yield process


@contextlib.contextmanager
def held_back_one_by_one(_):
    """Programs that each live for less than a second, and are held back for most of it."""
    copy = 'cd "$0"; while :; do dd if=/dev/zero of=copy bs=1M count=600 status=none; done'
    with dirty_limit(*LIMIT), scratch() as folder, running(["sh", "-c", copy, folder], start_new_session=True) as process:
        yield process


# Goes on with what there is no room for.
LOGGER = """
import os, sys, time
open("/proc/self/comm", "w").write("collector")
def append_line(log):
    try: os.write(log, bytes(50000))
    except OSError: pass
log = os.open(sys.argv[1] + "/events.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
while True:
    append_line(log)
    time.sleep(0.01)
"""
CAMERA = 'cd "$0"; n=0; while sleep 0.02; do n=$((n + 1)); cp /bin/ls frame-$n; done 2>/dev/null'


# Writes what there is no room for, takes it away, and tries again.
EXPORTER = """
import os, sys, time
open("/proc/self/comm", "w").write("exporter")
path = sys.argv[1] + "/report.csv"
def write_report():
    with open(path, "wb", buffering=0) as report:
        for _ in range(700):
            report.write(bytes(65536))
            time.sleep(0.0005)
while True:
    try: write_report()
    except OSError: pass
    os.unlink(path)
    time.sleep(0.1)
"""

# Writes what there is no room for to two file systems; its larger file lies on the one to which it writes less.
ARCHIVER = """
import ctypes, os, sys, time
open("/proc/self/comm", "w").write("archiver")
mount = ctypes.CDLL(None).mount
def open_on(name, size):
    folder = sys.argv[1] + "/" + name
    os.mkdir(folder)
    mount(b"none", folder.encode(), b"tmpfs", 0, b"size=" + size)
    return os.open(folder + "/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
attic, cellar = open_on("attic", b"2m"), open_on("cellar", b"20m")
def append_line(log):
    try: os.write(log, bytes(50000))
    except OSError: pass
for _ in range(500): append_line(cellar)
while True:
    for _ in range(3): append_line(attic)
    append_line(cellar)
    time.sleep(0.1)
"""


@contextlib.contextmanager
def small_file_system(options, *argv):
    """A program that is given the folder, which is in nobody else's namespace."""
    with scratch() as folder:
        start = f'mount -t tmpfs -o {options} none "$0" && exec "$@"'
        with running(["unshare", "-m", "sh", "-c", start, folder, *argv, folder], start_new_session=True) as process:
            time.sleep(1)
            yield process


# Keeps what it is given under one lock, which it holds until the disk has it.
KEEP = """
import os, sys, threading
open("/proc/self/comm", "w").write("inventory")
book = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
guard = threading.Lock()
def reserve_item():
    with guard:
        for _ in range(20):
            os.write(book, bytes(4000))
            os.fsync(book)
def serve():
    while True: reserve_item()
for _ in range(5): threading.Thread(target=serve).start()
"""


# The same in Ruby, whose mutexes let a thread sleep on a lock of its own.
KEEP_IN_RUBY = """
Process.setproctitle("inventory")
BOOK = File.open(ARGV[0], "a")
GUARD = Mutex.new
def reserve_item = 20.times { BOOK.write("x" * 4000); BOOK.fsync }
def serve
  Thread.current.name = "inventory"
  loop { GUARD.synchronize { reserve_item }; sleep 0.001 }
end
5.times.map { Thread.new { serve } }.each(&:join)
"""


def keep(*command):
    @contextlib.contextmanager
    def start(_):
        with tempfile.NamedTemporaryFile(dir=".") as f, running([*command, f.name]) as process:
            yield process
    return start


POSTGRES = os.path.dirname(max(glob.glob("/usr/lib/postgresql/*/bin/pgbench"), default=""))


@contextlib.contextmanager
def database(sql):
    """Each of its clients has a process of its own, and sends this all the time."""
    place = tempfile.mkdtemp(dir="/var/tmp")
    try:
        shutil.chown(place, "postgres")
        mine = {"user": "postgres", "cwd": place, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([POSTGRES + "/initdb", "-A", "trust", "-D", place + "/data", "--no-sync"], check=True, **mine)
        with open(place + "/orders.sql", "w", encoding="ascii") as f:
            f.write(sql)
        with running([POSTGRES + "/postgres", "-D", place + "/data", "-k", place, "-c", "listen_addresses="], **mine) as server:
            for _ in range(60):
                time.sleep(0.5)
                if not subprocess.run([POSTGRES + "/psql", "-h", place, "-c", "create table orders (amount float)"], check=False, **mine).returncode:
                    break
            with running([POSTGRES + "/pgbench", "-h", place, "-n", "-c", "6", "-T", "60", "-f", place + "/orders.sql", "postgres"], **mine):
                yield server
            server.terminate() # its processes end with it
            server.wait()
    finally:
        shutil.rmtree(place, ignore_errors=True)


CASES = [
    Case("disk-full", on_file("reindexer,fetch,16,64,0", "orders,fetch,1,4,1000"), "disk.saturation", "reindexer",
         "fetch_block", victims=("orders",), resource=DISK),
    Case("disk-full-async", on_file("thumbnailer,stream,64,64,0", "orders,fetch,2,4,200", program="diskjobs-nofp"),
         "disk.saturation", "thumbnailer", victims=("orders",), resource=DISK, often=False),
    Case("disk-full-writes", on_file("importer,store,24,256,0", "mailbox,commit,1,4,500"), "disk.saturation", "importer",
         victims=("mailbox",), resource=DISK, held_out=True, often=False),
    Case("disk-full-alone", on_file("loader,fetch,32,16,0", program="diskjobs-nofp"), "disk.saturation", "loader", "fetch_block",
         resource=DISK, held_out=True, often=False),
    Case("disk-full-short", beside_short_ones, "disk.saturation", "reindexer", victims=("dd",), resource=DISK, often=False),
    Case("disk-full-async-alone", on_file("thumbnailer,stream,64,64,0"), "disk.saturation", "thumbnailer", resource=DISK, often=False),
    Case("disk-slow", on_slow_disk("catalog,fetch,1,4,1000"), "disk.latency", None, "fetch_block", victims=("catalog",),
         resource=LOOP, evidence=("read in the device, p99", "queue")),
    Case("disk-slow-writes", on_slow_disk("ledger,store,2,4,2000", program="diskjobs-nofp", write=40), "disk.latency", None,
         "store_block", victims=("ledger",), resource=LOOP, evidence=("write in the device, p99",), often=False),
    Case("disk-limited", on_limited_file("archive,fetch,2,4,0"), "disk.latency", None, "fetch_block", victims=("archive",), resource=DISK,
         evidence=("limit of",), often=False),
    Case("disk-slow-sync", on_slow_disk("ledger,commit,1,4,500"), "disk.latency", None, victims=("ledger",), resource=LOOP,
         held_out=True, often=False),
    Case("disk-fails", on_memory_disk("archiver,store,1,64,20000"), "disk.errors", None, victims=("archiver",), resource=LOOP),
    Case("disk-fails-later", on_memory_disk("archiver,commit,1,64,1000", program="diskjobs-nofp"), "disk.errors", None,
         victims=("archiver",), resource=LOOP, held_out=True, often=False),
    Case("no-space", lambda _: small_file_system("size=8m", sys.executable, "-c", LOGGER), "disk.errors", "collector", "append_line",
         resource="scenario-disk-", often=False),
    Case("no-inodes", lambda _: small_file_system("nr_inodes=40", "sh", "-c", CAMERA), "disk.errors", "cp", resource="scenario-disk-",
         held_out=True, often=False),
    Case("no-space-by-turns", lambda _: small_file_system("size=40m", sys.executable, "-c", EXPORTER), "disk.errors", "exporter", "write_report",
         resource="scenario-disk-", often=False),
    Case("room-by-turns", lambda _: small_file_system("size=60m", sys.executable, "-c", EXPORTER), often=False),
    Case("no-space-twice", lambda _: small_file_system("size=800m", sys.executable, "-c", ARCHIVER), "disk.errors", "archiver",
         "append_line", resource="/attic", evidence=("/attic/log",), also=("disk.errors",), often=False),
    Case("space-enough", lambda _: small_file_system("size=800m", sys.executable, "-c", LOGGER), often=False),
    Case("held-back", on_file("exporter,append,1,256,0", dirty=LIMIT), "disk.writeback", "exporter", "append_block", resource=DISK),
    Case("held-back-many", on_file("exporter,append,4,64,0", program="diskjobs-nofp", dirty=LIMIT, mib=512), "disk.writeback",
         "exporter", "append_block", resource=DISK, held_out=True, often=False),
    Case("held-back-short", held_back_one_by_one, "disk.writeback", "dd", resource=DISK, often=False),
    Case("copy", on_file("backup,copy,1,1024,0", mib=512)),
    Case("copy-ample", on_file("backup,append,1,1024,0", mib=2048, dirty=AMPLE), often=False),
    Case("random-reads", on_file("catalog,fetch,2,4,5000"), often=False),
    Case("log", on_file("logger,append,4,4,2000"), often=False),
    Case("write-through", on_file("journald,write-through,2,4,200", program="diskjobs-nofp"), "disk.sync", "journald", "append_block",
         resource="data"),
    Case("write-through-flag", on_file("journald,safe,3,8,100"), "disk.sync", "journald", "write_safely", resource="data",
         often=False),
    Case("mapped-syncs", on_file("catalog,map,2,4,200", program="diskjobs-nofp"), "disk.sync", "catalog", "save_page", resource="data",
         often=False),
    Case("range-syncs", on_file("recorder,range,2,16,100"), "disk.sync", "recorder", "save_range", resource="data", often=False),
    Case("file-system-syncs", on_file("importer,everything,2,4,200"), "disk.sync", "importer", "save_all", often=False),
    Case("sync-alone", on_file("importer,commit,1,4,0", program="diskjobs-nofp"), "disk.sync", "importer", "commit_block",
         resource="data", often=False),
    Case("commits-of-processes", lambda _: database("insert into orders values (random());"), "disk.sync", "postgres", function="XLogFlush", resource="pg_wal",
         needs=lambda: bool(POSTGRES), often=False),
    # Nobody else waits while one of its processes does.
    Case("queries-that-wait", lambda _: database("select 1;\nselect 2;\nselect 3;\nselect pg_sleep(0.06);"), needs=lambda: bool(POSTGRES), often=False),
    Case("log-syncs", on_file("logger,commit,1,4,60000", program="diskjobs-nofp"), often=False),
    Case("few-syncs", on_file("ledger,commit,1,8,50000"), held_out=True, often=False),
    Case("sync-under-lock", "storekeepers 4 5 300 orders", "disk.sync", "storekeeper", function="commit_order"),
    Case("sync-under-lock-many", "storekeepers-nofp 8 20 100 orders", "disk.sync", "storekeeper", function="commit_order", often=False),
    Case("sync-under-lock-ruby", keep("ruby", "-e", KEEP_IN_RUBY), "disk.sync", "inventory", evidence=("lock held meanwhile",), needs="ruby",
         often=False),
    Case("sync-under-lock-python", keep(sys.executable, "-c", KEEP), "disk.sync", "inventory", function="reserve_item", evidence=("lock held meanwhile",),
         often=False),
]
