"""A scrape is never starved by recording, and records nothing wrong: whole pages, exact counts, no lock left held."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from processes import eventually

from oneiric.core import events
from oneiric.core.batches import BATCH_SIZE
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach, write_textfile
from oneiric.observability.metrics import backlog as backlogs
from oneiric.observability.metrics.backlog import MAX_PAUSES, MAX_UNCOUNTED, Backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oneiric.core.events import State
    from oneiric.observability import Telemetry

THREADS = 16
HIT = events.Resolved(domain="adapter", key="cache", provider="redis", duration=0.001, candidates=1, shadowed=0)


def nothing() -> None:
    """Settle nothing."""


@pytest.fixture
def resolver() -> Resolver:
    """A resolver with one candidate."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    return resolver


@contextmanager
def recording(record: Callable[[], object]) -> Iterator[list[int]]:
    """Record in 16 threads during the block; the list has how often, once it is over."""
    over, counts = threading.Event(), [0] * THREADS

    def work(place: int) -> None:
        while not over.is_set():
            record()
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        over.set()
        for thread in threads:
            thread.join()


def total(telemetry: Telemetry, name: str) -> float:
    """Return the sum over the samples called *name*."""
    return sum(value for _, value in telemetry.samples().get(name, []))


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize("kind", ["events", "resolutions"])
def test_every_page_is_whole_while_sixteen_threads_record(
    resolver: Resolver, tmp_path: Path, kind: str, *, shared: bool
) -> None:
    """Pages, pushed files and what OTLP exports have the runtime's metrics, and the counts are exact in the end."""
    telemetry = attach(resolver, shared_dir=tmp_path / "shared" if shared else None)
    record: Callable[[], object] = (
        (lambda: resolver.observers.notify(HIT)) if kind == "events" else (lambda: resolver.resolve("adapter", "cache"))
    )
    exposition, file = telemetry.exposition(timeout=60), tmp_path / "metrics.prom"
    with recording(record) as counts:
        page = exposition.respond(method="GET", path="/metrics")
        write_textfile(telemetry, file)
        exported = {family.name for family in telemetry.registry.collect()}
    for text in (page.body.decode(), file.read_text()):
        assert 'oneiric_resolution_duration_seconds_bucket{domain="adapter",key="cache",le="+Inf"}' in text
    assert (page.status, "oneiric_resolution_duration_seconds" in exported) == (200, True)
    assert total(telemetry, "oneiric_resolution_total") == sum(counts)
    assert total(telemetry, "oneiric_resolution_duration_seconds_count") == sum(counts)
    telemetry.detach()


def test_who_wants_a_turn_comes_after_the_current_record() -> None:
    """The thread that counts for the others stops after the record that it is at, and leaves the rest to the scrape."""
    done: list[object] = []
    at_first, go_on = threading.Event(), threading.Event()

    def count(record: object) -> None:
        if not done:
            at_first.set()
            assert go_on.wait(60)
        done.append(record)

    backlog = Backlog(count, settle=nothing)

    def record() -> None:
        for number in range(BATCH_SIZE):
            backlog.record(number)

    recorder = threading.Thread(target=record)
    recorder.start()
    assert at_first.wait(60)
    scraper = threading.Thread(target=lambda: backlog.alone(lambda: done.append("turn"), wait=True))
    scraper.start()
    eventually(lambda: backlog._turns, what="the scrape waits for its turn", seconds=60)
    go_on.set()
    for thread in (scraper, recorder):
        thread.join(60)
    assert done[:2] == [0, "turn"]
    backlog.count(nothing)
    assert done == [0, "turn", *range(1, BATCH_SIZE)]


def test_who_records_only_appends_while_somebody_wants_a_turn() -> None:
    """A full batch is not counted, and the lock not waited for, by who records while a scrape has the turn."""
    done: list[object] = []
    backlog = Backlog(done.append, settle=nothing)
    inside, leave = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: backlog.alone(lambda: (inside.set(), leave.wait(60)), wait=True))  # type: ignore[arg-type, func-returns-value]
    holder.start()
    assert inside.wait(60)
    for number in range(3 * BATCH_SIZE):
        backlog.record(number)
    assert (len(backlog), done) == (3 * BATCH_SIZE, [])
    leave.set()
    holder.join(60)


def test_pauses_have_an_end() -> None:
    """Who records goes on after so many pauses, as who counts may wait for this very thread."""
    pauses: list[float] = []
    backlog = Backlog(lambda _: None, settle=nothing, sleep=pauses.append)
    inside, leave = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: backlog.alone(lambda: (inside.set(), leave.wait(60)), wait=True))  # type: ignore[arg-type, func-returns-value]
    holder.start()
    assert inside.wait(60)
    for number in range(MAX_UNCOUNTED + 1):
        backlog.record(number)
    assert len(pauses) == 2 * MAX_PAUSES
    leave.set()
    holder.join(60)


