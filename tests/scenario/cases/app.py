# SPDX-License-Identifier: BSD-2-Clause
"""How a program is built."""
from case import Case, script

CASES = [
    Case("pool", "bookings 3 12 30 0 remote", "app.thread-pool", "bookings", function="reserve_seat", victims=("traveller",), resource="clerk"),
    Case("pool-local", "bookings-nofp 5 14 80 0 local", "app.thread-pool", "bookings", function="reserve_seat", victims=("traveller",), held_out=True,
         often=False),
    # Threads without names of their own.
    Case("pool-python", script("python3 travel_desk.py 3 12 40", 1), "app.thread-pool", "traveldesk", function="ask",
         victims=("traveller",), resource="threads _worker", often=False),
    Case("pool-python-few", script("python3 travel_desk.py 2 5 90", 1), "app.thread-pool", "traveldesk", victims=("traveller",),
         held_out=True, often=False),
    Case("pool-python-enough", script("python3 travel_desk.py 8 4 6", 1), often=False),
    Case("pool-ruby", script("ruby telegrams.rb 2", 1), "app.thread-pool", "telegraph", victims=("telegrams.rb:32",), resource="2 threads telegrams.rb:36",
         needs="ruby", often=False),
    Case("pool-ruby-enough", script("ruby telegrams.rb 8", 1), needs="ruby", often=False),
    # Processes that answer at one port, a request at a time: too few, and enough.
    Case("desk-alone", script("python3 desk.py 1 80 6", 1), "app.thread-pool", "desk", function="look_it_up", resource="127.0.0.1:", often=False),
    Case("desks", script("python3 desk.py 3 40 8", 1), "app.thread-pool", "desk", function="look_it_up", resource="127.0.0.1:", held_out=True,
         often=False),
    # All are held up, and others wait; or nobody does.
    Case("desks-hung", script("python3 desk.py 3 60000 9", 3), "app.thread-pool", "desk", function="look_it_up", resource="127.0.0.1:",
         often=False),
    Case("desks-held", script("python3 desk.py 3 60000 3", 3), often=False),
    Case("standstill", "boxoffice printer 100", "app.thread-pool", "boxoffice", function="print_ticket", resource="127.0.0.1:",
         evidence=("requests without an answer",), often=False),
    Case("standstill-bank", "boxoffice-nofp bank 1500 8", "app.thread-pool", "boxoffice", function="print_ticket",
         victims=("visitor",), seconds=5, often=False),
    Case("standstill-lock", "boxoffice-nofp lock 200 7", "app.thread-pool", "boxoffice", function="print_ticket", held_out=True,
         often=False),
    Case("patient-visitors", "boxoffice patient 0 8", often=False),
    Case("news", "boxoffice-nofp news 0 8", often=False),
    Case("turns", "turns 4 1000", "app.serialized", "interpreter", function="interpret"),
    Case("turns-long", "turns-nofp 3 5000", "app.serialized", "interpreter", function="interpret", often=False),
    Case("turns-by-files", "turns-nofp 4 1000 1", "app.serialized", "interpreter", function="interpret", often=False),
    Case("turns-many", "turns-nofp 16 1500", "app.serialized", "interpreter", function="interpret", held_out=True, often=False),
    Case("slow-warehouse", "chain threads sleep 60", "app.downstream", "warehouse", function="fetch_stock",
         victims=("frontdesk",), resource="127.0.0.1:"),
    Case("slow-warehouse-loop", "chain-nofp loop sleep 150 8", "app.downstream", "warehouse", function="fetch_stock",
         victims=("frontdesk",), resource="127.0.0.1:", held_out=True, often=False),
    Case("slow-warehouse-pool", "chain pool sleep 40 6", "app.downstream", "warehouse", function="fetch_stock",
         victims=("frontdesk",), held_out=True, often=False),
    # Eight who attend to them are too few for so many.
    Case("slow-warehouse-crowd", "chain pool sleep 40 30", "app.thread-pool", "frontdesk", evidence=("explains app.downstream",), often=False),
    Case("locked-warehouse", "chain-nofp threads lock 12 5", "lock.contention", "warehouse", function="fetch_stock",
         evidence=("explains app.downstream",), often=False),
    Case("late", "chain direct sleep 30 4 18080", "app.slo", "warehouse", function="fetch_stock", resource=":18080$",
         victims=("shopper",), evidence=("p99", "sleeping"), options=("--slo", "port=18080 p99<20ms")),
    Case("late-behind", "chain threads sleep 60 4 18081", "app.downstream", "warehouse", victims=("frontdesk",),
         evidence=("explains app.slo",), options=("--slo", "port=18081 p50<20ms mean<1s"), often=False),
    Case("late-mean", "chain-nofp direct sleep 45 9 18082", "app.slo", "warehouse", function="fetch_stock", resource=":18082$",
         options=("--slo", "port=18082 mean<10ms"), held_out=True, often=False),
]
