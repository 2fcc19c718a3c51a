# SPDX-License-Identifier: BSD-2-Clause
"""Memory."""
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager

from case import Case, running, script

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../probe"))
import cgroups  # noqa: E402

MB = 1 << 20

# A list that is never emptied.
FORGETFUL = """
import time
open("/proc/self/comm", "w").write("scoreboard")
games = []
def remember_game():
    for number in range(60): games.append(bytearray(1000))
while True:
    remember_game()
    [bytearray(50000) for number in range(10)]
    time.sleep(0.01)
"""

# Looks things up at random in a file that does not fit into the memory that it may use.
LOOK_UP = """
import mmap, random, sys
open("/proc/self/comm", "w").write("directory")
with open(sys.argv[1], "r+b") as f: m = mmap.mmap(f.fileno(), 0)
total = 0
while True: total += m[random.randrange(len(m) // 4096) * 4096]
"""

# Holds most of the memory that it may use and writes files through the rest.
WRITE = """
import sys
open("/proc/self/comm", "w").write("recorder")
kept = bytearray(30 << 20)
def write_tape():
    with open(sys.argv[1], "wb") as f:
        for _ in range(300): f.write(kept[:1 << 20])
while True: write_tape()
"""

# One takes more and more, until the other has to go, which is worth less.
CROWD_OUT = """
import os, time
if os.fork() == 0:
    open("/proc/self/comm", "w").write("indexer")
    index = bytearray(50 << 20)
    open("/proc/self/oom_score_adj", "w").write("500")
    while True: time.sleep(1)
open("/proc/self/comm", "w").write("uploader")
time.sleep(1.5)
parts = []
while len(parts) < 40:
    parts.append(bytearray(1 << 20))
    time.sleep(0.03)
while True: time.sleep(1)
"""

# A list that grows in a heap, which takes memory in large steps.
HEAP = """
process.title = "wardrobe";
const kept = [];
function hangUp() { for (let i = 0; i < 800; i++) kept.push({ i, coat: "wool".repeat(40) + i, tags: [i, i + 1] }); }
setInterval(hangUp, 20);
"""


# Writes to a file that lies in memory.
SPOOL = """
import os, time
open("/proc/self/comm", "w").write("spooler")
spool = os.fdopen(os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR), "wb", buffering=0)
page = bytes(1 << 20)
def print_job(number): %s
for number in range(1000):
    print_job(number)
    time.sleep(0.02)
"""


@contextmanager
def limited(code, path, limit, name=cgroups.NAME):
    """A Python program under a limit of memory; where there are no such limits, it fails."""
    parent, child = cgroups.make("memory", [("memory.limit_in_bytes", str(limit))], [("memory.max", str(limit)), ("memory.swap.max", "0")],
                                 name=name)
    try:
        with running([sys.executable, "-c", code, path], start_new_session=True,
                     preexec_fn=lambda: cgroups.put(child, "cgroup.procs", str(os.getpid()))) as process:
            yield process
    finally:
        cgroups.remove(parent)


@contextmanager
def write(injectors, limit=40 * MB, name=cgroups.NAME):
    with tempfile.NamedTemporaryFile(dir=".") as f, limited(WRITE, f.name, limit, name) as process:
        yield process


@contextmanager
def write_twice(injectors):
    with write(injectors) as process, write(injectors, name=cgroups.NAME + "-2"):
        yield process


