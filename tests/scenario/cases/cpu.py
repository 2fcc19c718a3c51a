# SPDX-License-Identifier: BSD-2-Clause
"""Who takes the CPUs, and whom that delays."""
from case import Case

CASES = [
    Case("crowd", "crowd 6", "cpu.saturation", "numbercruncher", victims=("visitor", "frontdesk"), evidence=("p50", "p99")),
    Case("crowd-fast", "crowd-nofp 10 1000 200", "cpu.saturation", "numbercruncher", victims=("visitor", "frontdesk"), evidence=("p50", "p99")),
    Case("hot-function", "hotserver 2 70", "cpu.hotspot", "hotserver", function="price_basket", victims=("buyer",)),
    Case("hot-function-many", "hotserver-nofp 4 60", "cpu.hotspot", "hotserver", function="price_basket", victims=("buyer",)),
    Case("slow-stage", "pipeline 5000", "cpu.single-thread", "compressor", function="squeeze", victims=("bookwriter",)),
    Case("slow-stage-pool", "pipeline-nofp 20000 3", "cpu.single-thread", "compressor", function="squeeze", victims=("bookwriter",)),
]
