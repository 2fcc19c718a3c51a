#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""threads on this kernel: threads that wait for known things, hostile ones, ones that end meanwhile."""
import contextlib
import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import probe_test

PERFSCOPE, *ZOOS, COUNTERS = sys.argv[1:]  # the workload with frame pointers and without; locks that name no owner
counts = probe_test.Counts("threads")
check = counts.check


def take(pid, *args, **more):
    return subprocess.run([PERFSCOPE, "threads", "-p", str(pid), *args], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, **more)


def take_json(pid, *args):
    run = take(pid, "--format", "json", *args)
    check(run.returncode == 0, f"threads -p {pid} {args}: status {run.returncode}: {run.stderr}")
    return json.loads(run.stdout) if run.returncode == 0 else None


@contextlib.contextmanager
def workload(*command, **more):
    """Runs it until it says that it is ready; what it said before, by name."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
    said = {}
    try:
        for line in process.stdout:
            if line == "ready\n":
                break
            name, tid = line.rsplit(" ", 1)
            said[name] = int(tid)
        yield process, said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


# What each thread of the zoo waits for: kind, resource (a pattern), whom (by name), functions of its stack.
ZOO = {
    "dead-one": ("mutex", r"second_lock\+0x0", "dead-two", ["start_thread", "dead_one", "lock_second"]),
    "dead-two": ("mutex", r"first_lock\+0x0", "dead-one", ["start_thread", "dead_two", "lock_first"]),
    "dead-alone": ("mutex", r"own_lock\+0x0", "dead-alone", ["start_thread", "dead_alone"]),
    "follower": ("mutex", r"first_lock\+0x0", "dead-one", ["start_thread", "follower"]),
    "reader": ("rwlock (read)", r"table_lock\+0x0", "writer", ["reader", "pthread_rwlock_rdlock"]),
    "second-writer": ("rwlock (write)", r"table_lock\+0x0", "writer", ["second_writer"]),
    "slow": ("mutex", r"slow_lock\+0x0", "writer", ["slow"]),
    "inherits": ("mutex", r"inherit_lock\+0x0", "writer", ["inherits"]),
    "heap": ("mutex", r"\[heap\]\+0x[0-9a-f]+", "writer", ["heap"]),
    "joiner": ("end of thread", r"stack of thread \d+", "sleeps", ["joiner"]),
    "condition": ("condition variable", r"queue_filled\+0x0", None, ["condition", "pthread_cond_wait"]),
    "semaphore": ("semaphore", r"tokens\+0x0", None, ["semaphore"]),
    "receiver": ("socket", r"tcp 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+", "server", ["receiver"]),
    "unix-receiver": ("socket", r"unix.*", "server", ["unix_receiver"]),
    "pipe-reader": ("pipe", r"\d+ from \d+ \(server\)", "server", ["pipe_reader"]),
    "poller": ("epoll", r"descriptor \d+", None, ["poller"]),
    "taker": ("message queue", r"/waiters-queue.*", None, ["start_thread", "taker"]),
    "sleeps": ("sleep", None, None, ["start_thread", "sleeps"]),
    "until": ("sleep", None, None, ["start_thread", "until"]),
    "writer": ("sleep", None, None, ["start_thread", "writer", "sleep"]),
}


def check_waits(said, threads):
    for name, (kind, resource, whom, functions) in ZOO.items():
        thread = threads.get(said[name])
        if not thread:
            check(False, f"{name} is there")
            continue
        wait = thread["wait"] or {}
        check(thread["comm"] == name and thread["state"] == "sleeping", f"{name} sleeps: {thread['state']}")
        check(wait.get("kind") == kind and not wait["unsure"], f"{name} waits for a {kind}: {wait}")
        check(not resource or re.fullmatch(resource, wait["resource"] or ""), f"{name} waits for {resource}: {wait}")
        check(wait.get("tid") == (said[whom] if whom else None), f"{name} waits for {whom}: {wait}")
        names, at = thread["frames"], 0
        for function in functions:
            at = names.index(function, at) if function in names[at:] else None
            if at is None:
                break
        check(at is not None, f"{name} is in {functions}: {names}")
        check(thread["stack_ended"] is None and names[-1:] != [], f"{name}'s stack reaches its root: {thread}")
        check(thread["kernel_frames"], f"{name} has kernel frames")


def check_deadlocks(said, found):
    cycles = [{link["tid"]: link["waits_for"] for link in cycle} for cycle in found["deadlocks"]]
    check(len(cycles) == 2, f"two deadlocks: {cycles}")
    one, two, alone = said["dead-one"], said["dead-two"], said["dead-alone"]
    check({one: two, two: one} in cycles, f"one of two threads: {cycles}")
    check({alone: alone} in cycles, f"one of a thread with itself: {cycles}")
    locks = {link["resource"] for cycle in found["deadlocks"] for link in cycle}
    check(locks == {"first_lock+0x0", "second_lock+0x0", "own_lock+0x0"}, f"and their locks: {locks}")


def zoo(program, folder):
    path = os.path.join(folder, "file")
    started = time.monotonic()
    with workload(program, path) as (process, said):
        ready = time.monotonic()
        time.sleep(0.3)
        rested = time.monotonic() - ready
        found = take_json(process.pid)
        age = time.monotonic() - started
        if not found:
            return
        threads = {t["tid"]: t for t in found["threads"]}
        check_waits(said, threads)
        check_deadlocks(said, found)
        check(threads[said["sleeps"]]["wait"]["detail"] == "for 4000.250 s", "how long it sleeps")
        left = re.fullmatch(r"for (\d+\.\d+) s more", threads[said["until"]]["wait"]["detail"] or "")
        check(left and 3900 < float(left[1]) < 4000, f"how long is left until then: {threads[said['until']]['wait']}")
        check(threads[said["poller"]]["wait"]["detail"] == "2 descriptors", "how many are polled")
        since = threads[said["sleeps"]]["since_s"]
        check(since and rested - 0.05 < since < age + 0.01, f"it sleeps since its start: {since}, {rested} to {age}")
        check(threads[said["server"]]["comm"] == "server", "the process at the other end is shown")
        check(threads[said["spinner"]]["state"] in ("running", "runnable"), "the spinner runs")
        check(found["source"] == "bpf" and found["notes"] == [], f"nothing is lacking: {found['notes']}")
        fsyncs = 0
        for _ in range(8):
            syncer = next(t for t in take_json(process.pid, "--settle", "1ms")["threads"] if t["comm"] == "syncer")
            wait = syncer["wait"] or {}
            fsyncs += (wait.get("call"), wait.get("resource")) == ("fsync", path) and "syncer" in syncer["frames"]
        check(fsyncs >= 2, f"the syncer was met in fsync of {path}: {fsyncs} of 8 times")
        text = take(process.pid).stdout
        check("DEADLOCK 1" in text and "held up by" in text and "(table_lock+0x0), held by" in text, text)
        stopped(process, said)


def stopped(process, said):
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    found = take_json(process.pid)
    own = [t for t in found["threads"] if t["pid"] == process.pid]
    check(all(t["state"] == "stopped" and t["wait"]["kind"] == "stop" for t in own),
          f"all threads are stopped: {[(t['comm'], t['state'], t['wait']) for t in own]}")
    check(all(t["frames"] for t in own), "and have their stacks")
    check(found["deadlocks"] == [], "a stopped process is not deadlocked by its locks")
    process.send_signal(signal.SIGCONT)
    time.sleep(0.2)
    found = take_json(process.pid)
    check(len(found["deadlocks"]) == 2, f"when it goes on, it is again: {found['deadlocks']}")


def container(program, folder):
    """Threads whose numbers in their own PID namespace are not those that we see."""
    with workload("unshare", "--pid", "--fork", "--kill-child", program, os.path.join(folder, "file")) as (process, said):
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            pid = int(children.read())
        check(said["dead-one"] < 100 < pid, f"its numbers are its own: {said}")
        for args in [], ["--no-bpf"]:
            found = take_json(pid, *args)
            if not found:
                continue
            cycles = [{link["comm"]: link["waits_for"] for link in cycle} for cycle in found["deadlocks"]]
            tids = {t["comm"]: t["tid"] for t in found["threads"]}
            check({"dead-one": tids["dead-two"], "dead-two": tids["dead-one"]} in cycles, f"deadlocks: {cycles}")
            joiner = next(t for t in found["threads"] if t["comm"] == "joiner")
            check(joiner["wait"]["tid"] == tids["sleeps"], f"joins the sleeper: {joiner}")


def without_bpf(program, folder):
    """/proc tells the stack pointer and no other register: enough for code without frame pointers."""
    with workload(program, os.path.join(folder, "file")) as (process, said):
        found = take_json(process.pid, "--no-bpf")
        if not found:
            return
        check(found["source"] == "proc" and found["notes"], "it says that it does without")
        check_deadlocks(said, found)
        for thread in found["threads"]:
            if thread["tid"] in (said["dead-one"], said["receiver"], said["condition"]):
                check("start_thread" in thread["frames"], f"its stack: {thread}")


def family(program):
    with workload(program, "--family") as (process, said):
        found, parents = take_json(said["son"]), take_json(process.pid)
        if not found or not parents:
            return
        cycles = [{link["tid"]: link["waits_for"] for link in cycle} for cycle in found["deadlocks"]]
        check(cycles == [{said["son"]: said["daughter"], said["daughter"]: said["son"]}],
              f"a deadlock of two processes: {cycles} of {said}")
        parent = parents["threads"][0]
        check(parent["wait"]["kind"] == "child" and parent["wait"]["call"] == "wait4", f"their parent: {parent}")


ENDS = """
import os, signal, socket, struct, sys
kind = sys.argv[1]
def say(): os.write(1, b"ready\\n")
if kind == "splice":
    out_r, out_w = os.pipe()
    os.write(out_w, bytes(65536))
    if not os.fork(): signal.pause()
    in_r, in_w = os.pipe()
    os.write(in_w, b"x")
    stage = os.fork()
    if not stage:
        os.close(in_w)
        say()
        os.splice(in_r, out_w, 4096)
    os.waitpid(stage, 0)
