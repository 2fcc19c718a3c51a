#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""travel_desk.py WORKERS CLIENTS MS: a server with a thread for each client, which all ask a carrier who takes MS to answer, through
a pool of WORKERS threads. No thread has a name of its own."""
import concurrent.futures
import ctypes
import os
import signal
import socket
import sys
import threading
import time

WORKERS, CLIENTS, MS = (int(word) for word in sys.argv[1:])
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
own = threading.local()


def listener():
    s = socket.create_server(("127.0.0.1", 0), backlog=64)
    return s, s.getsockname()[1]


def serve(s, answer):
    def talk(connection):
        while connection.recv(100):
            connection.sendall(answer())
    while True:
        threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()


def carrier():
    time.sleep(MS / 1000)
    return b"seats\n"


def ask(port):
    if not hasattr(own, "line"):
        own.line = socket.create_connection(("127.0.0.1", port))
    own.line.sendall(b"seats?\n")
    return own.line.recv(100)


def travel(port):
    while True:
        ask(port)
        time.sleep(0.005)


def child(name, work, *arguments):
    if not os.fork():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        ctypes.CDLL(None).prctl(PR_SET_NAME, name)
        work(*arguments)


back, back_port = listener()
front, front_port = listener()
child(b"carrier", serve, back, carrier)
for _ in range(CLIENTS):
    child(b"traveller", travel, front_port)
ctypes.CDLL(None).prctl(PR_SET_NAME, b"traveldesk")
pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
serve(front, lambda: pool.submit(ask, back_port).result())
