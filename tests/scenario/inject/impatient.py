#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""impatient.py try|receive: loops that ask again and again, without sleep: for a lock, or for a message."""
import ctypes
import socket
import sys
import threading
import time

PR_SET_NAME = 15


def take(lock):
    while not lock.acquire(False):
        pass


def keep_books(lock):
    while True:
        take(lock)
        time.sleep(0.002)
        lock.release()


def write_letters(to):
    while True:
        time.sleep(0.01)
        to.send(b"x")


def await_letter(mailbox):
    while True:
        try:
            mailbox.recv(16)
        except BlockingIOError:
            pass


def main():
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"bookkeeper")
    if sys.argv[1] == "try":
        lock = threading.Lock()
        for _ in range(2):
            threading.Thread(target=keep_books, args=(lock,), daemon=True).start()
        keep_books(lock)
    here, there = socket.socketpair()
    here.setblocking(False)
    threading.Thread(target=write_letters, args=(there,), daemon=True).start()
    await_letter(here)


main()
