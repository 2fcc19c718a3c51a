#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""desk.py WORKERS MS CLIENTS: processes that answer at one port, a request at a time, each after so long in which they do nothing."""
import os
import socket
import sys
import threading
import time


def call_oneself(name):
    with open("/proc/self/comm", "w", encoding="ascii") as f:
        f.write(name)


def look_it_up(ms):
    time.sleep(ms / 1000)


def answer(listener, ms):
    while True:
        line = listener.accept()[0]
        line.recv(100)
        look_it_up(ms)
        line.sendall(b"here\n")
        line.close()


def ask(address):
    while True:
        with socket.create_connection(address) as line:
            line.sendall(b"where?\n")
            line.recv(100)


def main():
    workers, ms, clients = map(int, sys.argv[1:])
    call_oneself("desk")
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    for _ in range(workers):
        if os.fork() == 0:
            answer(listener, ms)
    call_oneself("callers")
    address = listener.getsockname()
    listener.close()
    for _ in range(clients):
        threading.Thread(target=ask, args=(address,)).start()


main()
