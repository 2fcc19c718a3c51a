# SPDX-License-Identifier: BSD-2-Clause
"""What a scenario is: a load, and what diagnose must say of it. Those of an area are in cases/AREA.py."""
import contextlib
import importlib
import os
import pkgutil
import shutil
import signal
import subprocess
import tempfile
import time
import typing
from dataclasses import dataclass

INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")


@dataclass
class Case:
    name: str
    # An injector with its arguments; None for an idle machine; or what takes the injectors' folder and returns a context
    # manager that starts what is needed (a cgroup, a device, several programs) and yields something with poll(), None
    # while all goes well.
    load: typing.Union[str, typing.Callable, None]
    finding: typing.Optional[str] = None  # that must lead; None: healthy, nothing above info may be raised
    culprit: typing.Optional[str] = None  # comm of the first culprit; None: there is none on this machine
    function: typing.Optional[str] = None # that must be in a stack of the finding
    victims: tuple = ()                   # comms; one of them at least is named
    resource: typing.Optional[str] = None # regular expression that the resource's name must match
    evidence: tuple = ()                  # words that must be in the metrics of the evidence
    also: tuple = ()                      # ids that must be found after it: a second, independent fault
    network: typing.Optional[str] = None  # shell commands that prepare a network namespace of the load's own
    needs: typing.Union[str, typing.Callable, None] = None  # a program, or whether the machine has what is needed
    options: tuple = ()                   # more for diagnose
    seconds: int = 4                      # to look at the machine
    held_out: bool = False                # never looked at while thresholds were tuned
    often: bool = True                    # part of the run on every change; else of the whole run alone


def lacks(wanted):
    """What the machine has not that the case needs; None: nothing."""
    if callable(wanted.needs):
        return None if wanted.needs() else "what " + wanted.name + " needs"
    return wanted.needs if wanted.needs and not shutil.which(wanted.needs) else None


def start(wanted, injectors):
    """A context manager for the case's load."""
    if callable(wanted.load):
        return wanted.load(injectors)
    argv = wanted.load.split() if wanted.load else ["sleep", "600"]
    path = os.path.join(injectors, argv[0])
    argv = [path if wanted.load else argv[0]] + argv[1:]
    if wanted.network:
        argv = ["unshare", "-n", "sh", "-c", f'ip link set lo up && {wanted.network} && exec "$@"', "sh"] + argv
    return running(argv)


@contextlib.contextmanager
def running(argv, **more):
    """With a session of its own, whatever it has started ends with it."""
    process = subprocess.Popen(argv, **more)
    try:
        yield process
    finally:
        if more.get("start_new_session"):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def script(command, warm=0):
    """A program in a language of its own; the last but arguments is a file of inject/. Some have to warm up."""
    @contextlib.contextmanager
    def start(_):
        argv = [os.path.join(INJECT, word) if os.path.exists(os.path.join(INJECT, word)) else word
                for word in command.split()]
        with running(argv, start_new_session=True, stdout=subprocess.DEVNULL) as process:
            time.sleep(warm)
            yield process
    return start


def compiled(compiler, source):
    """A program of inject/ in a language whose compiler may not be there when all is built."""
    @contextlib.contextmanager
    def start(_):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, source.split(".")[0])
            subprocess.run([*compiler.split(), "-o", program, os.path.join(INJECT, source)], check=True)
            with running([program]) as process:
                yield process
    return start


def all_cases():
    import cases
    found = []
    for module in sorted(m.name for m in pkgutil.iter_modules(cases.__path__)):
        found += importlib.import_module("cases." + module).CASES
    return found
