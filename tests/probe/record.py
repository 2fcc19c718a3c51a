#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""record on this kernel: workloads whose truth is known, exit codes, what survives."""
import contextlib
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import probe_test

PERFSCOPE, STATES = sys.argv[1:3]
# CAP_CHOWN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_MKNOD
CAN_HARM = sum(1 << number for number in (0, 12, 13, 16, 17, 22, 27))
counts = probe_test.Counts("record")
check = counts.check


def record(path, *args, **more):
    return subprocess.run([PERFSCOPE, "record", "-q", "-o", path, *args], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, **more)


def rows(path, sql, *args):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql, args).fetchall()


def near(value, wanted, share, slack):
    return abs(value - wanted) <= wanted * share + slack


def thread_times(path):
    """What each thread of the workload says of itself against what was recorded."""
    run = record(path, "--", STATES, "2.2")
    check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    truth = [line.split() for line in run.stdout.splitlines()]
    check(len(truth) == 4, "four threads told their truth")
    for name, tid, life, cpu in truth:
        found = rows(path, "SELECT comm, running, running + runnable + sleeping + disk + stopped, switches, sleeping "
                           "FROM thread_state WHERE tid = ?", int(tid))
        check(len(found) == 1 and found[0][0] == name, f"{name} is there once: {found}")
        if len(found) != 1:
            continue
        # The kernel books the way from the wake-up to the switch to the thread that comes (rq_clock_skip_update), and
        # interrupts and steal to nobody.
        check(near(found[0][1], int(cpu), 0.03, 1e6 + 4000 * found[0][3]), f"{name} ran {cpu} ns, recorded {found[0][1]}")
        check(near(found[0][2], int(life), 0.01, 2e6), f"{name} lived {life} ns, recorded {found[0][2]}")
    waits = rows(path, "SELECT sum(count) FROM latency WHERE metric = 'runqueue.latency'")[0][0]
    switches = rows(path, "SELECT sum(switches) FROM thread_state")[0][0]
    check(near(waits, switches, 0.05, 50), f"every switch is in a run-queue histogram: {waits} of {switches}")
    samples = rows(path, "SELECT sum(s.ns) FROM cpu_sample s JOIN task t ON t.id = s.task WHERE t.tid = ?",
                   int([t for t in truth if t[0] == "spinner"][0][1]))
    cpu = int([t for t in truth if t[0] == "spinner"][0][3])
    check(near(samples[0][0] or 0, cpu, 0.12, 0), f"spinner's samples add up to its CPU time: {samples} of {cpu}")


