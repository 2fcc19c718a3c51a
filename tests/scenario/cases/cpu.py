# SPDX-License-Identifier: BSD-2-Clause
"""Who takes the CPUs, and whom that delays."""
import contextlib
import os
import subprocess
import sys

import case
from case import Case, script

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../probe"))
import cgroups  # noqa: E402

# Workers of a pool that inherit their parent's mask, as under taskset or a CPUAffinity= line.
POOL = """
import multiprocessing, os
def render(tile):
    return sum(i * i for i in range(200000 + tile % 1000))
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
with multiprocessing.Pool(4) as pool:
    while True:
        pool.map(render, range(64))
"""

# Many small questions to the kernel, none of which takes most of the time.
QUESTIONS = """
import os
open("/proc/self/comm", "w").write("inspector")
fd = os.open("/etc/passwd", os.O_RDONLY)
def look_around():
    os.getppid(); os.access("/etc/passwd", os.R_OK); os.getpriority(0, 0); os.umask(0o22); os.lseek(fd, 0, 0); os.fstat(fd)
while True: look_around()
"""


# A service that could do its requests twice as fast as its quota lets it.
RENDER = """
import os, socket, time
a, b = socket.socketpair()
if os.fork() == 0:
    open("/proc/self/comm", "w").write("portal")
    while True: a.send(b"x"); a.recv(1); time.sleep(0.001)
open("/proc/self/comm", "w").write("renderer")
def render_page(): return sum(i * i for i in range(60000))
while True: b.recv(1); render_page(); b.send(b"y")
"""


@contextlib.contextmanager
def render(_injectors):
    parent, child = cgroups.make("cpu", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "50000")], [("cpu.max", "50000 100000")])
    try:
        with case.running([sys.executable, "-c", RENDER], start_new_session=True,
                          preexec_fn=lambda: cgroups.put(child, "cgroup.procs", str(os.getpid()))) as process:
            yield process
    finally:
        cgroups.remove(parent)


def python_pool(_injectors):
    return case.running([sys.executable, "-c", POOL], stderr=subprocess.DEVNULL) # its workers outlive it for a moment


def finds(_injectors):
    """What starts the many processes is started again and again itself."""
    return case.running(["sh", "-c", "while :; do find /usr/include -maxdepth 1 -name '*.h' -exec basename {} ';'; done"],
                        stdout=subprocess.DEVNULL, start_new_session=True)


# A loop of the shell that asks four programs for each line.
LINES = """
while :; do d=$(date +%s); n=$(echo "$d" | awk '{print $1 % 60}'); expr "$n" + 1; done
"""

# A service that starts a program for each request.
HELPERS = """
@file_put_contents("/proc/self/comm", "imagegate");
$s = stream_socket_server("tcp://127.0.0.1:0");
if (!pcntl_fork()) {
    @file_put_contents("/proc/self/comm", "uploader");
    while ($c = stream_socket_client("tcp://" . stream_socket_get_name($s, false))) { fwrite($c, "x\n"); fgets($c); fclose($c); usleep(5000); }
}
while ($c = stream_socket_accept($s, -1)) { fgets($c); fwrite($c, exec("md5sum /etc/passwd") . "\n"); fclose($c); }
"""


