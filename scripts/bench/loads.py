# SPDX-License-Identifier: BSD-2-Clause
"""Loads that go on until they are stopped and whose operations can be counted at any moment: name, pids(), operations(), close()."""
import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import time

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
REDIS_PORT = 7398
FOR_EVER = "1000000000"


def tree(pid):
    """The process and all that descend from it."""
    pids = [pid]
    for parent in pids:
        with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as f:
            pids += map(int, f.read().split())
    return pids


def on_cpu(pids):
    """Seconds that processes took, to the nanosecond."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2) # as clock_getcpuclockid() makes it
    return total


def proportional(pid):
    """Memory of a process in MB, that which it shares by its share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return int(re.search(r"^Pss: +(\d+)", f.read(), re.M)[1]) / 1000


def reads(pids):
    """Calls of read() and its like by files, pipes and disks."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/io", encoding="ascii") as f:
            count += int(re.search(r"syscr: (\d+)", f.read())[1])
    return count


class Load:
    """One process with what descends from it."""

    def __init__(self, *command, **more):
        self.processes = [subprocess.Popen(command, **{**QUIET, **more})]

    def pids(self):
        return [pid for process in self.processes for pid in tree(process.pid)]

    def close(self):
        for process in self.processes:
            for pid in reversed(tree(process.pid)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
        for process in self.processes:
            process.wait()


class Pipe(Load):
    """Two processes that wake each other through a pipe on one CPU: nothing but context switches."""
    name = "sched pipe"

    def __init__(self, directory):
        super().__init__("taskset", "-c", str(os.cpu_count() - 1), "perf", "bench", "sched", "pipe", "-l", FOR_EVER)

    def operations(self):
        return reads(self.pids()) / 2


class Fio(Load):
    """4 KiB reads in random order, one at a time, past the page cache."""
    name = "fio 4k random reads"

    def __init__(self, directory):
        self.file = os.path.join("/var/tmp", f"perfscope-bench-{os.getpid()}") # a disk
        with open(self.file, "wb") as f:
            for _ in range(256):
                f.write(os.urandom(1 << 20))
            os.fsync(f.fileno())
        super().__init__("fio", "--name=x", f"--filename={self.file}", "--rw=randread", "--bs=4k", "--direct=1", "--ioengine=psync",
                         "--size=256m", "--time_based", "--runtime=100000")

    def operations(self):
        return reads(self.pids())

    def close(self):
        super().close()
        os.unlink(self.file)


class Redis(Load):
    """GET requests, 20 connections, no pipelining."""
    name = "redis GET"

    def __init__(self, directory):
        super().__init__("redis-server", "--port", str(REDIS_PORT), "--save", "", "--dir", directory)
        time.sleep(0.5)
        self.processes.append(subprocess.Popen(["redis-benchmark", "-p", str(REDIS_PORT), "-t", "get", "-n", FOR_EVER, "-c", "20", "-q"],
                                               **QUIET))
        self.line = socket.create_connection(("127.0.0.1", REDIS_PORT))
        self.answers = self.line.makefile("rb")

    def operations(self):
        self.line.sendall(b"INFO stats\r\n")
        text = self.answers.read(int(self.answers.readline()[1:]) + 2)
        return int(re.search(rb"total_commands_processed:(\d+)", text)[1])


class Postgres(Load):
    """pgbench -S: four clients that read one row each time. Its log has a line for each."""
    name = "pgbench -S"

    def __init__(self, directory):
        self.place = os.path.join(directory, "pg")
        os.mkdir(self.place)
        shutil.chown(self.place, "postgres")
        os.chmod(directory, 0o711)
        self.run("initdb", "-D", self.place + "/data", "--no-sync")
        super().__init__(*self.as_postgres("postgres", "-D", self.place + "/data", "-k", self.place, "-c", "listen_addresses="))
        time.sleep(2)
        self.run("pgbench", "-h", self.place, "-i", "-s", "5", "postgres")
        self.processes.append(subprocess.Popen(
            self.as_postgres("pgbench", "-h", self.place, "-S", "-c", "4", "-j", "2", "-T", "100000", "-n", "-l", "postgres"),
            cwd=self.place, **QUIET))
        self.logs, self.lines = {}, 0

    @staticmethod
    def as_postgres(program, *args):
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"))
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", found[-1] if found else program, *args]

    def run(self, *command):
        subprocess.run(self.as_postgres(*command), check=True, capture_output=True, stdin=subprocess.DEVNULL, cwd="/")

    def operations(self):
        for path in glob.glob(self.place + "/pgbench_log.*"):
            if path not in self.logs:
                self.logs[path] = open(path, "rb")
            while data := self.logs[path].read(1 << 20):
                self.lines += data.count(b"\n")
        return self.lines


class Counting(Load):
    """Programs of this folder that count in a file what they have done."""

    def __init__(self, directory, program, copies, *args):
        path = os.path.join(directory, program)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), program + ".c")
        subprocess.run(["cc", "-O2", "-pthread", "-o", path, source], check=True)
        self.counts = [os.path.join(directory, f"count{i}") for i in range(copies)]
        self.processes = [subprocess.Popen([path, *args, count], **QUIET) for count in self.counts]
        time.sleep(1)

    def operations(self):
        count = 0
        for path in self.counts:
            with open(path, "rb") as f:
                count += int.from_bytes(f.read(8), "little")
        return count


class Spin(Counting):
    """A process on each CPU that computes."""
    name = "CPU-bound"

    def __init__(self, directory):
        super().__init__(directory, "spin", os.cpu_count(), FOR_EVER)


class Sleepers(Counting):
    """10,000 threads that wake 50 times a second, as far as one CPU lets them: on all of them they leave nothing to others."""
    name = "10,000 threads that wake every 20 ms"

    def __init__(self, directory):
        super().__init__(directory, "sleepers", 1, "10000", "20")
        for tid in os.listdir(f"/proc/{self.processes[0].pid}/task"):
            os.sched_setaffinity(int(tid), {os.cpu_count() - 1})


LOADS = {"spin": Spin, "redis": Redis, "postgres": Postgres, "fio": Fio, "pipe": Pipe, "sleepers": Sleepers}
