#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ledger.py threads|fresh|processes|file|crossed|files: who keeps a ledger holds a lock while it waits on a clock: a threading.Lock,
one of multiprocessing, which is a semaphore, or a file's. Fresh: each entry is a new thread's. Crossed: two who each hold the lock
that the other one wants; files: two processes that each hold the file."""
import ctypes
import fcntl
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time

WRITERS = 4
HOLDS = 0.02 if sys.argv[1:] == ["fresh"] else 0.004
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def update_ledger(lock):
    with lock:
        time.sleep(HOLDS)


def write_journal(file):
    fcntl.flock(file, fcntl.LOCK_EX)
    time.sleep(0.005)
    fcntl.flock(file, fcntl.LOCK_UN)


def transfer(source, target):
    with source:
        time.sleep(0.2)
        update_ledger(target)


def move(source, target):
    fcntl.flock(source, fcntl.LOCK_EX)
    time.sleep(0.2)
    fcntl.flock(target, fcntl.LOCK_EX)


def lock_each_others_file():
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("income", "expenses")]
        for first, second in names, names[::-1]:
            if not os.fork():
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                with open(first, "w", encoding="ascii") as source, open(second, "w", encoding="ascii") as target:
                    move(source, target)
                os._exit(0)
        signal.pause()


def update_anew(lock):
    thread = threading.Thread(target=update_ledger, args=(lock,))
    thread.start()
    thread.join()


def for_ever(work, what):
    while True:
        work(what)


def main():
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_NAME, b"ledgerkeeper")
    if sys.argv[1] in ("threads", "fresh"):
        lock = threading.Lock()
        update = update_ledger if sys.argv[1] == "threads" else update_anew
        for _ in range(WRITERS):
            threading.Thread(target=for_ever, args=(update, lock), daemon=True).start()
        signal.pause()
    if sys.argv[1] == "crossed":
        locks = [threading.Lock(), threading.Lock()]
        for pair in locks, locks[::-1]:
            threading.Thread(target=transfer, args=pair, daemon=True).start()
        signal.pause()
    if sys.argv[1] == "files":
        lock_each_others_file()
    lock = multiprocessing.Lock()
    path = os.path.join(tempfile.gettempdir(), "perfscope-journal")
    for _ in range(WRITERS):
        if not os.fork():
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if sys.argv[1] == "processes":
                for_ever(update_ledger, lock)
            with open(path, "w", encoding="ascii") as file:
                for_ever(write_journal, file)
    signal.pause()


main()
