#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""terminal_png.py OUT.png [light] < CAPTURE: a pane with colours (tmux capture-pane -e -p -N) as a picture, drawn by Chromium."""
import html
import re
import subprocess
import sys
import tempfile

BASIC = ["#1c1c1c", "#ff5f5f", "#5fd787", "#ffd700", "#5fafff", "#d787d7", "#5fd7d7", "#eeeeee"]


def indexed(n):
    if n < 16:
        return BASIC[n % 8]
    if n >= 232:
        return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)
    levels = [0, 95, 135, 175, 215, 255]
    n -= 16
    return "#%02x%02x%02x" % (levels[n // 36], levels[n // 6 % 6], levels[n % 6])


def apply(style, codes):
    codes = [int(c or 0) for c in codes.split(";")] if codes else [0]
    while codes:
        c = codes.pop(0)
        if c == 0:
            style.clear()
        elif c == 1:
            style["font-weight"] = "bold"
        elif c == 4:
            style["text-decoration"] = "underline"
        elif c == 22:
            style.pop("font-weight", None)
        elif c in (39, 49):
            style.pop("color" if c == 39 else "background", None)
        elif 30 <= c <= 37 or 40 <= c <= 47:
            style["color" if c < 40 else "background"] = BASIC[c % 10]
        elif c in (38, 48) and codes:
            kind = codes.pop(0)
            colour = indexed(codes.pop(0)) if kind == 5 else "#%02x%02x%02x" % tuple(codes.pop(0) for _ in range(3))
            style["color" if c == 38 else "background"] = colour


def page(text):
    style, out = {}, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if code:
            apply(style, code[1])
        elif part:
            css = ";".join(f"{k}:{v}" for k, v in style.items())
            out.append(f'<span style="{css}">{html.escape(part)}</span>')
    background, colour = ("#ffffff", "#1c1c1c") if "light" in sys.argv[2:] else ("#121212", "#d0d0d0")
    return (f"<meta charset=utf-8><style>body{{margin:12px;background:{background}}}pre{{margin:0;color:{colour};"
            "font:14px/17px 'DejaVu Sans Mono',monospace}</style><pre>" + "".join(out) + "</pre>")


def main():
    text = re.sub(r"\x1b\][^\x07]*\x07|\x1b[()].", "", sys.stdin.read())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as f:
        f.write(page(text))
        f.flush()
        size = f"--window-size={round(8.43 * max(map(len, plain))) + 24},{17 * len(plain) + 24}"
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", size, f"--screenshot={sys.argv[1]}",
                        "file://" + f.name], check=True, stderr=subprocess.DEVNULL)


main()
