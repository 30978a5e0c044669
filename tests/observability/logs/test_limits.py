"""The limits of log events: what goes beyond is counted and told of, and errors are the last to be left out."""

from __future__ import annotations

import atexit
import io
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core import events
from oneiric.core.logging import bind_log_context, clear_log_context
from oneiric.observability import LogLimits, LogRate, attach
from oneiric.observability import events as own
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import UNLIMITED, LogSink
from oneiric.observability.logs.limits import Bucket, Summaries, Suppressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Clock, Recorder

    from oneiric.core.observers import Observers

UNSIGNED = events.ManifestUnsigned(source="main")
MISMATCH = events.DigestMismatched(source="main", error="SHA256 mismatch")


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the loggers of the runtime wrote so far."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("oneiric")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


@pytest.fixture
def sinks() -> Iterator[list[LogSink]]:
    """The sinks of a test; they are closed after it."""
    made: list[LogSink] = []
    yield made
    for sink in made:
        sink.close()


@pytest.fixture
def add(observers: Observers, sinks: list[LogSink], clock: Clock) -> Callable[[LogLimits], LogSink]:
    """Add a log sink with certain limits to the seam."""

    def add_sink(limits: LogLimits) -> LogSink:
        sinks.append(LogSink(CATALOGUE, observers, limits=limits, clock=clock))
        observers.add(sinks[-1])
        return sinks[-1]

    return add_sink


def limited(burst: int, *, rate: float = 1.0, **options: Any) -> LogLimits:
    """Return limits of each event name alone."""
    return LogLimits(**{"each": LogRate(rate, burst), "total": LogRate(0.0, 0), **options})


def test_a_bucket_gives_its_burst_and_then_its_rate(clock: Clock) -> None:
    """Three at once, none more in the same moment, and two a second after that."""
    bucket = Bucket(LogRate(2.0, 3), clock)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    clock.advance(0.49)
    assert bucket.take() is False
    clock.advance(0.01)
    assert [bucket.take(), bucket.take()] == [True, False]
    clock.advance(1_000.0)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_bucket_keeps_the_fraction_of_a_token(clock: Clock) -> None:
    """Asked at odd moments it gives no less than its rate."""
    bucket = Bucket(LogRate(1.0, 2), clock)
    assert [bucket.take(), bucket.take()] == [True, True]
    taken = 0
    for _ in range(70):
        clock.advance(0.7)
        taken += bucket.take()
    assert taken == 49


