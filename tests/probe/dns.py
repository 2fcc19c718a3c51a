#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Queries to a DNS server that answers after a known time, or not at all."""
import socket
import sys
import threading
import time

import probe_test

SERVER = ("127.0.0.77", 53)
DELAY = 0.02


def serve(s):
    while True:
        query, peer = s.recvfrom(512)
        if query == b"end":
            return
        time.sleep(DELAY)
        if query != b"unknown":
            s.sendto(query, peer)


def ask(count):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.connect(SERVER)
        begin = time.monotonic_ns()
        for number in range(count):
            s.send(b"%d" % number)
            s.recv(512)
        took = time.monotonic_ns() - begin
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.connect(SERVER)
        for _ in range(3):
            s.send(b"unknown")
    return took


def test(t):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        try:
            s.bind(SERVER)
        except OSError as error:
            t.skip(f"no DNS server can be started: {error}")
            return
        server = threading.Thread(target=serve, args=[s])
        server.start()
        try:
            took = t.record(lambda: ask(40), args=["--dns"])
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as end:
                end.sendto(b"end", SERVER)
            server.join()
    if t.one("SELECT count(*) FROM unavailable WHERE probe = 'dns'"):
        t.skip("queries to DNS servers cannot be seen here")
        return
    rows = [row for row in t.view("network")["names"] if row["server"] == "127.0.0.77:53"]
    if not t.check(len(rows) == 1, f"one process asks: {rows}"):
        return
    row = rows[0]
    t.check((row["queries"], row["unanswered"]) == (43, 3), f"43 queries, 40 answers: {row}")
    # It begins when the query has been handed over, which may be a little late.
    t.check(0.95 * 40e9 * DELAY <= row["time_ns"] <= took, f"they took {took} ns: {row}")
    t.check(1e9 * DELAY <= row["p50_ns"] and sum(row["histogram"]) == 40, f"each of them: {row}")


if __name__ == "__main__":
    sys.exit(probe_test.main("dns", test))
