# SPDX-License-Identifier: BSD-2-Clause
"""Connections that are held up."""
from case import Case

CASES = [
    Case("slow-reader", "tcpfault slow-reader", "net.zero-window", "archiver", function="ponder", victims=("feeder",)),
    Case("full-queue", "tcpfault full-queue", "net.accept-queue", "gatekeeper"),
    Case("refused", "tcpfault-nofp refused", "net.connect-failures", victims=("poller",)),
    Case("small-writes", "tcpfault small-writes", "net.small-writes", "customer", function="ask", victims=("clerk",)),
]
