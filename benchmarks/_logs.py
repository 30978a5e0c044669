"""One INFO event with six fields to the null device: through this package's log chain, and through structlog's.

Run with ``python benchmarks/_logs.py``; the measures are interleaved, and each figure is a median with its extremes.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from oneiric.core.events import Finished, Swap
from oneiric.core.logging import configure_logging, get_logger
from oneiric.core.observers import Observers
from oneiric.observability._log_limits import UNLIMITED
from oneiric.observability._logs import LogSink
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS: dict[str, Any] = {
    "domain": "adapter",
    "key": "cache",
    "provider": "redis",
    "previous_provider": "memory",
    "duration_ms": 12.345,
    "forced": False,
}
PEER = "structlog: JSONRenderer, PrintLogger"
CALLS = 2_000
ROUNDS = 40


@contextlib.contextmanager
def subjects() -> Iterator[dict[str, Callable[[], object]]]:
    """Yield a call for each way to log the event, by name; logging is configured meanwhile."""
    with Path(os.devnull).open("w", buffering=1) as null:
        terminal, sys.stderr = sys.stderr, null
        try:
            handle = configure_logging()
            yield {PEER: peer(null), "oneiric: get_logger().info": ours(), "oneiric: an event of the runtime": event()}
            handle.close()
            configure_logging(suppress_events=True)
            structlog.reset_defaults()
        finally:
            sys.stderr = terminal


def peer(stream: Any) -> Callable[[], object]:
    """Return a call that logs with structlog as its documentation sets it up, whatever is configured."""
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
    ).bind()
    return lambda: logger.info("swap-complete", **FIELDS)


def ours() -> Callable[[], object]:
    """Return a call that logs as an application does."""
    logger = get_logger("oneiric.lifecycle")
    return lambda: logger.info("swap-complete", **FIELDS)


def event() -> Callable[[], object]:
    """Return a call that logs as the runtime does: the log sink is told how a swap ended."""
    observers = Observers()
    receiver: Any = LogSink(CATALOGUE, observers, limits=UNLIMITED).receiver(Swap)
    swap = Swap(domain="adapter", key="cache", provider="redis", previous_provider="memory")
    finished = Finished(operation=swap, outcome="success", duration=0.012345)
    return lambda: receiver.finished(finished)


def main() -> None:
    """Print the figures."""
    with subjects() as calls:
        measured: dict[str, list[float]] = {name: [] for name in calls}
        gc.disable()
        for _ in range(ROUNDS):
            for name, call in calls.items():
                started = time.perf_counter()
                for _ in range(CALLS):
                    call()
                measured[name].append((time.perf_counter() - started) / CALLS * 1e6)
        gc.enable()
    reference = statistics.median(measured[PEER])
    for name, values in measured.items():
        median = statistics.median(values)
        print(f"{name:<40}{median:7.2f} us ({min(values):.2f} to {max(values):.2f}){median / reference:7.3f}x")


if __name__ == "__main__":
    main()