ends = socket.socketpair() if kind != "tcp" else None
if kind == "tcp":
    listener = socket.create_server(("127.0.0.1", 0))
    ends = socket.create_connection(listener.getsockname()), listener.accept()[0]
    listener.close()
own, other = ends if os.fork() else ends[::-1]
other.close()
if kind == "limited": own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1000, 0))
say()
own.recv(1)
"""


def other_ends():
    """Who waits at a descriptor: without end, until its time is over, or for one of two things."""
    for kind, stuck in ("unix", True), ("tcp", True), ("limited", False), ("splice", False):
        process = subprocess.Popen([sys.executable, "-c", ENDS, kind], stdout=subprocess.PIPE, start_new_session=True)
        try:
            process.stdout.readline()
            time.sleep(0.3)
            found = take_json(process.pid)
            check(found and bool(found["deadlocks"]) == stuck, f"{kind}: {[t['wait'] for t in found['threads']]}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def vfork(program):
    with workload(program, "--vfork") as (process, said):
        found = take_json(process.pid)
        if not found:
            return
        wait = found["threads"][0]["wait"]
        check((wait["kind"], wait["tid"], wait["bound"]) == ("child", said["borrower"], True), f"who waits for its vfork()ed child: {wait}")


CROSSED = """
import queue, sys, threading
one, other, todo, met = threading.Lock(), threading.RLock(), queue.Queue(), threading.Barrier(3)