def test_a_bucket_is_exact_among_threads(clock: Clock) -> None:
    """Several threads at once get what there is, once."""
    bucket = Bucket(LogRate(1.0, 10_000), clock)
    taken: list[int] = []

    def take() -> None:
        taken.append(sum(bucket.take() for _ in range(5_000)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 10_000


def test_what_goes_beyond_is_counted_and_told_of_in_the_next_line(
    observers: Observers,
    recorder: Recorder,
    add: Callable[[LogLimits], LogSink],
    clock: Clock,
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """The next line of that name says how many were left out before it, and the one after that says nothing."""
    add(limited(2))
    for _ in range(5):
        observers.notify(UNSIGNED)
    clock.advance(1.0)
    observers.notify(UNSIGNED)
    clock.advance(1.0)
    observers.notify(UNSIGNED)
    assert [line.get("suppressed") for line in lines()] == [None, None, 3, None]
    assert recorder.of(own.LogSuppressed) == [own.LogSuppressed(event="manifest-unsigned")] * 3
    assert len(recorder.of(own.LogWritten)) == 4


def test_each_event_name_has_its_own_limit(
    observers: Observers, add: Callable[[LogLimits], LogSink], lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """A storm of one event hides no other, and a name may have a limit of its own."""
    add(limited(2, events={"artifact-digest-mismatch": LogRate(1.0, 4)}))
    for _ in range(9):
        observers.notify(UNSIGNED)
        observers.notify(MISMATCH)
    written = [line["event"] for line in lines()]
    assert (written.count("manifest-unsigned"), written.count("artifact-digest-mismatch")) == (2, 4)


def test_errors_are_the_last_to_be_left_out(
    observers: Observers, add: Callable[[LogLimits], LogSink], lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """Once all events together are too many, a reserve lets errors through."""
    add(LogLimits(each=LogRate(0.0, 0), total=LogRate(1.0, 3), errors=2))
    for _ in range(4):
        observers.notify(UNSIGNED)
    for _ in range(4):
        observers.notify(MISMATCH)
    assert [line["level"] for line in lines()] == ["warning"] * 3 + ["error"] * 2


@pytest.mark.parametrize("limits", [UNLIMITED, LogLimits()])
def test_by_default_normal_operation_is_not_limited(
    observers: Observers,
    recorder: Recorder,
    add: Callable[[LogLimits], LogSink],
    lines: Callable[[], list[dict[str, Any]]],
    limits: LogLimits,
) -> None:
    """Thousands of lines at once are written, with the default as without any limit."""
    add(limits)
    for _ in range(4_000):
        observers.notify(UNSIGNED)
    assert (len(lines()), recorder.of(own.LogSuppressed)) == (4_000, [])


def test_what_no_line_tells_of_is_told_of_when_the_sink_is_closed(
    observers: Observers, add: Callable[[LogLimits], LogSink], lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """The last one left out is written after all, in the context it was told in, with the number of the others."""
    sink = add(limited(1))
    for number in range(4):
        bind_log_context(number=number)
        observers.notify(events.ManifestUnsigned(source=f"s{number}"))
    clear_log_context()
    sink.close()
    sink.close()
    first, last = lines()
    assert (first["source"], "suppressed" in first) == ("s0", False)
    assert (last["event"], last["source"], last["number"], last["suppressed"]) == ("manifest-unsigned", "s3", 3, 2)


@pytest.mark.parametrize("followed", [True, False])
def test_each_event_is_either_written_or_counted_as_left_out(
    observers: Observers, recorder: Recorder, add: Callable[[LogLimits], LogSink], clock: Clock, followed: bool
) -> None:
    """Lines and those left out add up to the events, whoever tells of them: another line, or the last one itself."""
    sink = add(limited(2))
    for _ in range(7):
        observers.notify(UNSIGNED)
    if followed:
        clock.advance(1.0)
        observers.notify(UNSIGNED)
    sink.close()
    written, left_out = len(recorder.of(own.LogWritten)), len(recorder.of(own.LogSuppressed))
    assert (written, left_out) == ((3, 5) if followed else (3, 4))


def test_a_single_one_left_out_is_written_as_any_other(
    observers: Observers,
    recorder: Recorder,
    add: Callable[[LogLimits], LogSink],
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """Where the line that would tell of it is its own, nothing was left out."""
    sink = add(limited(1))
    for _ in range(2):
        observers.notify(UNSIGNED)
    sink.close()
    assert [line.get("suppressed") for line in lines()] == [None, None]
    assert recorder.of(own.LogSuppressed) == []


def test_detaching_tells_of_what_was_left_out(observers: Observers, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """A runtime that stops loses no summary, and leaves no thread."""
    with attach(observers, log_limits=limited(1), tracing=False):
        for _ in range(3):
            observers.notify(UNSIGNED)
    told = [line.get("suppressed") for line in lines() if line["event"] == "manifest-unsigned"]
    assert told == [None, 1]
    assert [thread for thread in threading.enumerate() if thread.name == "log-summary"] == []


def test_what_no_line_tells_of_in_time_is_told_of_by_a_thread() -> None:
    """The thread tells of each once, and ends when there is nothing more."""
    told: list[tuple[str, int]] = []
    summaries = Summaries()
    suppressed = [Suppressed(lambda event, count: told.append((event, count)), after=0.01) for _ in range(2)]
    for number, each in enumerate(suppressed):
        for _ in range(number + 2):
            each.add(f"event {number}")
    for each in 2 * suppressed:  # once all is in, as the thread may be quick
        summaries.expect(each)
    deadline = time.monotonic() + 10
    while summaries._thread.thread is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (sorted(told), summaries._thread.thread) == ([("event 0", 1), ("event 1", 2)], None)


def test_many_storms_are_one_matter_for_the_end_of_the_process() -> None:
    """What is done at exit does not grow with the number of storms."""
    before = atexit._ncallbacks()
    summaries, suppressed = Summaries(), Suppressed(lambda _event, _count: None, after=0.0)
    for _ in range(5):
        suppressed.add("event")
        summaries.expect(suppressed)
        thread = summaries._thread.thread
        if thread is not None:
            thread.join(120)
    assert atexit._ncallbacks() - before == 1
    summaries.close()


def test_a_summary_that_cannot_be_written_stops_no_other() -> None:
    """A broken log set-up costs its summary only."""
    told: list[int] = []

    def fail(_event: object, _count: int) -> None:
        raise RuntimeError("broken")

    summaries = Summaries()
    for suppressed in (Suppressed(fail, after=60.0), Suppressed(lambda _event, count: told.append(count), after=60.0)):
        suppressed.add("event")
        summaries.expect(suppressed)
    summaries.close()
    assert told == [0]


def test_where_no_thread_can_be_had_the_next_line_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit of threads keeps the count, and tells of it when the sink is closed."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told: list[int] = []
    summaries, suppressed = Summaries(), Suppressed(lambda _event, count: told.append(count), after=60.0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        suppressed.add("event")
        summaries.expect(suppressed)
    summaries.close()
    assert told == [0]


def test_a_forked_child_tells_of_nothing_of_its_parent() -> None:
    """What the parent left out is the parent's to tell of."""
    told: list[int] = []
    summaries, suppressed = Summaries(), Suppressed(lambda _event, count: told.append(count), after=60.0)
    suppressed.add("event")
    summaries.expect(suppressed)
    thread = summaries._thread.thread
    stop = summaries._stop
    suppressed.renew()
    summaries.renew()
    summaries.close()
    assert told == []
    stop.release()
    assert thread is not None
    thread.join(120)


def test_a_limited_event_says_how_many_of_its_name_were_left_out(
    observers: Observers,
    recorder: Recorder,
    add: Callable[[LogLimits], LogSink],
    clock: Clock,
    lines: Callable[[], Any],
) -> None:
    """The stricter limit for each subject is summarised in the same way."""
    add(UNLIMITED)
    blocked = events.WorkBlocked(domain="task", key="report", reason="paused")
    for _ in range(3):
        observers.notify(blocked)
    clock.advance(1.0)
    observers.notify(blocked)
    assert [line.get("suppressed") for line in lines()] == [None, 2]
    assert len(recorder.of(own.LogSuppressed)) == 2
