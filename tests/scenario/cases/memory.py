# SPDX-License-Identifier: BSD-2-Clause
"""Memory."""
from case import Case

CASES = [
    Case("faults", "faulter 16", "memory.faults", "painter", function="fill_pages", victims=("viewer",)),
]