def say(name):
    sys.stdout.write(f"{name} {threading.get_native_id()}\\n")
    sys.stdout.flush()

def last(lock):
    with lock:
        pass

def through(lock, left):
    through(lock, left - 1) if left else last(lock)

def take(name, mine, wanted):
    say(name)
    with mine:
        met.wait()
        through(wanted, 3)

def idle():
    say("idle")
    todo.get()

def behind():
    say("behind")
    last(one)

for work in (lambda: take("one", one, other)), (lambda: take("other", other, one)), idle:
    threading.Thread(target=work, daemon=True).start()
met.wait()
threading.Thread(target=behind, daemon=True).start()
threading.Event().wait(0.5)
print("ready", flush=True)
threading.Event().wait()
"""


def python():
    for (*version, _), interpreter in counts.pythons():
        python_of(interpreter, "Thread." if version >= [3, 11] else "")


def python_stack(thread, class_name):
    """Functions and lines in place of the interpreter's loop."""
    line = CROSSED[:CROSSED.index("with lock:")].count("\n") + 1
    sources = dict(zip(thread["frames"], thread["sources"]))
    functions = [name for name in thread["frames"] if sources[name] or "_PyEval_" in name]
    wanted = [*(class_name + name for name in ("_bootstrap", "_bootstrap_inner", "run")), "<lambda>", "take", *["through"] * 4, "last"]
    check(functions == wanted, f"functions of Python: {functions}, of {thread['frames']}")
    check(sources.get("last") == f"<string>:{line}", f"{sources}: last() waits on line {line}")
    check(sources.get("start_thread", 0) is None, f"{sources}: C has no lines")