def before(path):
    """What ran while the probes were loaded is no part of the recording."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as spinner:
        record(path, "-d", "1s")
        spinner.kill()
    sampled = rows(path, "SELECT sum(c.ns) FROM cpu_sample c JOIN thread t USING (task) WHERE t.pid = ?", spinner.pid)[0][0] or 0
    ran = rows(path, "SELECT sum(s.running) FROM thread_state s WHERE s.pid = ?", spinner.pid)[0][0] or 0
    check(ran > 3e8 and near(sampled, ran, 0.1, 5e7), f"samples of {sampled} ns, it ran for {ran}")


def idle_threads(path):
    """Threads that never switch while recorded: one stopped, one waiting for ever."""
    stopped, waiting = subprocess.Popen(["sleep", "100"]), subprocess.Popen(["sleep", "101"])
    time.sleep(0.2)
    stopped.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    record(path, "-d", "1500ms")
    duration = rows(path, "SELECT ns FROM period")[0][0]
    for process, column in (stopped, "stopped"), (waiting, "sleeping"):
        found = rows(path, f"SELECT {column}, command FROM thread_state s JOIN process p ON p.id = s.process "
                           "WHERE s.pid = ?", process.pid)
        check(len(found) == 1 and near(found[0][0], duration, 0.001, 1e6),
              f"{process.args} is {column} for {duration} ns: {found}")
        check(len(found) == 1 and found[0][1] == " ".join(process.args), f"its command line: {found}")
        process.kill()
        process.wait()


def short_lived(path):
    """Processes that live for a millisecond keep name, command line, parent and exit status."""
    record(path, "--", "sh", "-c", "for i in $(seq 200); do sh -c 'exit '$((i % 7)) marker-$i; done")
    found = rows(path, "SELECT command, exit_status FROM process WHERE command GLOB 'sh -c exit * marker-[0-9]*'")
    check(len(found) == 200, f"200 short-lived processes, found {len(found)}")
    check(all(status == int(command.split("marker-")[1]) % 7 * 256 for command, status in found),
          "each with its exit status")
    orphans = rows(path, "SELECT count(*) FROM process c WHERE command GLOB 'sh -c exit * marker-[0-9]*' AND NOT EXISTS "
                         "(SELECT 1 FROM process p WHERE p.pid = c.ppid AND p.comm = 'sh')")
    check(orphans[0][0] == 0, f"each with its parent: {orphans}")


def slow_ends(path):
    """What a process does as it ends is its own, and none lives on that has ended."""
    work = ("import os, resource, time\nmost = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\nend = time.monotonic() + 2.5\n"
            "count = 0\nwhile time.monotonic() < end:\n    count += 1\n    pid = os.fork()\n    if not pid:\n        file = os.open('/dev/null', 0)\n"
            "        for _ in range(min(most, 20000) - 10): os.dup(file)\n        os._exit(0)\n    os.waitpid(pid, 0)\nprint(count)")
    run = record(path, "--", sys.executable, "-c", work)
    check(run.returncode == 0, f"status 0, not {run.returncode}: {run.stderr}")
    mine = "t.process IN (SELECT id FROM process WHERE command LIKE '%os.dup(file)%' AND comm LIKE 'python%')"
    found = rows(path, f"SELECT count(*), count(DISTINCT t.tid), sum(t.end_ns IS NULL) FROM task t WHERE {mine}")[0]
    # The program, and each of its children.
    check(found == (1 + int(run.stdout or 0), found[0], 0), f"threads, their numbers, alive: {found}; children: {run.stdout}")


def exec_by_thread(path):
    """Another thread than the first runs a new program: it goes on as the first, and is no more under its own number."""
    spin = "import resource, time; end = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass\n" \
           "print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))"
    run = record(path, "--", sys.executable, "-c", "import os, sys, threading, time\ntime.sleep(0.3)\n"
                 f"threading.Thread(target=os.execv, args=(sys.executable, [sys.executable, '-c', {spin!r}])).start()\ntime.sleep(60)")
    found = rows(path, "SELECT t.tid = p.pid, t.start_ns, t.end_ns - t.start_ns, s.running, (SELECT sum(c.ns) FROM cpu_sample c "
                       "WHERE c.task = t.id) FROM task t JOIN process p ON p.id = t.process LEFT JOIN thread_state s ON s.task = t.id "
                       "WHERE p.command LIKE '%RUSAGE_SELF%' AND p.comm LIKE 'python%' ORDER BY t.start_ns")
    check(len(found) == 2 and [first for first, *_ in found] == [1, 0], f"the first thread, and the one that ran the program: {found}")
    if len(found) == 2:
        cpu = float(run.stdout) * 1e9
        check(near(found[0][3], cpu, 0.2, 5e7) and near(found[0][4] or 0, cpu, 0.2, 5e7), f"the first has run {cpu} ns: {found[0]}")
        check(found[1][2] is not None and found[1][2] < 1e9, f"the other one has ended: {found[1]}")


def stripped(path):
    """Samples of one function of a stripped program stay together, under its place."""
    program = path + ".stripped"
    subprocess.run(["strip", "-o", program, STATES], check=True)
    record(path, "--", program, "1")
    found = rows(path, "SELECT y.name, count(*) FROM frame f JOIN module m ON m.id = f.module "
                       "LEFT JOIN symbol y ON y.id = f.symbol WHERE m.path = ? GROUP BY y.name", program)
    check(found and all(name and (name.startswith("[x.db.stripped+0x") or name.endswith("@plt")) for name, _ in found),
          f"functions have their place for a name: {found}")
    check(any(addresses > 1 for _, addresses in found), f"several addresses in one function: {found}")


def in_memory(path):
    """A program that was executed from a file in memory, as container runtimes are, has its functions' names."""
    start = ("import os, sys; f = os.memfd_create('hidden'); os.write(f, open(sys.argv[1], 'rb').read()); "
             "os.execv(f'/proc/self/fd/{f}', ['hidden', '1'])")
    record(path, "--", sys.executable, "-c", start, STATES)
    folded = subprocess.run([PERFSCOPE, "export", path, "--format", "folded"], text=True, capture_output=True).stdout
    check(";start_thread;work" in folded, "its functions are named")


