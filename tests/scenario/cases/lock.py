# SPDX-License-Identifier: BSD-2-Clause
"""Threads that wait for locks."""
from case import Case

CASES = [
    Case("deadlock", "deadlock 2", "lock.deadlock", "deadlock", function="transfer"),
    Case("deadlock-ring", "deadlock-nofp 5", "lock.deadlock", "deadlock-nofp", function="transfer"),
    Case("lock", "storekeepers 4 1000 300", "lock.contention", "storekeeper", function="reserve_item"),
    Case("lock-many", "storekeepers-nofp 12 3000 500", "lock.contention", "storekeeper", function="reserve_item"),
]
