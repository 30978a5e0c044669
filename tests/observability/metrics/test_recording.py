"""Recording is exact and harmless wherever it is done: in many threads, in handlers, finalisers and children."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from processes import run_program
from support import Recorder

from oneiric.core import events
from oneiric.core.batches import BATCH_SIZE
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability.metrics.backlog import MAX_UNCOUNTED
from oneiric.observability.metrics.batches import MAX_ENDED
from oneiric.observability.metrics.sink import MAX_DURATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.observability import Telemetry


@pytest.fixture
def resolver() -> Resolver:
    """A resolver with one candidate."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    return resolver


@pytest.fixture
def telemetry(resolver: Resolver) -> Iterator[Telemetry]:
    """The telemetry attached to it."""
    with attach(resolver) as telemetry:
        yield telemetry


def total(telemetry: Telemetry, name: str) -> float:
    """Return the sum over the samples called *name*."""
    return sum(value for _, value in telemetry.samples().get(name, []))


def in_threads(work: Callable[[], object], *, threads: int) -> list[threading.Thread]:
    """Start *threads* that do *work*."""
    started = [threading.Thread(target=work) for _ in range(threads)]
    for thread in started:
        thread.start()
    return started


@pytest.fixture
def hasty() -> Iterator[None]:
    """An interpreter that switches threads after every microsecond."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def resolve_and_scrape(resolver: Resolver, telemetry: Telemetry, *, threads: int, times: int) -> float:
    """Resolve *times* in each of *threads* while scraping, and return the number counted; each scrape must add up."""

    def resolve() -> None:
        for _ in range(times):
            resolver.resolve("adapter", "cache")

    running = in_threads(resolve, threads=threads)
    while any(thread.is_alive() for thread in running):
        running[0].join(0.05)
        samples = telemetry.samples()
        name = "oneiric_resolution_duration_seconds"
        buckets = [value for labels, value in samples[f"{name}_bucket"] if labels["le"] == "+Inf"]
        counts = [value for _, value in samples[f"{name}_count"]]
        assert buckets == counts == [value for _, value in samples["oneiric_resolution_total"]]
        assert (samples[f"{name}_sum"][0][1] > 0) == (counts[0] > 0)
    return total(telemetry, "oneiric_resolution_total")


@pytest.mark.slow
def test_sixteen_threads_lose_no_resolution(resolver: Resolver, telemetry: Telemetry) -> None:
    """16 threads of 300,000 resolutions are 4,800,000, and in every scrape buckets, count and total agree."""
    assert resolve_and_scrape(resolver, telemetry, threads=16, times=300_000) == 4_800_000


@pytest.mark.usefixtures("hasty")
def test_hasty_threads_lose_no_resolution(resolver: Resolver, telemetry: Telemetry) -> None:
    """Nothing is lost when threads are switched as often as can be."""
    assert resolve_and_scrape(resolver, telemetry, threads=16, times=20_000) == 320_000


@pytest.mark.usefixtures("hasty")
def test_hasty_threads_lose_no_event(resolver: Resolver, telemetry: Telemetry) -> None:
    """Events that are told one by one are counted one by one, new label sets included."""

    def tell() -> None:
        for number in range(5_000):
            resolver.observers.notify(events.RetryScheduled(source=f"s{number % 7}", operation="manifest"))

    for thread in in_threads(tell, threads=16):
        thread.join()
    counted = {labels["source"]: value for labels, value in telemetry.samples()["oneiric_remote_retries_total"]}
    assert counted == {f"s{rest}": 16 * len(range(rest, 5_000, 7)) for rest in range(7)}


def test_a_finaliser_may_record(resolver: Resolver, telemetry: Telemetry) -> None:
    """Objects that record when they are finalised, by the garbage collector too, are all counted."""

    class Recording:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            resolver.resolve("adapter", "cache")
            resolver.observers.notify(events.RetryScheduled(source=f"s{id(self)}", operation="manifest"))

    for _ in range(3_000):
        Recording()
    gc.collect()
    assert total(telemetry, "oneiric_resolution_total") == 3_000
    assert total(telemetry, "oneiric_remote_retries_total") == 3_000


def test_a_garbage_collector_callback_may_record(resolver: Resolver) -> None:
    """A callback of the collector records, over the budget too, whatever is recorded or scraped when it comes."""
    telemetry = attach(resolver, series_budget=5)
    called = 0

    def record(phase: str, _: dict[str, int]) -> None:
        nonlocal called
        called += phase == "start"
        if phase == "start":
            resolver.observers.notify(events.RetryScheduled(source=f"s{called}", operation="manifest"))

    threshold = gc.get_threshold()
    gc.callbacks.append(record)
    gc.set_threshold(5, 2, 2)
    try:
        for number in range(300):
            resolver.resolve("adapter", "cache")
            if number % 30 == 0:
                telemetry.samples()
                gc.collect(0)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(record)
    assert called >= 10
    assert total(telemetry, "oneiric_remote_retries_total") == called
    assert total(telemetry, "oneiric_resolution_total") == 300
    telemetry.detach()


def test_a_thread_that_dies_leaves_its_counts(resolver: Resolver, telemetry: Telemetry) -> None:
    """What a thread recorded before it ended is there after it."""
    for thread in in_threads(lambda: resolver.resolve("adapter", "cache"), threads=5):
        thread.join()
    assert total(telemetry, "oneiric_resolution_total") == 5


def test_a_signal_handler_may_record() -> None:
    """A handler that interrupts recording and scraping every 200 us records too, new label sets included, 5 times."""
    ended = run_program("recording.py", "interrupt_recording", timeout=300)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr[-2000:]


def test_an_exit_handler_may_record_and_scrape() -> None:
    """When the interpreter ends, when no thread can be started any more, recording and scraping still work."""
    ended = run_program("recording.py", "record_at_exit", timeout=300)
    assert (ended.stdout, ended.stderr) == ("2.0 1.0\n", "")


@pytest.mark.slow
def test_a_forked_child_starts_from_zero_and_never_hangs() -> None:
    """300 children forked while 9 threads record and scrape: each counts from zero, and none waits for a lock."""
    ended = run_program("recording.py", "fork_while_recording", timeout=300)
    assert ended.stdout == "failed 0\n", ended.stderr[-2000:]


def test_who_comes_later_is_told_every_resolution(resolver: Resolver, telemetry: Telemetry) -> None:
    """Resolutions that were counted in batches are told one by one while somebody wants that."""
    recorder = Recorder()
    for _ in range(5):
        resolver.resolve("adapter", "cache")
    remove = resolver.observers.add(recorder)
    for _ in range(5):
        resolver.resolve("adapter", "cache")
    remove()
    for _ in range(5):
        resolver.resolve("adapter", "cache")
    assert len(recorder.of(events.Resolved)) == 5
    assert total(telemetry, "oneiric_resolution_total") == 15


def test_nothing_waits_long(resolver: Resolver, telemetry: Telemetry) -> None:
    """Without any scrape, less than a batch waits to be counted."""
    for _ in range(3_000):
        resolver.resolve("adapter", "cache")
        resolver.observers.notify(events.RetryScheduled(source="main", operation="manifest"))
    (batch,) = telemetry._sink._batches.current.values()
    assert 0 < batch.waiting < BATCH_SIZE
    assert len(telemetry._sink._backlog) < BATCH_SIZE


@pytest.mark.parametrize(
    ("most", "waiting"),
    [
        (MAX_DURATIONS, lambda sink: next(iter(sink._batches.current.values())).waiting),
        (MAX_UNCOUNTED, lambda sink: len(sink._backlog)),
    ],
    ids=["durations", "records"],
)
def test_who_records_pauses_when_too_much_waits(
    resolver: Resolver,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    waiting: Callable[[Any], int],
) -> None:
    """While another thread counts for long, records wait up to the bound; who would go over it pauses."""
    sink = telemetry._sink
    resolver.resolve("adapter", "cache")
    counting, over = threading.Event(), threading.Event()

    def count_for_long() -> None:
        counting.set()
        over.wait(60)

    pauses: list[int] = []

    def pause(_: float) -> None:
        pauses.append(waiting(sink))
        over.set()
        holder.join(60)

    monkeypatch.setattr(sink._backlog, "_sleep", pause)
    (holder,) = in_threads(lambda: sink._backlog.alone(count_for_long, wait=True), threads=1)
    counting.wait(60)
    for _ in range(most + 100):
        if most == MAX_DURATIONS:
            resolver.resolve("adapter", "cache")
        else:
            resolver.observers.notify(events.RetryScheduled(source="main", operation="manifest"))
    assert pauses == [most]
    assert total(telemetry, "oneiric_resolution_total") == 1 + (most + 100) * (most == MAX_DURATIONS)
    assert total(telemetry, "oneiric_remote_retries_total") == (most + 100) * (most == MAX_UNCOUNTED)


@pytest.mark.parametrize("keys", ["500", pytest.param("1900", marks=pytest.mark.slow)])
def test_a_handler_may_resolve_what_is_resolved_for_the_first_time(keys: str) -> None:
    """A handler that interrupts the first resolutions of a key, which prepare for the next ones, loses none of them."""
    ended = run_program("recording.py", "interrupt_first_resolutions", keys, timeout=300)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr[-2000:]


@pytest.mark.parametrize("times", ["150", pytest.param("500", marks=pytest.mark.slow)])
def test_a_handler_may_raise(times: str) -> None:
    """A handler that raises, as a timeout does, wherever it interrupts counting or telling, leaves no lock held."""
    ended = run_program("recording.py", "raise_while_recording", times, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr[-2000:]


def test_a_resolution_under_way_does_not_bring_a_component_back(resolver: Resolver, telemetry: Telemetry) -> None:
    """What is told of a provider after it is gone makes no series of its own, and counts where others still do."""
    resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    resolver.unregister("adapter", "cache", "redis")
    late = events.Resolved(domain="adapter", key="cache", provider="redis", duration=0.001, candidates=2, shadowed=1)
    resolver.observers.notify(late)
    samples = telemetry.samples()
    assert {labels["provider"] for labels, _ in samples["oneiric_resolution_total"]} == {"memory"}
    assert [value for _, value in samples["oneiric_resolution_duration_seconds_count"]] == [1]
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    resolver.resolve("adapter", "cache", "redis")
    series = {labels["provider"]: value for labels, value in telemetry.samples()["oneiric_resolution_total"]}
    assert series == {"memory": 0, "redis": 1}


def test_durations_that_come_late_are_counted(resolver: Resolver, telemetry: Telemetry) -> None:
    """A duration that is put where its provider's were, after that has gone, is counted for the key."""
    resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    resolver.resolve("adapter", "cache", "redis")
    resolver.resolve("adapter", "cache", "redis")
    (batch,) = telemetry._sink._batches.current.values()
    durations = batch.durations
    assert durations is not None
    resolver.unregister("adapter", "cache", "redis")
    durations.append(0.001)
    assert [value for _, value in telemetry.samples()["oneiric_resolution_duration_seconds_count"]] == [3]


