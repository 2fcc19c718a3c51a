#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mailroom.py [sleep | compute | child | none] LONG-MS EVERY-MS: an asyncio server whose loop is held up by one callback."""
import asyncio
import os
import subprocess
import sys
import time

HOW, LONG, EVERY = sys.argv[1], int(sys.argv[2]) / 1000, int(sys.argv[3]) / 1000


def sort_letters():
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        sorted(range(1000), reverse=True)


async def work():
    while True:
        await asyncio.sleep(EVERY)
        if HOW == "sleep":
            time.sleep(LONG)
        elif HOW == "compute":
            sort_letters()
        elif HOW == "child":
            subprocess.run(["sleep", str(LONG)], capture_output=True, check=False)


async def answer(reader, writer):
    while await reader.readline():
        writer.write(b"thanks\n")


def send(port):
    import ctypes
    import socket
    ctypes.CDLL(None).prctl(15, b"sender", 0, 0, 0)
    with socket.create_connection(("127.0.0.1", port)) as s:
        while True:
            s.sendall(b"letter\n")
            if not s.recv(100):
                return
            time.sleep(0.002)


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(2):
        if os.fork() == 0:
            try:
                send(port)
            finally:
                os._exit(0)
    await work()


asyncio.run(main())
