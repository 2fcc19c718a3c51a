# SPDX-License-Identifier: BSD-2-Clause
"""Disks of which something is known: full, slow, failing, or with a small limit of dirty pages. All is undone at the end, also
when the test is killed: a shell that waits for its input to end does it."""
import contextlib
import os
import shlex
import subprocess
import tempfile

from case import running

VM = "/proc/sys/vm/"
BLKIO = "/sys/fs/cgroup/blkio"
MIB = 1 << 20


class Missing(Exception):
    """This machine cannot make such a disk."""


@contextlib.contextmanager
def undone_by(script):
    """The script runs when the block is left, and when this process ends without leaving it."""
    guard = subprocess.Popen(["sh", "-c", f"trap '' INT TERM HUP; cat >/dev/null; {script}"], stdin=subprocess.PIPE,
                             start_new_session=True)
    try:
        yield
    finally:
        guard.stdin.close()
        guard.wait()


def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def scratch():
    """An empty folder on the disk that the test runs on."""
    folder = tempfile.mkdtemp(prefix="scenario-disk-", dir=os.getcwd())
    with undone_by(f"rm -rf {shlex.quote(folder)}"):
        yield folder


@contextlib.contextmanager
def loop_device(path, *options):
    device = output("losetup", "--show", "-f", *options, path)
    # The injector may still hold it for a moment.
    with undone_by(f"sleep 0.3; losetup -d {device}"):
        yield device


@contextlib.contextmanager
def memory_disk(mib, room):
    """A disk of that size in memory that has room for `room` MiB only: writes to the rest fail."""
    with scratch() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}m", "none", folder], check=True)
        with undone_by(f"umount {shlex.quote(folder)}"):
            path = os.path.join(folder, "disk")
            with open(path, "wb") as f:
                f.truncate(mib * MIB)
            with loop_device(path) as device:
                yield device


@contextlib.contextmanager
def limited(read, write, device):
    """A cgroup that may do so many operations a second on a disk."""
    folder = os.path.join(BLKIO, "perfscope-scenario")
    if not os.path.exists(os.path.join(BLKIO, "blkio.throttle.read_iops_device")):
        raise Missing("no cgroup limits the operations of disks")
    os.makedirs(folder, exist_ok=True)
    with undone_by(f"for i in 1 2 3 4 5; do rmdir {folder} 2>/dev/null && break; sleep 0.3; done"):
        for name, rate in ("read", read), ("write", write):
            with open(os.path.join(folder, f"blkio.throttle.{name}_iops_device"), "w", encoding="ascii") as f:
                f.write(f"{device} {rate}")
        yield folder


@contextlib.contextmanager
def slow_disk(read, write, mib=32):
    """A disk that takes a second for so many operations; who uses it must be in the cgroup."""
    with scratch() as folder:
        path = os.path.join(folder, "disk")
        subprocess.run(["dd", "if=/dev/zero", "of=" + path, "bs=1M", f"count={mib}", "oflag=direct", "status=none"], check=True)
        number = os.stat(path).st_dev
        with loop_device(path, "--direct-io=on") as device, \
             limited(read, write, f"{os.major(number)}:{os.minor(number)}") as group:
            yield device, group


@contextlib.contextmanager
def dirty_limit(limit, background):
    """Bytes of page cache that may be dirty."""
    names = ("dirty_bytes", "dirty_background_bytes", "dirty_ratio", "dirty_background_ratio")
    # Of bytes and ratio one is 0, and writing that means nothing: the other is what counts.
    before = {name: open(VM + name, encoding="ascii").read().strip() for name in names}
    with undone_by("; ".join(f"echo {value} > {VM}{name}" for name, value in before.items() if value != "0")):
        for name, value in ("dirty_background_bytes", background), ("dirty_bytes", limit):
            with open(VM + name, "w", encoding="ascii") as f:
                f.write(str(value))
        yield


@contextlib.contextmanager
def jobs(program, path, mib, *specs, group=None):
    """Programs that use the file or device; see inject/diskjobs.c."""
    argv = [program, path, str(mib), *specs]
    if group:
        argv = ["sh", "-c", f"echo $$ > {group}/cgroup.procs; exec \"$@\"", "sh"] + argv
    with running(argv, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
    process.stdout.close()


def on_file(*specs, program="diskjobs", mib=128, dirty=None):
    """A case's load: jobs with a file of theirs on the machine's own disk."""
    @contextlib.contextmanager
    def load(injectors):
        limit = dirty_limit(*dirty) if dirty else contextlib.nullcontext()
        with limit, scratch() as folder, \
             jobs(os.path.join(injectors, program), os.path.join(folder, "data"), mib, *specs) as process:
            yield process
    return load


def on_slow_disk(*specs, program="diskjobs", read=20, write=20):
    @contextlib.contextmanager
    def load(injectors):
        with slow_disk(read, write) as (device, group), \
             jobs(os.path.join(injectors, program), device, 32, *specs, group=group) as process:
            yield process
    return load


def on_limited_file(*specs, program="diskjobs", read=20):
    """Jobs that may read only so many times a second from the machine's own disk, which has nothing to do."""
    @contextlib.contextmanager
    def load(injectors):
        with scratch() as folder:
            number = os.stat(folder).st_dev
            with limited(read, 100000, f"{os.major(number)}:{os.minor(number)}") as group, \
                 jobs(os.path.join(injectors, program), os.path.join(folder, "data"), 32, *specs, group=group) as process:
                yield process
    return load


def on_memory_disk(*specs, program="diskjobs", mib=32, room=8):
    @contextlib.contextmanager
    def load(injectors):
        with memory_disk(mib, room) as device, jobs(os.path.join(injectors, program), device, mib, *specs) as process:
            yield process
    return load
