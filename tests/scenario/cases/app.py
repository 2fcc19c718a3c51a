# SPDX-License-Identifier: BSD-2-Clause
"""How a program is built."""
from case import Case

CASES = [
    Case("pool", "bookings 3 12 30 0 remote", "app.thread-pool", "bookings", function="reserve_seat", victims=("traveller",), resource="clerk"),
    Case("pool-local", "bookings-nofp 5 14 80 0 local", "app.thread-pool", "bookings", function="reserve_seat", victims=("traveller",), held_out=True,
         often=False),
    Case("turns", "turns 4 1000", "app.serialized", "interpreter", function="interpret"),
    Case("turns-long", "turns-nofp 3 5000", "app.serialized", "interpreter", function="interpret"),
]
