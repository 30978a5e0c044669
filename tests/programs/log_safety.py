"""A program that logs from where little is allowed; its arguments name a scenario and, for one, a file."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import oneiric.core.logging as l

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE = 120
"""Seconds after which a forked process that hangs is ended."""

handle = l.configure_logging()
log = l.get_logger()


def signals() -> None:
    """Log in a handler, 300 times, and in what it interrupts; print what both logged."""
    seen = main = 0

    def on(*_: object) -> None:
        nonlocal seen
        seen += 1
        log.info("signal", **{f"n{seen % 50}": seen})

    signal.signal(signal.SIGALRM, on)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    while seen < 300:
        log.info("main", n=main)
        main += 1
        if main % 20 == 0:
            time.sleep(0.001)  # whoever reads keeps up
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.write(f"{seen} {main} {handle.flush(DEADLINE)} {handle.dropped}\n")


def interrupts() -> None:
    """Interrupt logging to a file 1,000 times, then log once more."""
    file = l.LoggingSinkConfig(target="file", path=sys.argv[2], max_bytes=0)
    handle = l.configure_logging(l.LoggingConfig(sinks=[file]))
    armed, count = False, 0

    def on(*_: object) -> None:
        nonlocal armed, count
        if armed:
            armed = False
            count += 1
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, on)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    while count < 1000:
        try:
            armed = True
            while True:
                log.info("main")
        except KeyboardInterrupt:
            pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    log.info("after")
    sys.stdout.write(f"{handle.flush(DEADLINE)}\n")


class Noisy:
    """Logs when it is finalised, by the garbage collector."""

    def __init__(self, n: int) -> None:
        self.n, self.me = n, self

    def __del__(self) -> None:
        """Log."""
        log.info("finaliser", n=self.n)


def finalisers() -> None:
    """Log in 1,000 finalisers and in a callback of the garbage collector."""
    gc.callbacks.append(lambda phase, _: log.info("collector", phase=phase))
    gc.set_threshold(20)
    for n in range(1000):
        Noisy(n)
        log.info("main", n=n)
    gc.callbacks.clear()
    gc.collect()
    sys.stdout.write(f"{handle.flush(DEADLINE)} {handle.dropped}\n")


def forks() -> None:
    """Fork 300 children while nine threads log; print how many hung, and how many ended badly."""
    stopped = threading.Event()

    def log_on(thread: int) -> None:
        n = 0
        while not stopped.is_set():
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
            os._exit(0 if handle.flush(DEADLINE) and not handle.failed else 1)
        ended, status = _waited(pid)
        hung += not ended
        broken += status != 0
    stopped.set()
    for thread in threads:
        thread.join()
    handle.close()
    sys.stdout.write(f"{hung} {broken}\n")


def _waited(pid: int) -> tuple[int, int]:
    """Wait for the child *pid*, which is killed where it hangs; return its id, or 0 if it hung, and its status."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return ended, status
        time.sleep(0.0002)
    os.kill(pid, signal.SIGKILL)
    return 0, os.waitpid(pid, 0)[1]


SCENARIOS: tuple[Callable[[], None], ...] = (signals, interrupts, finalisers, forks)


def main(name: str) -> None:
    """Run the scenario called *name*."""
    next(scenario for scenario in SCENARIOS if scenario.__name__ == name)()


if __name__ == "__main__":
    main(sys.argv[1])
