#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""reading_room.py OBJECTS EVERY: a thread for each reader; every so many answers, garbage is collected among OBJECTS that are kept."""
import ctypes
import gc
import os
import socketserver
import sys
import time

OBJECTS, EVERY = int(sys.argv[1]), int(sys.argv[2])


class Desk(socketserver.StreamRequestHandler):
    answers = 0

    def handle(self):
        while self.rfile.readline():
            self.lend_book()
            self.wfile.write(b"book\n")

    def lend_book(self):
        Desk.answers += 1
        if EVERY and Desk.answers % EVERY == 0:
            gc.collect()


class Room(socketserver.ThreadingTCPServer):
    daemon_threads = True


def read(port):
    import socket
    ctypes.CDLL(None).prctl(15, b"reader", 0, 0, 0)
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            s.sendall(b"title\n")
            if not s.recv(100):
                return
            time.sleep(0.005)


room = Room(("127.0.0.1", 0), Desk)
for _ in range(3):
    if os.fork() == 0:
        try:
            read(room.server_address[1])
        finally:
            os._exit(0)
ctypes.CDLL(None).prctl(15, b"librarian", 0, 0, 0)
kept = [{"title": number, "pages": [number]} for number in range(OBJECTS)]
room.serve_forever()