@contextmanager
def look_up(injectors, size=160 * MB, limit=48 * MB):
    """Looks up in a file of that size under a limit of memory."""
    with tempfile.NamedTemporaryFile(dir=".") as f:
        for _ in range(size // MB):
            f.write(bytes(MB))
        f.flush()
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with limited(LOOK_UP, f.name, limit) as process:
            yield process


def forgetful(_):
    return running([sys.executable, "-c", FORGETFUL])


def analyst(_):
    """A job that has just begun to build up its data."""
    return running([sys.executable, "-c", FORGETFUL.replace("    time.sleep(0.01)\n", "    sum(range(500000))\n")])


@contextmanager
def forgetful_server(_):
    """Busy without a pause."""
    listens = FORGETFUL.replace("games = []", "import socket; listener = socket.create_server(('127.0.0.1', 0)); games = []")
    with running([sys.executable, "-c", listens.replace("    time.sleep(0.01)\n", "    sum(range(200000))\n")]) as process:
        time.sleep(2)
        yield process


CASES = [
    Case("faults", "faulter 16", "memory.faults", "painter", function="fill_pages", victims=("viewer",)),
    Case("leak", "collector blocks 4096", "memory.leak", "collector", function="keep_session", seconds=5),
    Case("leak-maps", "collector-nofp maps 2048", "memory.leak", "collector", function="keep_image", seconds=5, held_out=True, often=False),
    Case("leak-shared", "collector shared 4096", "memory.leak", "collector", function="keep_image", seconds=5, often=False),
    Case("leak-python", forgetful, "memory.leak", "scoreboard", function="remember_game", seconds=5, held_out=True, often=False),
    Case("leak-young-server", forgetful_server, "memory.leak", "scoreboard", function="remember_game", seconds=5, often=False,
         options=("--threshold", "memory.leak.young_server=1")),
    Case("young-job", analyst, seconds=5, often=False),
    Case("leak-later", "collector later 4096", "memory.leak", "collector", function="keep_session", seconds=12, often=False),
    Case("leak-java", script("java -Xmx400m Cellar.java kept", 3), "memory.leak", "java", seconds=5, often=False, needs="java"),
    Case("leak-java-serial", script("java -Xmx400m -XX:+UseSerialGC Cellar.java kept", 3), "memory.leak", "java", seconds=5, held_out=True,
         often=False, needs="java"),
    # All is collected as it starts, and not again.
    Case("leak-java-collected", script("java -Xmx400m -XX:+UseSerialGC -XX:MetaspaceSize=1m Cellar.java kept", 3), "memory.leak", "java",
         seconds=5, often=False, needs="java"),
    Case("leak-java-direct", script("java -Xmx64m -XX:MaxDirectMemorySize=4g Barrels.java", 4), "memory.leak", "java", seconds=5, often=False,
         needs="java"),
    # Its heap may have a quarter of the memory, and has little of it.
    Case("leak-java-direct-unlimited", script("java -Xms32m -XX:MaxDirectMemorySize=4g Barrels.java", 4), "memory.leak", "java", seconds=5,
         often=False, needs="java"),
    Case("leak-tmpfs", lambda _: running([sys.executable, "-c", SPOOL % "spool.write(page)"]), "memory.leak", "spooler",
         function="print_job", seconds=5, needs=lambda: shutil.disk_usage("/dev/shm").free > 1200 * MB, often=False),
    # Of the same size all the time.
    Case("tmpfs-ring", lambda _: running([sys.executable, "-c", SPOOL % "os.pwrite(spool.fileno(), page, number % 20 << 20)"]), seconds=5, often=False),
    Case("leak-node", lambda injectors: running(["node", "-e", HEAP]), "memory.leak", "wardrobe", seconds=5, often=False, needs="node"),
    Case("killed-for-another", lambda injectors: limited(CROWD_OUT, "", 80 * MB), "memory.oom", "uploader", victims=("indexer",), resource="/",
         often=False),
    Case("writes-in-limit", write, "memory.pressure", "recorder", resource="/", often=False),
    Case("writes-in-limits", write_twice, "memory.pressure", "recorder", resource="/", also=("memory.pressure",), often=False),
    Case("thrash", look_up, "memory.swap", "directory", resource="/"),
    Case("thrash-more", lambda injectors: look_up(injectors, 400 * MB, 80 * MB), "memory.swap", "directory", resource="/", held_out=True, often=False),
]