def python_of(interpreter, class_name):
    """Locks of Python: two threads that each hold what the other one wants, one behind them, one that has nothing to do."""
    with workload(interpreter, "-c", CROSSED) as (process, said):
        found = take_json(process.pid)
        if not found:
            return
        by = {t["tid"]: t for t in found["threads"]}
        python_stack(by[said["one"]], class_name)
        text = take(process.pid).stdout
        check(re.search(r"^ +last \(<string>:[0-9]+\)$", text, re.M), text)
        cycles = [{link["tid"]: link["waits_for"] for link in cycle} for cycle in found["deadlocks"]]
        check(cycles == [{said["one"]: said["other"], said["other"]: said["one"]}], f"a deadlock of two in Python: {cycles} of {said}")
        check(by[said["behind"]]["wait"]["tid"] == said["one"], f"who waits behind them: {by[said['behind']]}")
        check(not by[said["idle"]]["wait"].get("tid"), f"nobody holds up who has nothing to do: {by[said['idle']]}")
        check(f"held by {said['one']}" in text and f"held by {said['other']}" in text, text)


SYSTEM_V = """
import ctypes, sys, threading
libc, (semaphores, queue) = ctypes.CDLL(None), map(int, sys.argv[1:])
down = (ctypes.c_short * 3)(1, -1, 0)

def start(name, call, *arguments):
    def run():
        sys.stdout.write(f"{name} {threading.get_native_id()}\\n")
        sys.stdout.flush()
        call(*arguments)
    threading.Thread(target=run, daemon=True).start()

start("user", libc.semop, semaphores, down, 1)
start("receiver", libc.msgrcv, queue, ctypes.create_string_buffer(64), 8, 0, 0)
threading.Event().wait(0.5)
print("ready", flush=True)
threading.Event().wait()
"""


def system_v():
    libc = ctypes.CDLL(None)
    create, private, remove, set_value = 0o1600, 0, 0, 16
    semaphores, queue = libc.semget(private, 2, create), libc.msgget(private, create)
    try:
        libc.semctl(semaphores, 1, set_value, 0)
        with workload(sys.executable, "-c", SYSTEM_V, str(semaphores), str(queue)) as (process, said):
            found = take_json(process.pid)
            if not found:
                return
            by = {t["tid"]: t["wait"] for t in found["threads"]}
            wait = by[said["user"]]
            check(wait["kind"] == "semaphore" and wait["resource"] == f"System V semaphores {semaphores}", f"semop: {wait}")
            check(wait["detail"] == f"number 1, last changed by process {os.getpid()}", f"semop: {wait}")
            wait = by[said["receiver"]]
            check(wait["kind"] == "message queue" and wait["resource"] == f"System V queue {queue}", f"msgrcv: {wait}")
    finally:
        libc.semctl(semaphores, 0, remove)
        libc.msgctl(queue, remove, None)


def words():
    """Locks whose memory names nobody: holders are told by their stacks, and only where nobody else may hold them."""
    for how, number, deadlocked in ("crossed", 2, True), ("crossed", 5, True), ("held", 3, False), ("order", 4, False):
        process = subprocess.Popen([COUNTERS, how, str(number)])
        try:
            time.sleep(1)
            found = take_json(process.pid)
            if not found:
                return
            ring = [link["waits_for"] for cycle in found["deadlocks"] for link in cycle]
            check((len(ring) == number and len(found["deadlocks"]) == 1) if deadlocked else not ring, f"{how} {number}: {found['deadlocks']}")
            by = {t["tid"]: t["wait"] for t in found["threads"]}
            check(all(by[tid]["unsure"] and by[tid]["kind"] == "lock" for tid in ring), f"{how}: it does not say for sure: {by}")
            check(("seem to wait" in take(process.pid).stdout) == deadlocked, f"{how}: nor in words")
        finally:
            process.kill()
            process.wait()


