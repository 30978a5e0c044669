"""A program that records where little is allowed: in handlers, at the exit, in children; it is given a scenario."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach

if TYPE_CHECKING:
    from collections.abc import Callable

RESOLUTIONS = "oneiric_resolution_total"
RETRIES = "oneiric_remote_retries_total"
REGISTRATIONS = "oneiric_resolver_registrations_total"
DEADLINE = 120
"""Seconds after which a forked process that hangs is ended, and a thread is given up."""

resolver = Resolver()
resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
telemetry = attach(resolver)


def retry(source: str = "main") -> None:
    """Report a retry."""
    resolver.observers.notify(events.RetryScheduled(source=source, operation="manifest"))


def value(name: str) -> float:
    """Return the sum over the samples called *name*."""
    return sum(value for _, value in telemetry.samples().get(name, []))


def register(domain: str, key: str, provider: str = "p") -> None:
    """Register a candidate."""
    resolver.register(Candidate(domain=domain, key=key, provider=provider, factory=dict))


def interrupt_recording() -> None:
    """Five times, record and scrape while a handler that interrupts every 200 us does so, too."""
    handled = done = 0
    armed = False

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1
        resolver.resolve("adapter", "cache")
        retry(f"source-{handled}")
        if handled % 50 == 0:
            telemetry.samples()
        if armed:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)  # from now, so that a slow machine does not only handle

    def record() -> None:
        nonlocal done
        until = handled + 100
        while handled < until:
            resolver.resolve("adapter", "cache")
            retry()
            done += 1
            if done % 500 == 0:
                telemetry.samples()

    signal.signal(signal.SIGALRM, handle)
    for _ in range(5):
        armed = True
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        record()
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert value(RESOLUTIONS) == done + handled
        assert value(RETRIES) == done + handled


def record_at_exit() -> None:
    """Record and scrape in an exit handler."""
    telemetry.add(resolver)

    @atexit.register
    def last() -> None:
        resolver.resolve("adapter", "cache")
        retry()
        sys.stdout.write(f"{value(RESOLUTIONS)} {value(RETRIES)}\n")

    resolver.resolve("adapter", "cache")


def fork_while_recording() -> None:
    """Fork 300 children, one after the other, while nine threads record and scrape; print how many failed."""
    stop = threading.Event()

    def record() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            resolver.resolve("adapter", "cache")
            retry(f"source-{number % 30}")
            if number % 100 == 0:
                telemetry.samples()
                register("task", "t", f"p{number % 3}")
                resolver.unregister("task", "t")

    def child() -> None:
        signal.alarm(DEADLINE)
        assert value(RESOLUTIONS) == 0, value(RESOLUTIONS)
        assert value(RETRIES) == 0
        resolver.resolve("adapter", "cache")
        retry()
        register("task", "u")
        assert [value(name) for name in (RESOLUTIONS, RETRIES, REGISTRATIONS)] == [1, 1, 1]

    threads = [threading.Thread(target=record) for _ in range(9)]
    for thread in threads:
        thread.start()
    failed = sum(_ends_badly(child) for _ in range(300))
    stop.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"failed {failed}\n")


def _ends_badly(work: Callable[[], None]) -> bool:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    try:
        work()
    except BaseException:  # noqa: BLE001 - the child must end here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def interrupt_first_resolutions(keys: int) -> None:
    """Interrupt the first resolutions of so many keys by a handler that resolves them, too."""
    handled = done = 0
    key = ""

    def handle(*_: object) -> None:
        nonlocal handled
        for _turn in range(5):
            resolver.resolve("adapter", key)
            handled += 1

    signal.signal(signal.SIGALRM, handle)
    for number in range(keys):
        key = f"key-{number}"
        register("adapter", key, "redis")
        signal.setitimer(signal.ITIMER_REAL, 0.00002 + number % 40 / 400_000)
        for _ in range(3):
            resolver.resolve("adapter", key)
            done += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert handled > keys // 20, handled
    assert value(RESOLUTIONS) == done + handled, (value(RESOLUTIONS), done, handled)
    assert value("oneiric_resolution_duration_seconds_count") == done + handled


class Timeout(Exception):  # noqa: N818 - named as those of the standard library
    """What a handler raises."""


def raise_while_recording(times: int) -> None:
    """Raise in a handler so many times while recording; print whether recording and scraping still work in a thread."""
    armed, raised = False, 0

    def handle(*_: object) -> None:
        nonlocal armed, raised
        if armed:
            armed = False
            raised += 1
            raise Timeout

    def work(number: int) -> None:
        for _ in range(300):
            resolver.resolve("adapter", "cache")
            retry()
        if number % 10 == 0:
            telemetry.samples()
        register("task", "t", f"p{number % 3}")
        resolver.unregister("task", "t")

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0007)
    for number in range(100_000):
        try:
            armed = True
            work(number)
            armed = False
        except Exception:  # noqa: BLE001 - a Timeout, or what the runtime makes of one
            pass
        if raised >= times:
            break
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    sys.stdout.write(f"{_counts_in_a_thread()}\n")


def _counts_in_a_thread() -> bool:
    done = threading.Event()
    counted = False

    def look() -> None:
        nonlocal counted
        telemetry.samples()
        register("service", "s")
        samples = telemetry.samples()[REGISTRATIONS]
        counted = any(labels["domain"] == "service" and value == 1 for labels, value in samples)
        done.set()

    threading.Thread(target=look, daemon=True).start()
    return done.wait(DEADLINE) and counted


SCENARIOS: tuple[Callable[..., None], ...] = (
    interrupt_recording,
    record_at_exit,
    fork_while_recording,
    interrupt_first_resolutions,
    raise_while_recording,
)


def main(name: str, *times: str) -> None:
    """Run the scenario called *name*, so many times."""
    next(scenario for scenario in SCENARIOS if scenario.__name__ == name)(*map(int, times))


if __name__ == "__main__":
    main(*sys.argv[1:])
