"""The log sink: which lines are written, with which fields, and when not."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from oneiric.core import events
from oneiric.core.logging import configure_logging, json_logger
from oneiric.observability import attach
from oneiric.observability import events as own
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import LogSink
from oneiric.observability.logs.sink import MAX_LIMITED_SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Clock, Recorder

    from oneiric.core.observers import Observers

    AddSink = Callable[..., None]

PAUSED = events.Paused(domain="adapter", key="cache")
SWAP = events.Swap(domain="adapter", key="cache", previous_provider="memory")


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the logger ``oneiric`` and those below it write."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("oneiric")
    logger.addHandler(handler)
    yield Lines(logger, stream)
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


class Lines:
    """The lines written so far, and the level from which they are."""

    def __init__(self, logger: logging.Logger, stream: io.StringIO) -> None:
        self._logger, self._stream = logger, stream

    def at(self, level: int) -> None:
        """Write lines of *level* and above."""
        self._logger.setLevel(level)

    @property
    def read(self) -> list[dict[str, Any]]:
        """Every line as the object it is."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def add_sink(observers: Observers) -> Iterator[AddSink]:
    """Adds a log sink; at the end all are closed, or what they left out would be told in the lines of a later test."""
    with contextlib.ExitStack() as sinks:

        def add(**options: Any) -> None:
            observers.add(sinks.enter_context(contextlib.closing(LogSink(CATALOGUE, observers, **options))))

        yield add


