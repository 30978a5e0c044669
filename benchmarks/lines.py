"""What one INFO event with six fields takes through our logging, beside structlog; both write to the null device.

Our event is the end of a swap, as the log sink is told of it. The peer is set up as its documentation does: level, time
stamp, exception and JSON into a PrintLogger. What a queue still holds is written before the clock is stopped.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

from benchmarks._logged import NoLosses, flush, logging_to_nowhere, null_stream
from benchmarks._measure import in_turns, loop, once, then
from benchmarks._report import Row
from oneiric.core.events import Finished, Swap
from oneiric.core.logging import get_logger
from oneiric.core.observers import Observers
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import UNLIMITED, LogSink

if TYPE_CHECKING:
    from typing import TextIO

    from benchmarks._measure import Effort, Ratios, Subject

ROWS = (
    Row(name="line", what="one INFO event, six fields, vs structlog", at_least=1 / 3, aim=1 / 6),
    Row(name="line-logger", what="one INFO line of an application vs structlog"),
    Row(name="line-handlers", what="structlog over logging vs structlog"),
    Row(name="line-disabled", what="one DEBUG event below the level vs structlog's INFO"),
)

CALLS = 1_000
FIELDS: dict[str, Any] = {
    "domain": "adapter",
    "key": "cache",
    "provider": "redis",
    "previous_provider": "memory",
    "duration_ms": 12.345,
    "forced": False,
}
STATEMENT = "info('swap-complete', **fields)"


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    calls, logger = effort.of(CALLS), get_logger("oneiric.lifecycle")
    with null_stream() as stream, logging_to_nowhere():
        subjects = {
            "peer": _peer(stream, calls),
            "handlers": _peer_over_logging(stream, calls),
            "line": _event(calls),
            "logger": loop("logger." + STATEMENT, calls, logger=logger, fields=FIELDS),
            "disabled": loop("logger.debug('swap-complete', **fields)", calls, logger=logger, fields=FIELDS),
        }
        for name in ("line", "logger"):
            subjects[name] = then(subjects[name], once(flush))
        rounds = list(in_turns(subjects, effort.rounds))
    return {
        "line": [r["line"] / r["peer"] for r in rounds],
        "line-logger": [r["logger"] / r["peer"] for r in rounds],
        "line-handlers": [r["handlers"] / r["peer"] for r in rounds],
        "line-disabled": [r["disabled"] / r["peer"] for r in rounds],
    }


def _event(calls: int) -> Subject:
    """Return what tells the log sink, of which the runtime's lines come, that a swap has ended."""
    observers = Observers()
    observers.add(NoLosses())
    swap = Swap(**{name: FIELDS[name] for name in Swap.__struct_fields__})
    receiver = LogSink(CATALOGUE, observers, limits=UNLIMITED).receiver(Swap)
    scope = receiver(swap) if receiver is not None else None
    if scope is None:
        raise AssertionError("no line is written of a swap")
    finished = Finished(operation=swap, outcome="success", duration=FIELDS["duration_ms"] / 1000)
    return loop("told(finished)", calls, told=scope.finished, finished=finished)


def _peer(stream: TextIO, calls: int) -> Subject:
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        cache_logger_on_first_use=True,
    )
    return loop(STATEMENT, calls, info=logger.bind().info, fields=FIELDS)


def _peer_over_logging(stream: TextIO, calls: int) -> Subject:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    target = logging.getLogger("benchmarks.peer")
    target.handlers, target.propagate = [handler], False
    target.setLevel(logging.INFO)
    logger = structlog.wrap_logger(
        target,
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
        cache_logger_on_first_use=True,
    )
    return loop(STATEMENT, calls, info=logger.bind().info, fields=FIELDS)
