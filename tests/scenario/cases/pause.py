# SPDX-License-Identifier: BSD-2-Clause
"""Processes that stand still."""
from case import Case

CASES = [
    Case("stopped", "stopped 200 300", "pause.freeze", "bookkeeper", function="keep_books"),
    Case("stopped-long", "stopped-nofp 1500 500", "pause.freeze", "bookkeeper", function="keep_books"),
]