def exit_codes(path):
    check(record(path, "--", "sh", "-c", "exit 7").returncode == 7, "the command's own status")
    check(record(path, "--", "sh", "-c", "kill -9 $$").returncode == 137, "128 + signal")
    with open(path, "rb") as f:
        good = f.read()
    check(record(path, "--", "/nonexistent/x").returncode == 127, "127 for a command that is not there")
    bad = record("/nonexistent/x.db", "-d", "1s")
    check(bad.returncode == 2 and bad.stderr.count("\n") == 1 and "/nonexistent/x.db" in bad.stderr, bad.stderr)
    bad = record("/nonexistent/x.db", "--", "true")
    check(bad.returncode == 125, f"125 when perfscope fails: {bad.returncode}")
    other = path + ".txt"
    with open(other, "w", encoding="ascii") as f:
        f.write("precious\n")
    bad = record(other, "-d", "1s")
    check(bad.returncode == 2 and open(other, encoding="ascii").read() == "precious\n", "a foreign file is left alone")
    bad = record(path, "-d", "1s", "-p", "4194303")
    check(bad.returncode == 2 and "no process" in bad.stderr, bad.stderr)
    for _ in range(2):
        bad = record(path, "--cpu", "0-x")
        check(bad.returncode == 2 and "--cpu" in bad.stderr and bad.stderr.count("\n") == 1, bad.stderr)
    with open(path, "rb") as f:
        check(f.read() == good, "four starts that failed, and the recording is as it was")


def unprivileged(path):
    directory = tempfile.mkdtemp()
    os.chown(directory, 65534, 65534)
    bad = record(os.path.join(directory, "x.db"), "-d", "1s", user=65534, group=65534, extra_groups=[],
                 env=os.environ | {"HOME": directory})
    check(bad.returncode == 2 and bad.stderr.count("\n") == 1 and "recording needs root" in bad.stderr, f"not root: {bad.stderr}")
    check(not os.listdir(directory), "nothing is left behind")


def contained(path):
    """In a PID namespace of its own what /proc tells is not of the processes that the kernel tells of: that is said."""
    for prefix, wanted in ((), 0), (("unshare", "--pid", "--fork", "--mount-proc"), 1):
        run = subprocess.run([*prefix, PERFSCOPE, "record", "-q", "-o", path, "-d", "300ms"], text=True, capture_output=True)
        said = rows(path, "SELECT count(*) FROM unavailable WHERE probe = 'names' AND reason LIKE '%--pid=host%'")[0][0]
        check(run.returncode == 0 and ("--pid=host" in run.stderr) == wanted == said, f"{prefix}: {run.stderr}, {said}")


def filters(path):
    """-p takes the process with the children it forks later, and nothing else."""
    tree = subprocess.Popen(["sh", "-c", "while :; do sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'; done"])
    other = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    time.sleep(0.1)
    record(path, "-d", "1500ms", "-p", str(tree.pid))
    pids = {row[0] for row in rows(path, "SELECT DISTINCT pid FROM thread_state WHERE running > 0")}
    check(tree.pid in pids and other.pid not in pids and len(pids) > 1, f"the tree of {tree.pid} only: {pids}")
    sampled = rows(path, "SELECT count(*) FROM cpu_sample s JOIN thread t ON t.task = s.task WHERE t.pid = ?", other.pid)
    check(sampled[0][0] == 0, "no sample of another process")
    other.kill()
    tree.kill()
    tree.wait()
    other.wait()


def interrupted(path):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The test may run under nohup itself.
        with subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) as run:
            time.sleep(1.3)
            run.send_signal(number)
            check(run.wait(30) == 0, f"signal {number} ends the recording as usual")
        check(rows(path, "SELECT value FROM meta WHERE key = 'complete'") == [(1,)], "and it is complete")


def interrupted_at_once(path):
    """As soon as there is anything that could be left behind."""
    os.unlink(path)
    with subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path]) as run:
        while not os.path.exists(path) and run.poll() is None:
            pass
        run.send_signal(signal.SIGINT)
        check(run.wait(30) == 0, "a signal at the very beginning ends it as usual")
    check(rows(path, "SELECT value FROM meta WHERE key = 'complete'") == [(1,)], "and it is complete")
    check(not os.path.exists(path + "-journal") and not os.path.exists(path + "-wal"), "and alone")


def hung_up(path):
    """Under nohup it goes on."""
    with subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path, "-d", "1500ms"],
                          preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
        time.sleep(0.5)
        run.send_signal(signal.SIGHUP)
        check(run.wait(30) == 0, "it ends")
    check(rows(path, "SELECT max(end_ns) > 1400000000 FROM slice") == [(1,)], "after all of its time")