def test_durations_that_come_after_a_scrape_are_counted(resolver: Resolver, telemetry: Telemetry) -> None:
    """A late duration is counted by the next scrape, whatever was scraped or unregistered since its provider went."""
    for provider in ("memory", "disk"):
        resolver.register(Candidate(domain="adapter", key="cache", provider=provider, factory=dict))
    resolver.resolve("adapter", "cache", "redis")
    resolver.resolve("adapter", "cache", "redis")
    (batch,) = telemetry._sink._batches.current.values()
    durations = batch.durations
    assert durations is not None
    resolver.unregister("adapter", "cache", "redis")
    telemetry.samples()
    resolver.unregister("adapter", "cache", "disk")
    durations.append(0.001)
    assert [value for _, value in telemetry.samples()["oneiric_resolution_duration_seconds_count"]] == [3]


def test_batches_of_what_is_gone_do_not_pile_up(resolver: Resolver, telemetry: Telemetry) -> None:
    """Late durations are expected of so many components only, also where nothing is scraped."""
    for _ in range(MAX_ENDED + 3):
        resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
        resolver.resolve("adapter", "cache", "memory")
        resolver.resolve("adapter", "cache", "memory")
        resolver.unregister("adapter", "cache", "memory")
    assert len(telemetry._sink._batches.ended) == MAX_ENDED
    telemetry.detach()
    assert not telemetry._sink._batches.ended


