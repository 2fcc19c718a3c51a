# SPDX-License-Identifier: BSD-2-Clause
"""How a program is built."""
from case import Case

CASES = [
    Case("turns", "turns 4 1000", "app.serialized", "interpreter", function="interpret"),
    Case("turns-long", "turns-nofp 3 5000", "app.serialized", "interpreter", function="interpret"),
]