CASES = [
    Case("crowd", "crowd 6", "cpu.saturation", "numbercruncher", victims=("visitor", "frontdesk"), evidence=("p50", "p99")),
    Case("crowd-fast", "crowd-nofp 10 1000 200", "cpu.saturation", "numbercruncher", victims=("visitor", "frontdesk"), evidence=("p50", "p99"), often=False),
    Case("crowd-alone", "crew 8 60000", "cpu.saturation", "compile", evidence=("p50", "p99"), often=False),
    Case("hot-function", "hotserver 2 70", "cpu.hotspot", "hotserver", function="price_basket", victims=("buyer",)),
    Case("hot-function-many", "hotserver-nofp 4 60", "cpu.hotspot", "hotserver", function="price_basket", victims=("buyer",), often=False),
    Case("slow-stage", "pipeline 5000", "cpu.single-thread", "compressor", function="squeeze", victims=("bookwriter",)),
    Case("slow-stage-pool", "pipeline-nofp 20000 3", "cpu.single-thread", "compressor", function="squeeze", victims=("bookwriter",), often=False),
    Case("throttled-service", render, "cpu.throttled", "renderer", evidence=("explains cpu.hotspot",),
         needs=lambda: bool(cgroups.mount_of("cpu")), often=False),
    Case("pinned", "pinned 3 100", "cpu.affinity", "encoder", function="encode_block", resource="CPU 1"),
    Case("pinned-busy", "pinned-nofp 4 60", "cpu.affinity", "encoder", function="encode_block", held_out=True, often=False),
    Case("pinned-pool", python_pool, "cpu.affinity", "python3", function="render", held_out=True, often=False),
    Case("relay-pipe", "relay pipe 1", "cpu.context-switches", "courier", function="pass_files", resource="courier.*courier"),
    Case("relay-futex", "relay futex 1", "cpu.context-switches", "courier", function="pass_turns", often=False),
    Case("relay-yield", "relay yield 2", "cpu.context-switches", "courier", function="pass_over", often=False),
    Case("relay-eventfd", "relay-nofp eventfd 2 100", "cpu.context-switches", "courier", function="pass_files", held_out=True, often=False),
    Case("spin-exchange", "impatient exchange 3", "cpu.spin", "bookkeeper", function="take_exchange"),
    Case("spin-load", "impatient load 2", "cpu.spin", "bookkeeper", function="take_load", often=False),
    Case("spin-yield", "impatient yield 3", "cpu.spin", "bookkeeper", function="take_yield", often=False),
    Case("spin-nap", "impatient nap 4 2000 100", "cpu.spin", "bookkeeper", function="take_yield", often=False),
    Case("spin-try", "impatient trylock 2", "cpu.spin", "bookkeeper", function="take_trylock", often=False),
    Case("poll-busy", "impatient poll 1 2000 2000", "cpu.spin", "bookkeeper", function="await_poll", often=False),
    Case("spin-python", script(f"{sys.executable} impatient.py try"), "cpu.spin", "bookkeeper", function="take", often=False),
    Case("receive-python", script(f"{sys.executable} impatient.py receive"), "cpu.spin", "bookkeeper", function="await_letter",
         held_out=True, often=False),
    Case("spin-java", script("java -Xmx64m Rota.java 3 load", 3), "cpu.spin", "bookkeeper", often=False, needs="java"),
    # Programs that are started again and again.
    Case("errands", script("bash errands.sh alone"), "cpu.process-churn", "errands", resource="^true$", often=False),
    Case("errands-crew", script("bash errands.sh crew"), "cpu.process-churn", "errands", resource="tr", held_out=True, often=False),
    Case("lines-by-programs", lambda _: case.running(["bash", "-c", LINES], start_new_session=True, stdout=subprocess.DEVNULL),
         "cpu.process-churn", "bash", resource="expr", often=False),
    Case("helper-for-each", lambda _: case.running(["php", "-r", HELPERS], start_new_session=True), "cpu.process-churn", "imagegate",
         resource="md5sum", needs="php", often=False),
    Case("errands-now-and-then", script("bash errands.sh now-and-then"), often=False),
    Case("spin-node", script("node impatient.js load", 1), "cpu.spin", "bookkeeper", often=False),
    Case("spin-node-exchange", script("node impatient.js exchange", 1), "cpu.spin", "bookkeeper", held_out=True, often=False),
    Case("spin-exchange-many", "impatient-nofp exchange 5 2000 100", "cpu.spin", "bookkeeper", function="take_exchange", held_out=True, often=False),
    Case("spin-try-long", "impatient-nofp trylock 3 1000 0", "cpu.spin", "bookkeeper", function="take_trylock", held_out=True, often=False),
    Case("receive-busy", "impatient-nofp receive 1 5000 500", "cpu.spin", "bookkeeper", function="await_receive", held_out=True, often=False),
    Case("flood", "interrupts datagrams 0 1", "cpu.irq", "sensor", function="net_rx_action", resource="NET_RX on CPU"),
    Case("finds", finds, "cpu.process-churn", "sh", resource="basename", often=False),
    Case("timers", "interrupts timers 20000 10", "cpu.irq", "metronome", resource="timer on CPU", often=False),
    Case("timers-few", "interrupts-nofp timers 100000 4", "cpu.irq", "metronome", resource="timer on CPU", held_out=True, often=False),
    Case("many-stats", "caller stat 5000", "cpu.kernel-time", "inspector", function="find_plugin", victims=("visitor",), resource="newfstatat"),
    Case("by-bytes", "caller alone-byte", "cpu.kernel-time", "inspector", function="read_book", resource="read", often=False),
    Case("by-bytes-socket", "caller alone-letter", "cpu.kernel-time", "inspector", function="read_letter", resource="recv", often=False),
    Case("many-questions", lambda injectors: case.running([sys.executable, "-c", QUESTIONS]), "cpu.kernel-time", "inspector",
         function="look_around", held_out=True, often=False),
    Case("by-bytes-waited", "caller-nofp byte 20000", "cpu.kernel-time", "inspector", function="read_book", victims=("visitor",),
         resource="read", held_out=True, often=False),
]
