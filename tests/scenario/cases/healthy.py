# SPDX-License-Identifier: BSD-2-Clause
"""Loads that look like a fault and are none: busy, idle, many threads, moderate traffic."""
from case import Case

CASES = [
    Case("pool-with-room", "bookings 8 12 30 40 remote"),
    Case("pool-of-few", "bookings-nofp 6 5 50 0 local", often=False),
    Case("put-aside", "stopped 1 0"),
    Case("idle", None),
    Case("locks-in-order", "deadlock 5 order"),
    Case("build", "crew 2 300"),
    Case("build-crowded", "crew-nofp 5 80"),
    Case("idle-threads", "sleepers 400"),
    Case("requests", "requests 100 1000 3"),
    Case("requests-few", "requests-nofp 20 10000 1"),
    Case("lock-free", "storekeepers 2 20 2000"),
    Case("work-pool", "workpool 8 500 300"),
    Case("work-pool-busy", "workpool-nofp 3 300 4000"),
    Case("batch", "crew 1 60000"),
    Case("own-folders", "clerks own-names 3"),
    Case("own-files", "clerks-nofp own-pages 3 1024", often=False),
    Case("own-memory", "tenants own 2", often=False),
    Case("fast-reader", "tcpfault fast-reader"),
    Case("busy-queue", "tcpfault-nofp busy-queue"),
    Case("answered", "tcpfault answered"),
    Case("whole-writes", "tcpfault-nofp whole-writes"),
    Case("keep-alive", "tcpfault keep-alive"),
    Case("bound-with-room", "pinned 3 20"),
    Case("many-switches", "relay pipe 1 20000", often=False),
    Case("copy", "caller alone-copy"),
    Case("flood-moderate", "interrupts datagrams 20000 1", often=False),
]
