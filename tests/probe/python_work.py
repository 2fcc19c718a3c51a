# SPDX-License-Identifier: BSD-2-Clause
"""What python.py records: functions that say of themselves how much CPU time each of them took."""
import json
import sys
import threading
import time

RECURSION = 20


def burn(seconds):
    end = time.thread_time() + seconds
    x = 0
    while time.thread_time() < end:
        for i in range(1000):
            x += i * i  # the line that takes the time
    return x


def seventy():
    burn(0.035)  # called from here


def thirty():
    burn(0.015)


class Größe:
    def méthode(self):
        return sum(self.erzeuge())

    def erzeuge(self):
        for _ in range(5):
            burn(0.002)
            yield 1


def recurse(n):
    if n:
        recurse(n - 1)
    else:
        burn(0.01)


def by_callback():
    sorted([1], key=lambda v: burn(0.01))


def by_code():
    exec(compile("def made_up():\n\n\n    burn(0.01)\nmade_up()", "<made>", "exec"), {"burn": burn})


def everything(seconds, parts, taken):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for part in parts:
            start = time.thread_time()
            part()
            taken[part.__name__] = taken.get(part.__name__, 0) + time.thread_time() - start


def held_up(lock):
    with lock:
        pass


def waiter(lock, stop):
    while not stop.is_set():
        held_up(lock)
        time.sleep(0.001)


def main():
    seconds = float(sys.argv[1])
    taken = {}
    lock, stop = threading.Lock(), threading.Event()
    thread = threading.Thread(target=waiter, args=(lock, stop))
    thread.start()
    parts = [seventy, thirty, Größe().méthode, lambda: recurse(RECURSION), by_callback, by_code]
    parts[3].__name__ = "recursion"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with lock:
            everything(0.2, parts, taken)
        recurse(200)
        time.sleep(0.01)
    stop.set()
    thread.join()
    json.dump(taken, sys.stdout)


main()
