#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mailroom.py [sleep | compute | child | ask | none] LONG-MS EVERY-MS: an asyncio server whose loop is held up by one callback."""
import asyncio
import os
import socket
import subprocess
import sys
import time

HOW, LONG, EVERY = sys.argv[1], int(sys.argv[2]) / 1000, int(sys.argv[3]) / 1000


def sort_letters():
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        sorted(range(1000), reverse=True)


def ask(colleague):
    colleague.sendall(b"whose letter is this?\n")
    colleague.recv(100)


def know(server):
    with server.accept()[0] as s:
        while s.recv(100):
            time.sleep(LONG)
            s.sendall(b"mine\n")


async def work(colleague):
    while True:
        await asyncio.sleep(EVERY)
        if HOW == "sleep":
            time.sleep(LONG)
        elif HOW == "compute":
            sort_letters()
        elif HOW == "child":
            subprocess.run(["sleep", str(LONG)], capture_output=True, check=False)
        elif HOW == "ask":
            ask(colleague)


async def answer(reader, writer):
    while await reader.readline():
        writer.write(b"thanks\n")


def send(port):
    import ctypes
    ctypes.CDLL(None).prctl(15, b"sender", 0, 0, 0)
    with socket.create_connection(("127.0.0.1", port)) as s:
        while True:
            s.sendall(b"letter\n")
            if not s.recv(100):
                return
            time.sleep(0.002)


def start_colleague():
    with socket.create_server(("127.0.0.1", 0)) as server:
        if os.fork() == 0:
            know(server)
            os._exit(0)
        return socket.create_connection(server.getsockname())


async def main():
    colleague = start_colleague() if HOW == "ask" else None
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(2):
        if os.fork() == 0:
            try:
                send(port)
            finally:
                os._exit(0)
    await work(colleague)


asyncio.run(main())