def killed(path):
    """kill -9 at any moment: what was written before the open slice is readable."""
    bad = 0
    for i in range(50):
        if i % 10 == 0:
            run, _ = slices_of(path)
        else:
            run = subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path], stderr=subprocess.DEVNULL)
        with run:
            time.sleep(random.uniform(0.02, 0.5))
            run.kill()
        report = subprocess.run([PERFSCOPE, "report", path], text=True, capture_output=True)
        if i % 10 == 0 and (report.returncode or rows(path, "SELECT count(*) FROM slice")[0][0] < 1):
            bad += 1
        if report.returncode not in (0, 2) or (report.returncode == 2 and report.stderr.count("\n") != 1):
            bad += 1
            print(report.returncode, report.stderr, file=sys.stderr)
    check(bad == 0, f"50 recordings killed, {bad} badly read")


def cut_short(path, words, **more):
    """A recording that can no longer be written ends with one message, and keeps what is there."""
    churn = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
    try:
        run = record(path, "-d", "60s", "-F", "5000", timeout=90, **more)
    finally:
        churn.kill()
        churn.wait()
    check(run.returncode == 2 and words in run.stderr and run.stderr.count("\n") == 1, f"{words} is told: {run.returncode} {run.stderr}")
    check(rows(path, "SELECT count(*) FROM slice")[0][0] >= 1, "what was written before is there")


def full_disk():
    directory = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", directory], check=True)
    try:
        cut_short(os.path.join(directory, "x.db"), "No space left")
    finally:
        subprocess.run(["umount", directory], check=True)
        os.rmdir(directory)


def limited_file():
    """The kernel sends a signal, too, to who writes more than a file may have."""
    with tempfile.TemporaryDirectory() as directory:
        cut_short(os.path.join(directory, "x.db"), "File too large",
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20)))


def slices_of(path, *args):
    """A recording that goes on, and how many slices are seen as soon as there are any."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path) # of the test before
    run, count = subprocess.Popen([PERFSCOPE, "record", "-q", "-o", path, *args]), 0
    while run.poll() is None and not count:
        time.sleep(0.05)
        with contextlib.suppress(sqlite3.OperationalError): # not yet
            count = rows(path, "SELECT count(*) FROM slice")[0][0]
    return run, count


def busy_while(path):
    """A recording that is read while it is written."""
    run, count = slices_of(path, "-d", "3s")
    with run:
        check(count >= 1, f"slices are seen while it goes on: {count}")
        if count:
            with open(f"/proc/{run.pid}/status", encoding="ascii") as status:
                held = {line.split(":")[0]: int(line.split()[1], 16) for line in status if line.startswith("Cap")}
            check(not (held["CapEff"] | held["CapPrm"]) & CAN_HARM, f"what it does not need to go on is given up: {held}")
        check(run.wait(30) == 0, "and the reader did no harm")


def hotplug(path):
    """A CPU that goes and comes back is sampled again."""
    switch = "/sys/devices/system/cpu/cpu1/online"
    if not os.access(switch, os.W_OK):
        counts.skip("this machine's second CPU cannot be taken offline")
        return
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        with subprocess.Popen([PERFSCOPE, "record", "-q", "-d", "5s", "-o", path]) as run:
            time.sleep(1.2)
            with open(switch, "w", encoding="ascii") as f:
                f.write("0")
            time.sleep(1.5)
            with open(switch, "w", encoding="ascii") as f:
                f.write("1")
            check(run.wait(30) == 0, "the recording survives")
    finally:
        with open(switch, "w", encoding="ascii") as f:
            f.write("1")
        for process in load:
            process.kill()
            process.wait()
    last = rows(path, "SELECT sum(s.count) FROM cpu_sample s WHERE s.slice = 5")[0][0] or 0
    check(last > 120, f"both CPUs are sampled after it came back: {last} samples of 198")


def main():
    if os.geteuid():
        counts.skip("not root")
        return counts.end()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "x.db")
        for test in (thread_times, before, idle_threads, short_lived, slow_ends, exec_by_thread, stripped, in_memory, exit_codes, contained, filters,
                     interrupted, interrupted_at_once, hung_up, busy_while, killed, unprivileged):
            test(path)
        full_disk()
        limited_file()
        hotplug(path)
    return counts.end()


sys.exit(main())