def test_who_interrupts_its_own_counting_never_pauses() -> None:
    """Records made in the middle of counting, as by a handler, are appended without a pause, and all counted."""
    counted: list[object] = []

    def pause(_: float) -> None:
        raise AssertionError("it waits for itself")

    def count(record: object) -> None:
        counted.append(record)
        if record == "first":
            for number in range(MAX_UNCOUNTED + 500):
                backlog.record(number)

    backlog = Backlog(count, settle=nothing, sleep=pause)
    backlog.record("first")
    while len(backlog) or not counted:
        backlog.count(nothing)
    assert counted == ["first", *range(MAX_UNCOUNTED + 500)]


def test_who_interrupts_its_own_wait_for_a_turn_never_pauses() -> None:
    """Records made by a handler while its thread waits for its turn are appended without a pause."""

    def pause(_: float) -> None:
        raise AssertionError("it waits for itself")

    backlog = Backlog(lambda _: None, settle=nothing, sleep=pause)
    backlog._turns[threading.get_ident()] = None
    for number in range(MAX_UNCOUNTED + 500):
        backlog.record(number)
    assert len(backlog) == MAX_UNCOUNTED + 500


def test_work_that_raises_leaves_no_turn_behind() -> None:
    """Whatever ends a turn, a handler that raises for instance, others may count after it."""
    backlog = Backlog(lambda _: None, settle=nothing)
    with pytest.raises(ZeroDivisionError):
        backlog.alone(lambda: 1 / 0, wait=True)  # type: ignore[arg-type]
    assert (backlog._turns, backlog._counter, backlogs.interrupts_counting()) == ({}, 0, False)
    assert backlog.alone(nothing, wait=False)


def test_a_slow_source_of_gauges_has_no_turn(resolver: Resolver) -> None:
    """While a source is asked for its states nobody wants a turn: who records counts as ever."""
    telemetry = attach(resolver)
    seen: list[object] = []

    class Source:
        def states(self) -> list[State]:
            backlog = telemetry._sink._backlog
            for _ in range(BATCH_SIZE):
                resolver.observers.notify(HIT)
            seen.append((dict(backlog._turns), len(backlog)))
            return []

    telemetry.add(Source())
    telemetry.samples()
    assert seen == [({}, 0)]
    telemetry.detach()


class Interrupting:
    """A label that is made text in the middle of counting, and interrupts that with a signal."""

    def __str__(self) -> str:
        signal.raise_signal(signal.SIGUSR1)
        return "interrupted"


@contextmanager
def handled(handle: Callable[[], object]) -> Iterator[None]:
    """Have *handle* called by a signal handler."""
    before = signal.signal(signal.SIGUSR1, lambda *_: handle())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def count_interrupted(resolver: Resolver, telemetry: Telemetry) -> None:
    """Count something that is interrupted by a signal."""
    resolver.observers.notify(events.RetryScheduled(source=Interrupting(), operation="manifest"))  # type: ignore[arg-type]
    telemetry.samples()


def test_a_handler_that_interrupts_counting_gets_a_page(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page asked for in a signal handler is made there, as any other thread would wait for the interrupted one."""
    monkeypatch.setattr(backlogs, "STUCK_SECONDS", 3600.0)
    telemetry = attach(resolver)
    exposition, answers = telemetry.exposition(timeout=20), []
    with handled(lambda: answers.append(exposition.respond(method="GET", path="/metrics"))):
        count_interrupted(resolver, telemetry)
    assert [(answer.status, b"oneiric_resolution_total{" in answer.body) for answer in answers] == [(200, True)]
    assert total(telemetry, "oneiric_remote_retries_total") == 1
    telemetry.detach()


def test_a_scrape_does_without_a_counter_that_a_handler_interrupts(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread's scrape is whole, though late, while a handler that interrupted counting waits for it."""
    monkeypatch.setattr(backlogs, "STUCK_SECONDS", 0.05)
    telemetry = attach(resolver)
    found: list[dict[str, Any]] = []

    def scrape_in_thread() -> None:
        thread = threading.Thread(target=lambda: found.append(telemetry.samples()), daemon=True)
        thread.start()
        thread.join(60)

    with handled(scrape_in_thread):
        count_interrupted(resolver, telemetry)
    assert ["oneiric_resolution_total" in samples for samples in found] == [True]
    assert total(telemetry, "oneiric_remote_retries_total") == 1
    telemetry.detach()
