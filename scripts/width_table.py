#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""width_table.py > ui/width_table.c: which characters take two cells of a terminal, and which none,
from Python's Unicode data."""
import sys
import unicodedata


def width(code):
    c = chr(code)
    if unicodedata.category(c) in ("Mn", "Me", "Cf") and code != 0xAD:
        return 0
    if 0x1160 <= code <= 0x11FF:  # the later parts of a Hangul syllable
        return 0
    if unicodedata.category(c) == "Cn":  # not assigned; Python calls these fullwidth
        return 2 if 0x20000 <= code <= 0x3FFFD else 1
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def ranges(wanted):
    start = None
    for code in range(0x80, 0x110001):
        inside = code < 0x110000 and width(code) == wanted
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            yield start, code - 1
            start = None


def table(name, wanted):
    cells = [f"{{0x{a:x}, 0x{b:x}}}," for a, b in ranges(wanted)]
    print(f"\nconst struct code_range {name}[] = {{")
    for i in range(0, len(cells), 4):
        print("\t" + " ".join(cells[i:i + 4]))
    print(f"}};\nconst unsigned {name}_count = sizeof({name}) / sizeof({name}[0]);")


print("// SPDX-License-Identifier: BSD-2-Clause")
print(f"// Made by scripts/width_table.py from Unicode {unicodedata.unidata_version}.")
print('#include "width.h"')
table("width_zero", 0)
table("width_wide", 2)
sys.stdout.flush()