def test_a_failed_resolution_is_a_line(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """A failed resolution is written as `resolver-decision` with its decision, reason and counts."""
    add_sink()
    observers.notify(
        events.ResolutionFailed(domain="adapter", key="cache", reason="no_candidate", duration=0.0000123, candidates=0)
    )
    (line,) = lines.read
    assert line.pop("timestamp").endswith("Z")
    wanted = {
        "event": "resolver-decision",
        "level": "warning",
        "logger": "oneiric.resolver",
        "domain": "adapter",
        "key": "cache",
        "provider": "none",
        "decision": "failed",
        "reason": "no_candidate",
        "candidates": 0,
        "shadowed": 0,
        "duration_ms": 0.012,
    }
    assert {name: line.get(name) for name in wanted} == wanted
    assert "error" not in line


def test_an_operation_is_written_as_it_ended(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """A swap that completes and one that fails are different lines with the fields of their endings."""
    lines.at(logging.INFO)
    add_sink()
    with observers.operation(SWAP) as running:
        running.update(provider="redis")
    with observers.operation(SWAP) as running:
        running.fail("health", ValueError("not well"))
    complete, failed = lines.read
    assert (complete["event"], complete["provider"], complete["previous_provider"], complete["forced"]) == (
        "swap-complete",
        "redis",
        "memory",
        False,
    )
    assert complete["duration_ms"] >= 0
    assert (failed["event"], failed["level"], failed["reason"], failed["error_type"], failed["error"]) == (
        "swap-failed",
        "error",
        "health",
        "ValueError",
        "not well",
    )


def test_a_start_is_written_at_debug(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """At debug level the start of a swap is a line of its own, before anything else."""
    lines.at(logging.DEBUG)
    add_sink()
    with observers.operation(SWAP):
        assert [line["event"] for line in lines.read] == ["swap-started"]
    assert [line["event"] for line in lines.read] == ["swap-started", "swap-complete"]


def test_a_disabled_level_is_absent_from_dispatch(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """Under INFO nobody wants what is logged at debug; after the level changed, a refresh lets it in."""
    lines.at(logging.INFO)
    add_sink()
    assert [observers.wants(events.Resolved), observers.wants(events.ResolutionFailed)] == [False, True]
    lines.at(logging.DEBUG)
    observers.refresh()
    assert observers.wants(events.Resolved)


def test_the_loggers_may_be_somebody_elses(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """A sink that is given loggers writes to those, from the level that they say, and to no other."""
    stream, logger = io.StringIO(), logging.Logger("aside", logging.DEBUG)  # noqa: LOG001 - one that nobody else has
    logger.addHandler(logging.StreamHandler(stream))
    add_sink(logger=lambda _: json_logger(logger))
    observers.notify(PAUSED)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["domain-paused"]
    assert lines.read == []


def test_lines_are_counted(observers: Observers, recorder: Recorder, lines: Lines, add_sink: AddSink) -> None:
    """Each line is reported with its name and level, once it was written."""
    add_sink()
    observers.notify(events.ManifestUnsigned(source="main"))
    assert recorder.of(own.LogWritten) == [own.LogWritten(event="manifest-unsigned", level="warning")]
    assert len(lines.read) == 1


def test_a_rate_limited_line_is_written_once_in_its_time(
    observers: Observers, recorder: Recorder, lines: Lines, clock: Clock, add_sink: AddSink
) -> None:
    """Within the limit a repeated line is suppressed and counted; at the limit's end it is written again."""
    add_sink(rate_limit=1.0, clock=clock)
    blocked = events.WorkBlocked(domain="task", key="report", reason="paused")
    for seconds in (0, 0.5, 0.499, 0.001):
        clock.advance(seconds)
        observers.notify(blocked)
    assert len(lines.read) == 2
    suppressed = own.LogSuppressed(event="domain-activity-blocked")
    assert recorder.of(own.LogSuppressed) == [suppressed, suppressed]


def test_the_rate_limit_is_for_each_subject(
    observers: Observers, lines: Lines, clock: Clock, add_sink: AddSink
) -> None:
    """One component that is blocked again and again does not hide another, nor one failing sink another."""
    add_sink(rate_limit=1.0, clock=clock)
    for key in ("a", "b", "a"):
        observers.notify(events.WorkBlocked(domain="task", key=key, reason="paused"))
    for sink in ("x", "y", "x"):
        observers.notify(events.HookFailed(sink=sink, error_type="E", error="e"))
    assert [line.get("key", line.get("sink")) for line in lines.read] == ["a", "b", "x", "y"]


def test_the_subjects_that_are_limited_are_bounded(
    observers: Observers, lines: Lines, clock: Clock, add_sink: AddSink
) -> None:
    """Subjects over the bound count as one, until the time of others is over."""
    add_sink(rate_limit=1.0, clock=clock)

    def block(*numbers: int) -> int:
        before = len(lines.read)
        for number in numbers:
            observers.notify(events.WorkBlocked(domain="task", key=f"k{number}", reason="paused"))
        return len(lines.read) - before

    assert block(*range(MAX_LIMITED_SUBJECTS)) == MAX_LIMITED_SUBJECTS
    assert block(1001, 1002, 1003) == 1
    clock.advance(1.0)
    assert block(1001, 1002, 1003) == 3


def test_without_a_rate_limit_every_line_is_written(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """A limit of 0 suppresses nothing."""
    add_sink(rate_limit=0)
    for _ in range(3):
        observers.notify(events.WorkBlocked(domain="task", key="report", reason="paused"))
    assert len(lines.read) == 3


def test_a_digest_mismatch_begins_as_the_queries_expect(observers: Observers, lines: Lines, add_sink: AddSink) -> None:
    """The error text goes into the line unchanged, so that a search for its beginning finds it."""
    add_sink()
    observers.notify(events.DigestMismatched(source="main", error="SHA256 mismatch for a.txt"))
    assert [line["error"] for line in lines.read] == ["SHA256 mismatch for a.txt"]


def test_lines_carry_the_trace_of_their_operation(observers: Observers, lines: Lines) -> None:
    """The line of an operation has the ids of the operation's own span: 32 and 16 lower-case hex digits."""
    lines.at(logging.INFO)
    with attach(observers, tracer_provider=TracerProvider()), observers.operation(SWAP):
        pass
    (line,) = [line for line in lines.read if line["event"] == "swap-complete"]
    assert [len(line["trace_id"]), len(line["span_id"])] == [32, 16]
    assert set(line["trace_id"] + line["span_id"]) <= set("0123456789abcdef")


def test_a_host_with_structlog_gets_the_events(observers: Observers, recorder: Recorder, add_sink: AddSink) -> None:
    """Where the host configured structlog, its processors get the event, and its configuration stays as it is."""
    captured = structlog.testing.LogCapture()
    structlog.configure(processors=[captured])
    try:
        add_sink()
        observers.notify(events.ManifestUnsigned(source="main"))
        assert structlog.get_config()["processors"] == [captured]
    finally:
        structlog.reset_defaults()
    (entry,) = captured.entries
    assert (entry["event"], entry["log_level"], entry["source"]) == ("manifest-unsigned", "warning", "main")
    assert recorder.of(events.HookFailed) == []


def test_a_broken_log_set_up_is_reported(observers: Observers, recorder: Recorder, add_sink: AddSink) -> None:
    """A processor that raises costs the line, is counted, and reaches nobody."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("broken processor")

    structlog.configure(processors=[broken])
    try:
        add_sink()
        observers.notify(events.ManifestUnsigned(source="main"))
    finally:
        structlog.reset_defaults()
    assert recorder.of(events.HookFailed) == [
        events.HookFailed(sink="log", error_type="RuntimeError", error="broken processor")
    ]
    assert recorder.of(own.LogWritten) == []


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_lines_that_cannot_be_written_are_told(
    observers: Observers, recorder: Recorder, target: str, monkeypatch: pytest.MonkeyPatch, add_sink: AddSink
) -> None:
    """A stream that is full or closed costs the lines, is reported as a failure of the sink, and reaches nobody."""
    stream = open("/dev/full" if target == "/dev/full" else "/dev/null", "w")  # noqa: SIM115, PTH123 - is to break
    if target == "closed":
        stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handle = configure_logging()
    try:
        add_sink()
        observers.notify(events.ManifestUnsigned(source="main"))
        observers.notify(PAUSED)
    finally:
        handle.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        with contextlib.suppress(OSError):
            stream.close()
    failed = recorder.of(events.HookFailed)
    assert {event.sink for event in failed} == {"log"}
    assert "failures to write" in failed[0].error
    assert recorder.of(events.Paused) == [PAUSED]
