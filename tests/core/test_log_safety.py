"""Logging from where little is allowed: signal handlers, finalisers, forked children, interrupts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PREAMBLE = """
import gc, os, signal, sys, threading, time
import oneiric.core.logging as l

handle = l.configure_logging()
log = l.get_logger()
"""

SIGNALS = """
seen = 0

def on(*_):
    global seen
    seen += 1
    log.info("signal", **{f"n{seen % 50}": seen})

signal.signal(signal.SIGALRM, on)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
main = 0
while seen < 300:
    log.info("main", n=main)
    main += 1
    if main % 20 == 0:
        time.sleep(0.001)  # whoever reads keeps up
signal.setitimer(signal.ITIMER_REAL, 0)
print(seen, main, handle.flush(30), handle.dropped)
"""

INTERRUPTS = """
handle = l.configure_logging(l.LoggingConfig(sinks=[l.LoggingSinkConfig(target="file", path=sys.argv[1], max_bytes=0)]))

def on(*_):
    global armed, interrupts
    if armed:
        armed = False
        interrupts += 1
        raise KeyboardInterrupt

armed, interrupts = False, 0
signal.signal(signal.SIGALRM, on)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while interrupts < 1000:
    try:
        armed = True
        while True:
            log.info("main")
    except KeyboardInterrupt:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
log.info("after")
print(handle.flush(30))
"""

FINALISERS = """
class Noisy:
    def __init__(self, n):
        self.n, self.me = n, self

    def __del__(self):
        log.info("finaliser", n=self.n)

gc.callbacks.append(lambda phase, _: log.info("collector", phase=phase))
gc.set_threshold(20)
for n in range(1000):
    Noisy(n)
    log.info("main", n=n)
gc.callbacks.clear()
gc.collect()
print(handle.flush(30), handle.dropped)
"""

FORKS = """
stopped = False

def log_on(thread):
    n = 0
    while not stopped:
        log.info("parent", thread=thread, n=n)
        n += 1
        if n % 20 == 0:
            time.sleep(0.001)

threads = [threading.Thread(target=log_on, args=(n,)) for n in range(9)]
for thread in threads:
    thread.start()
hung = broken = 0
for child in range(300):
    pid = os.fork()
    if pid == 0:
        for n in range(3):
            log.info("child", child=child, n=n)
        os._exit(0 if handle.flush(20) and not handle.failed else 1)
    deadline = time.monotonic() + 30
    ended, status = 0, 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.0002)
    if not ended:
        hung += 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    broken += status != 0
stopped = True
for thread in threads:
    thread.join()
handle.close()
print(hung, broken)
"""


def run(script: str, target: Path, *arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """Run *script* with its standard error piped into *target*, and return what it printed and logged."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREAMBLE + script, *arguments]
    with target.open("wb") as file, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as copy:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=copy.stdin, text=True, check=False, timeout=120)
        copy.communicate()
    assert done.returncode == 0, target.read_text()[-2_000:]
    return done.stdout.strip(), [json.loads(line) for line in target.read_text().splitlines()]


@pytest.mark.slow
def test_a_signal_handler_may_log(tmp_path: Path) -> None:
    """Hundreds of signals that come while the main thread logs cost no line of either, new sets of names too."""
    printed, lines = run(SIGNALS, tmp_path / "log")
    events = Counter(line["event"] for line in lines)
    seen, main, flushed, dropped = printed.split()
    assert (flushed, dropped) == ("True", "0")
    assert (events["signal"], events["main"]) == (int(seen), int(main))
    numbers = [line["n"] for line in lines if line["event"] == "main"]
    assert numbers == sorted(numbers)


@pytest.mark.slow
def test_an_interrupt_leaves_no_lock_behind(tmp_path: Path) -> None:
    """However often Ctrl-C strikes in the middle of logging, the lines after it are written."""
    printed, _ = run(INTERRUPTS, tmp_path / "unused", str(tmp_path / "log"))
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert (printed, json.loads(last)["event"]) == ("True", "after")


@pytest.mark.slow
def test_finalisers_and_the_garbage_collector_may_log(tmp_path: Path) -> None:
    """What is collected in the middle of logging logs each its line."""
    printed, lines = run(FINALISERS, tmp_path / "log")
    assert printed == "True 0"
    finalised = [line["n"] for line in lines if line["event"] == "finaliser"]
    assert sorted(finalised) == list(range(1000))
    assert [line["n"] for line in lines if line["event"] == "main"] == list(range(1000))


@pytest.mark.slow
def test_children_forked_while_threads_log_write_their_own_lines(tmp_path: Path) -> None:
    """None of 300 hangs, each writes its three lines once, and none of the parent's."""
    printed, lines = run(FORKS, tmp_path / "log")
    assert printed == "0 0"
    own = Counter((line["child"], line["n"]) for line in lines if line["event"] == "child")
    assert own == {(child, n): 1 for child in range(300) for n in range(3)}
    parents = Counter((line["thread"], line["n"]) for line in lines if line["event"] == "parent")
    assert {*parents.values()} == {1}