TANGLE = """
import java.util.concurrent.locks.*;

public class Tangle {
	static void pause() {
		try {
			Thread.sleep(200);
		} catch (InterruptedException e) {
		}
	}

	static void nested(Object mine, Object wanted) {
		synchronized (mine) {
			pause();
			synchronized (wanted) {
				pause();
			}
		}
	}

	static void locked(Lock mine, Lock wanted) {
		mine.lock();
		pause();
		wanted.lock();
	}

	static void start(String name, Runnable work) {
		new Thread(work, name).start();
	}

	public static void main(String[] args) throws InterruptedException {
		Object one = new Object(), other = "other";
		Lock fair = new ReentrantLock(true), plain = new ReentrantLock();
		ReentrantReadWriteLock table = new ReentrantReadWriteLock();

		start("one", () -> nested(one, other));
		start("other", () -> nested(other, one));
		start("fair", () -> locked(fair, plain));
		start("plain", () -> locked(plain, fair));
		start("writer", () -> {
			table.writeLock().lock();
			synchronized (Tangle.class) {
				try {
					Thread.sleep(1000000);
				} catch (InterruptedException e) {
				}
			}
		});
		Thread.sleep(1000);
		start("behind", () -> nested(one, new Object()));
		start("reader", () -> table.readLock().lock());
		start("waiter", () -> nested(Tangle.class, one));
		start("idle", () -> LockSupport.park(new Object()));
		Thread.sleep(500);
		System.out.println("ready");
		Thread.sleep(1000000);
	}
}
"""


def java():
    """What a virtual machine knows of its locks; who waits for a monitor wakes now and then to look."""
    if not shutil.which("java"):
        return counts.skip("java is not installed")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        source = os.path.join(folder, "Tangle.java")
        with open(source, "w") as file:
            file.write(TANGLE)
        for options in ["-XX:+UseSerialGC"], ["-XX:+UseG1GC", "-XX:-UseCompressedOops", "-XX:-UseCompressedClassPointers"]:
            with workload("java", "-Xmx64m", *options, source, stderr=subprocess.DEVNULL) as (process, _):
                java_waits(take_json(process.pid))


def java_waits(found):
    by = {t["comm"]: t for t in found["threads"]}
    tids = {t["tid"]: t["comm"] for t in found["threads"]}
    cycles = sorted(sorted((link["comm"], tids[link["waits_for"]], link["resource"]) for link in c) for c in found["deadlocks"])
    lock = "java.util.concurrent.locks.ReentrantLock"
    check(cycles == [[("fair", "plain", lock), ("plain", "fair", lock)],
                     [("one", "other", "monitor of java.lang.String"), ("other", "one", "monitor of java.lang.Object")]], f"{cycles}")
    for name, holder, resource in (("behind", "one", "monitor of java.lang.Object"), ("waiter", "writer", "monitor of java.lang.Class"),
                                   ("reader", "writer", "java.util.concurrent.locks.ReentrantReadWriteLock")):
        wait = by[name]["wait"]
        check((tids.get(wait["tid"]), wait["resource"]) == (holder, resource), f"{name} waits for {holder}: {wait}")
    check(by["idle"]["wait"]["tid"] is None, f"nobody holds up who is parked: {by['idle']['wait']}")
    check(by["waiter"]["deadlock"] is None and by["behind"]["deadlock"] is not None, "who waits for a deadlock")


def traced(program):
    """A thread that a tracer holds."""
    libc = ctypes.CDLL(None, use_errno=True)
    attach, interrupt = 0x4206, 0x4207  # PTRACE_SEIZE, PTRACE_INTERRUPT
    with workload(program, "--crowd", "2") as (process, _):
        check(libc.ptrace(attach, process.pid, None, None) == 0, "it can be traced")
        libc.ptrace(interrupt, process.pid, None, None)
        os.waitpid(process.pid, 0x40000000)
        thread = next(t for t in take_json(process.pid)["threads"] if t["tid"] == process.pid)
        check((thread["state"], thread["wait"]["kind"], thread["wait"]["pid"]) == ("traced", "tracer", os.getpid()),
              f"it is held by us: {thread}")
        check("main" in thread["frames"], f"and has its stack: {thread}")


