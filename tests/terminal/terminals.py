#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""terminals.py FIXTURE: the live screen (tests/terminal/fixture.c) on every kind of terminal, in every locale, at every size, and the
terminal afterwards, however it ended."""
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PATIENCE_S = 20
UTF8 = {"LC_ALL": "C.UTF-8"}

# TERM, locale and other variables; are there colours, are there other characters than ASCII.
SHOWN = (
    ("xterm-256color", UTF8, True, True),
    ("xterm", UTF8, True, True),
    ("xterm-direct", UTF8, True, True),
    ("screen", UTF8, True, True),
    ("screen-256color", UTF8, True, True),
    ("tmux-256color", UTF8, True, True),
    ("linux", UTF8, True, True),
    ("rxvt-unicode-256color", UTF8, True, True),
    ("putty", UTF8, True, True),
    ("vt100", UTF8, False, True),
    ("vt220", UTF8, False, True),
    ("xterm-mono", UTF8, False, True),
    ("ansi", UTF8, True, True),
    ("xterm-256color", {"LC_ALL": "C"}, True, False),
    ("vt100", {"LC_ALL": "C"}, False, False),
    ("xterm", {"LANG": "en_US.ISO-8859-1"}, True, False),
    ("xterm", {"LANG": "xx_YY.UTF-8"}, True, True),
    ("xterm", {}, True, False),
    ("xterm-256color", dict(UTF8, NO_COLOR="1"), False, True),
    ("xterm-256color", dict(UTF8, COLORFGBG="0;15"), True, True),
)
# TERM (None: not set) and what is said of it.
REFUSED = (
    ("dumb", "nothing can be put in its place"),
    ("no-such-terminal", "is not known here"),
    ("", "is not known here"),
    (None, "is not known here"),
)
# Signal, and the status that follows.
ENDS = (
    (signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGSEGV, -signal.SIGSEGV), (signal.SIGBUS, -signal.SIGBUS),
    (signal.SIGABRT, -signal.SIGABRT), (signal.SIGKILL, -signal.SIGKILL),
)
EVERY_KEY = b"123456789" b"0fa?" b"2tcHKu\\x\n\x1b/y\n" b"4\t6\t7\t\t8\t\t9\t0\tpp+-[]p" b"1\t\t\r\x7f"
COLOUR = re.compile(rb"\x1b\[(?:[0-9;:]*[;:])?[34](?:[0-7]|8[;:][0-9;:]*)m")
HOSTILE = (b"\x1b]0;x\x07", b"\x1b[31mred", "\u202e".encode(), "\u2066".encode(), b"\xff\xfe")

passed = failed = skipped = 0


def check(name, true):
    global passed, failed
    if true:
        passed += 1
    else:
        failed += 1
        print(f"not so: {name}", file=sys.stderr)
    return true


def capability(term, name):
    text = subprocess.run(["tput", "-T", term, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return re.sub(rb"\$<[^>]*>", b"", text)


class Screen:
    def __init__(self, term, variables, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        environment = {"PATH": os.environ["PATH"], "TZ": "UTC", **variables}
        if term is not None:
            environment["TERM"] = term
        self.process = subprocess.Popen([fixture], env=environment, stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.drawn = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.drawn += os.read(self.master, 1 << 16)
        return True

    def until(self, true):
        end = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > end:
                return False
            self.read(0.02)
        return True

    def shows(self, text):
        return self.until(lambda: text in self.drawn)

    def quiet(self):
        while self.read(0.05):
            pass

    def ended(self):
        return self.process.returncode if self.until(lambda: self.process.poll() is not None) else None

    def said(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.stderr.read().decode()

    def is_restored(self, term):
        self.quiet()
        after = [capability(term, name) for name in ("rmcup", "cnorm")]
        return self.until(lambda: not self.read(0) and termios.tcgetattr(self.slave) == self.before and
                          all(text in self.drawn[-300:] for text in after))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


def try_shown(term, variables, colours, others):
    name = f"{term} {' '.join(f'{k}={v}' for k, v in variables.items())}"
    s = Screen(term, variables)
    if check(f"{name}: a screen", s.shows(b"VERDICT")):
        os.write(s.master, EVERY_KEY)
        s.quiet()
        check(f"{name}: lives through every key", s.process.poll() is None)
        check(f"{name}: {'colours' if colours else 'no colours'}", bool(COLOUR.search(s.drawn)) == colours)
        check(f"{name}: {'not only' if others else 'only'} ASCII", any(byte >= 0x80 for byte in s.drawn) == others)
        check(f"{name}: names do no harm", not any(text in s.drawn for text in HOSTILE))
        os.write(s.master, b"q")
        check(f"{name}: q ends it", s.ended() == 0)
        check(f"{name}: the terminal is as before", s.is_restored(term))
    s.close()


def try_refused(term, why):
    s = Screen(term, UTF8)
    check(f"TERM={term}: refused", s.ended() == 2)
    check(f"TERM={term}: with a reason", why in s.said())
    check(f"TERM={term}: nothing is drawn", not s.read(0))
    s.close()


def try_end(number, status):
    s = Screen("xterm-256color", UTF8)
    s.shows(b"VERDICT")
    s.quiet()
    s.process.send_signal(number)
    check(f"{number.name}: ends with {status}", s.ended() == status)
    check(f"{number.name}: the terminal is as before", s.is_restored("xterm-256color"))
    s.close()


def try_closed_terminal():
    s = Screen("xterm-256color", UTF8)
    s.shows(b"VERDICT")
    os.close(s.slave)
    os.close(s.master)
    s.slave = s.master = -1
    try:
        check("a terminal that is closed ends it", s.process.wait(PATIENCE_S) is not None)
    except subprocess.TimeoutExpired:
        check("a terminal that is closed ends it", False)
    s.close()


def try_sizes():
    chance = random.Random(1)
    s = Screen("xterm-256color", UTF8)
    s.shows(b"VERDICT")
    sizes = [(chance.randint(1, 80), chance.randint(1, 250)) for _ in range(150)] + [(1, 1), (5, 20), (3, 300), (200, 3)]
    for i, (rows, columns) in enumerate(sizes):
        s.resize(rows, columns)
        os.write(s.master, EVERY_KEY[i % len(EVERY_KEY):][:1])
        s.read(0)
    s.quiet()
    check("a storm of sizes", s.process.poll() is None)
    s.resize(24, 80)
    s.drawn = b""
    os.write(s.master, b"\x1b\x1b1")
    check("the screen comes back", s.shows(b"VERDICT"))
    os.write(s.master, b"q")
    check("and ends", s.ended() == 0)
    s.close()


def try_strange_keys():
    """Keys of a terminal that TERM does not name are known, or do nothing."""
    s = Screen("xterm-256color", UTF8)
    s.shows(b"VERDICT")
    os.write(s.master, b"2")
    check("2 shows processes", s.shows(b"COMMAND"))
    s.quiet()
    s.drawn = b""
    os.write(s.master, b"\x1b[1~\x1b[[E")
    check("F5 of another terminal shows a tree", s.shows("└".encode()))
    os.write(s.master, b"\x1b[99;5z\x1b[4~")
    s.quiet()
    check("no letter of theirs is taken for a key", b"paused" not in s.drawn and b"VERDICT" not in s.drawn)
    os.write(s.master, b"q")
    check("and q ends it", s.ended() == 0)
    s.close()


fixture = os.path.abspath(sys.argv[1])
for row in SHOWN:
    if row[0] in ("vt100", "linux", "xterm", "dumb") or capability(row[0], "clear"):
        try_shown(*row)
    else:
        skipped += 1
        print(f"skipped: the terminal {row[0]} is not known here")
for row in REFUSED:
    try_refused(*row)
for row in ENDS:
    try_end(*row)
try_closed_terminal()
try_sizes()
try_strange_keys()
print(f"terminals: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(failed != 0)