def test_an_observer_that_cannot_say_when_is_reported(resolver: Resolver, telemetry: Telemetry) -> None:
    """An observer that raises when it is asked whether it has use for a resolution does not reach who resolves."""

    class Undecided:
        def receiver(self, event_type: type[events.Event]) -> Undecided | None:
            return self if event_type is events.Resolved else None

        def when(self) -> object:
            raise RuntimeError("vendor")

        def __call__(self, _: events.Event) -> None:
            pass

    resolver.observers.add(Undecided())
    for _ in range(3):
        assert resolver.resolve("adapter", "cache") is not None
    assert total(telemetry, "oneiric_resolution_total") == 3
    assert total(telemetry, "oneiric_observability_hook_errors_total") >= 1


def test_who_interrupts_the_making_of_a_batch_is_counted(
    resolver: Resolver, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolutions of the same key in the middle of preparing its batch, as a handler may make them, are all counted."""
    find: Callable[..., Any] = telemetry._sink._series.own_cells
    interrupted = 0

    def interrupt(*arguments: Any) -> Any:
        nonlocal interrupted
        if not interrupted:
            interrupted = 100
            for _ in range(interrupted):
                resolver.resolve("adapter", "cache")
        return find(*arguments)

    monkeypatch.setattr(telemetry._sink._series, "own_cells", interrupt)
    for _ in range(10):
        resolver.resolve("adapter", "cache")
    assert total(telemetry, "oneiric_resolution_total") == 110