def hostile(program):
    with workload(program, "--hostile") as (process, _):
        found = take_json(process.pid)
        comms = {t["comm"] for t in found["threads"]}
        check({"\033]0;evil\007", "a\nb (c) d", '"}],<&>', ") R 1 1 1"} < comms, f"names are as they are: {comms}")
        liar = next(t for t in found["threads"] if t["comm"] == "false-owner")
        check(liar["wait"]["kind"] == "mutex" and liar["wait"]["tid"] is None, f"a false owner is not believed: {liar}")
        check(found["deadlocks"] == [], "nor makes a deadlock")
        text = take(process.pid).stdout
        check("\033" not in text and "\007" not in text and "evil" in text, "the terminal is safe")
        found = take_json(process.pid, "--no-bpf")
        check(len(found["threads"]) == len(comms), "and /proc with such names is read")


def crowd(program):
    with workload(program, "--crowd", "2000") as (process, _):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = take_json(process.pid)
        took = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - sum(before[:2])
        check(took < 2, f"2,000 threads with less than 2 s of CPU: {took:.2f}")
        own = [t for t in found["threads"] if t["pid"] == process.pid]
        check(len(own) == 2001 and len(found["groups"][0]) == 2000, f"one group of 2,000: {len(found['groups'])}")
        waits = {(t["wait"]["kind"], t["wait"]["resource"], t["stack_ended"]) for t in own if t["tid"] != process.pid}
        check(waits == {("condition variable", "queue_filled+0x0", None)}, f"all wait for the queue: {waits}")
        text = take(process.pid).stdout
        check(re.search(r"^2000 threads sleeping", text, re.M) and len(text) < 5000, "and are shown once")


def endings(program):
    """Threads and processes that end while they are looked at."""
    with workload(program, "--churn") as (process, _):
        for _ in range(10):
            found = take_json(process.pid, "--settle", "1ms")
            check(found and any(t["tid"] == process.pid for t in found["threads"]), "the first thread is always there")
    for delay in (0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1):
        victim = subprocess.Popen([program, "--crowd", "50"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        victim.stdout.readline()
        run = subprocess.Popen([PERFSCOPE, "threads", "-p", str(victim.pid)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        victim.kill()
        victim.wait()
        out, err = run.communicate(timeout=20)
        check(run.returncode == 0 or (run.returncode == 2 and len(err.splitlines()) == 1),
              f"killed after {delay} s: status {run.returncode}, {err}")


def errors(program):
    gone = subprocess.Popen(["true"])
    gone.wait()
    run = take(gone.pid)
    check(run.returncode == 2 and f"no process {gone.pid}" in run.stderr and not run.stdout, f"no such process: {run}")
    run = subprocess.run([PERFSCOPE, "threads"], text=True, capture_output=True)
    check(run.returncode == 2 and "-p PID" in run.stderr, f"which process: {run.stderr}")
    run = take("x")
    check(run.returncode == 2, "not a number")
    with workload(program, "--crowd", "3") as (process, _):
        nobody = {"user": "nobody", "env": {"HOME": "/nonexistent"}}
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            copy = shutil.copy(PERFSCOPE, folder)
            run = subprocess.run([copy, "threads", "-p", str(process.pid)], text=True, capture_output=True, **nobody)
            check(run.returncode == 2 and "not allowed" in run.stderr and "root" in run.stderr, f"no right: {run}")
            shutil.copy(program, folder)
            with workload(os.path.join(folder, os.path.basename(program)), "--crowd", "3", **nobody) as (own, _):
                run = subprocess.run([copy, "threads", "-p", str(own.pid), "--format", "json"], text=True,
                                     capture_output=True, **nobody)
                found = json.loads(run.stdout or "{}")
                check(run.returncode == 0 and found.get("source") == "proc", f"one's own process: {run.stderr}")
                check(sum("take_job" in t["frames"] for t in found.get("threads", [])) == 3, "with stacks")
    thread = take_json(os.getpid())
    check(thread and thread["threads"][0]["wait"]["kind"] in ("poll", "pipe", "child"), "the one that asks waits")


def main():
    if os.geteuid() != 0:
        counts.skip("not root")
        return counts.end()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        folder = os.path.realpath(folder)
        for program in ZOOS:
            zoo(program, folder)
        without_bpf(ZOOS[1], folder)
        container(ZOOS[1], folder)
    family(ZOOS[1])
    other_ends()
    vfork(ZOOS[1])
    python()
    system_v()
    words()
    java()
    traced(ZOOS[1])
    hostile(ZOOS[0])
    crowd(ZOOS[1])
    endings(ZOOS[1])
    errors(ZOOS[1])
    return counts.end()


sys.exit(main())
