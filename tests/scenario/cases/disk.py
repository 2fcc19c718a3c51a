# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for disks."""
from case import Case

CASES = [
    Case("sync-under-lock", "storekeepers 4 5 300 orders", "disk.sync", "storekeeper", function="commit_order"),
    Case("sync-under-lock-many", "storekeepers-nofp 8 20 100 orders", "disk.sync", "storekeeper", function="commit_order"),
]
