"""Compare the cost of a log line: this logging set-up, and structlog's plain JSON renderer printing to a file.

Run with ``python benchmarks/bench_logging.py``; every figure is the best of several repetitions, in microseconds.
"""

from __future__ import annotations

import os
import sys
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from oneiric.core._log_render import render_json
from oneiric.core.logging import LoggingConfig, configure_logging, event_logger, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS: dict[str, Any] = {
    "domain": "adapter",
    "key": "cache",
    "provider": "redis",
    "previous_provider": "memory",
    "duration_ms": 12.345,
    "forced": False,
}
CALLS = 5_000
REPETITIONS = 5


def microseconds(call: Callable[[], object]) -> float:
    """Return the best time of one call."""
    return min(timeit.repeat(call, number=CALLS, repeat=REPETITIONS)) / CALLS * 1e6


def peer(sink: Any) -> Callable[[], object]:
    """Return a call that logs one line as structlog's documentation sets it up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sink),
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("peer")
    return lambda: logger.info("swap-complete", **FIELDS)


def peer_over_logging(sink: Any) -> Callable[[], object]:
    """Return a call that logs one line through structlog's formatter for the handlers of logging."""
    import logging  # noqa: PLC0415 - this peer only

    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sink)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("INFO")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("peer")
    return lambda: logger.info("swap-complete", **FIELDS)


def ours() -> Callable[[], object]:
    """Return a call that logs one line as the log sink does."""
    configure_logging(LoggingConfig())
    return lambda: event_logger("oneiric.lifecycle").info("swap-complete", **FIELDS)


def main() -> None:
    """Print the figures."""
    with Path(os.devnull).open("w", buffering=1) as sink:
        sys.stderr, terminal = sink, sys.stderr
        try:
            reference = microseconds(peer(sink))
            rows = {
                "structlog, JSONRenderer, PrintLogger": reference,
                "structlog, JSONRenderer, ProcessorFormatter": microseconds(peer_over_logging(sink)),
                "oneiric, a line": microseconds(ours()),
                "oneiric, a line below the level": microseconds(lambda: get_logger("x").debug("y", **FIELDS)),
                "oneiric, rendering alone": microseconds(lambda: render_json({"event": "swap-complete", **FIELDS})),
            }
        finally:
            sys.stderr = terminal
    for name, value in rows.items():
        print(f"{name:<46}{value:8.2f} us{value / reference:7.2f}x")


if __name__ == "__main__":
    main()
