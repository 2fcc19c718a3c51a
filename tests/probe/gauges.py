#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Gauges against what the workload did and what the kernel's counters say before and after."""
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

import probe_test

MB = 1 << 20


def network_counters(pid="self"):
    """What nstat shows, of the process's network namespace."""
    found = {}
    for name in "snmp", "netstat":
        lines = open(f"/proc/{pid}/net/{name}", encoding="ascii").read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            found.update({names.split(":")[0] + "." + n: int(v)
                          for n, v in zip(names.split()[1:], values.split()[1:])})
    return found


def counters():
    """Some counters of the kernel, under perfscope's names."""
    found = network_counters()
    for line in open("/proc/vmstat", encoding="ascii"):
        name, value = line.split()
        found[name] = int(value)
    for line in open("/proc/diskstats", encoding="ascii"):
        word = line.split()
        found["disk " + word[2]] = int(word[9])
    return found


def growth(before):
    """Of each counter since then."""
    return {name: now - before.get(name, 0) for name, now in counters().items()}


def disk_of(path):
    """The whole disk that a file lies on; None when it lies on no disk."""
    device = os.stat(path).st_dev
    link = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
    if not os.path.exists(link):
        return None
    real = os.path.realpath(link)
    return os.path.basename(os.path.dirname(real) if os.path.exists(real + "/partition") else real)


def write_disk(directory):
    with open(os.path.join(directory, "data"), "wb") as f:
        for _ in range(48):
            f.write(os.urandom(MB))
        f.flush()
        os.fsync(f.fileno())


def overflow_listener():
    """A queue of one, and nobody accepts."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            clients.append(client)
        time.sleep(1.3)  # until a slice has ended: a listener that is gone cannot be asked
        for client in clients:
            client.close()


def overflow_datagrams():
    with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        there.bind(("127.0.0.1", 0))
        for _ in range(500):
            here.sendto(b"x" * 1000, there.getsockname())


def fill_window():
    """A receiver that does not read."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        reader, _ = server.accept()
        client.settimeout(0.5)
        try:
            while True:
                client.send(b"x" * 65536)
        except TimeoutError:
            pass
        reader.close()


def write_in_vain(full, no_inodes, times, seconds=0):
    """To file systems that are full, and a device that is none. The whole path can only be seen while the file is open, and its number is
    not another's."""
    with open(os.path.join(full, "y"), "ab", buffering=0) as f, open("/dev/full", "wb", buffering=0) as device:
        for _ in range(times):
            for call in lambda: f.write(bytes(100000)), lambda: device.write(b"x"), lambda: os.mkdir(no_inodes + "/z"):
                try:
                    call()
                except OSError:
                    pass
        time.sleep(seconds)


def open_files():
    """60 of 100 files open; the process runs until it is killed."""
    return subprocess.Popen([sys.executable, "-c", "import time; keep = [open('/dev/null') for _ in range(57)]; time.sleep(99)"],
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))


def test(t):
    files, folders = open_files(), [tempfile.mkdtemp() for _ in range(3)]
    mount, full, no_inodes = folders
    disk = disk_of(t.directory.name)

    def workload():
        before = counters()
        with open(os.path.join(mount, "x"), "wb") as f:
            f.write(bytes(18 * MB))
        write_disk(t.directory.name)
        overflow_listener()
        overflow_datagrams()
        fill_window()
        write_in_vain(full, no_inodes, 300, 5)
        return growth(before)

    try:
        for folder, options in (mount, "size=20m"), (full, "size=200k"), (no_inodes, "nr_inodes=1"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        write_in_vain(full, no_inodes, 4) # room for two and a bit
        before = counters()
        truth = t.record(workload)
        around = growth(before)
    finally:
        files.kill()
        files.wait()
        for folder in folders:
            subprocess.run(["umount", folder], check=False)
            os.rmdir(folder)
    for metric, name in [("tcp.listen_overflows", "TcpExt.ListenOverflows"), ("tcp.listen_drops", "TcpExt.ListenDrops"),
                         ("tcp.zero_windows", "TcpExt.TCPToZeroWindowAdv"), ("udp.receive_drops", "Udp.RcvbufErrors"),
                         ("tcp.connects", "Tcp.ActiveOpens"), ("tcp.segments_sent", "Tcp.OutSegs"), ("memory.faults_major", "pgmajfault")]:
        t.between(t.total(metric), truth[name], around[name], f"{metric} is {name}")
    refused = t.rows("SELECT r.name, sum(s.count) FROM sample_total s JOIN metric m ON m.id = s.metric LEFT JOIN resource r ON r.id = s.resource "
                     "JOIN thread th ON th.task = s.task WHERE m.name = 'space.refused' AND th.pid = ? GROUP BY r.id", os.getpid())
    t.check(sorted(refused) == sorted([(full, 300), (no_inodes, 300)]), f"calls without room: {refused}")
    told = t.rows("SELECT DISTINCT r.name FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource "
                  "JOIN thread th ON th.task = s.task WHERE m.name = 'space.file' AND th.pid = ?", os.getpid())
    t.check(sorted(told) == sorted([(full + "/y",), (no_inodes + "/z",)]), f"the files that had no room: {told}")
    lost = t.one("SELECT sum(s.value) FROM sample s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task "
                 "WHERE m.name = 'port.overflows' AND th.pid = ?", os.getpid())
    # The clients try again after a second, perhaps when the listener has been asked for the last time.
    t.check(lost and 0.4 <= lost / truth["TcpExt.ListenDrops"] <= 1,
            f"our connections that were lost: {lost} of {truth['TcpExt.ListenDrops']}")
    t.check(truth["TcpExt.ListenOverflows"] > 0 and truth["Udp.RcvbufErrors"] > 0 and
            truth["TcpExt.TCPToZeroWindowAdv"] > 0, "the workload does what it is for")
    if disk:
        t.between(t.total("disk.written", disk), 512 * truth["disk " + disk], 512 * around["disk " + disk], f"bytes written to {disk}")
        busy = t.one("SELECT max(value) FROM level WHERE metric = 'disk.busy' AND resource = ?", disk)
        t.check(busy and 0 < busy <= 100, f"{disk} was busy: {busy} %")
        t.check((t.level("disk.size", disk) or 0) > 48 * MB, f"the size of {disk}")
    else:
        t.skip("the temporary directory lies on no disk")
    t.near(t.level("filesystem.used", mount), 18 * MB, 0.01, 0, "space used in a small file system")
    t.near(t.level("filesystem.size", mount), 20 * MB, 0.01, 0, "and its size")
    found = t.rows("SELECT value FROM level WHERE metric = 'process.files' AND resource LIKE ? || ' %'", str(files.pid))
    t.check(found and found[0][0] == 60, f"open files of {files.pid}: {found}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    t.near(t.level("memory.total"), memory, 0.01, 0, "the machine's memory")
    t.check(0 < t.level("memory.available") < memory, "available memory")
    for resource_name in "cpu", "memory", "io":
        if os.path.exists("/proc/pressure/" + resource_name):
            t.check(t.one("SELECT count(*) FROM level WHERE metric LIKE 'pressure.' || ? || '.%' AND value > 101",
                          resource_name) == 0, f"pressure of {resource_name} is a share")


if __name__ == "__main__":
    sys.exit(probe_test.main("gauges", test))
