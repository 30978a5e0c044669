"""The source in the background: it refreshes, survives, opens its circuit, and stops."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from remote_support import NOW, Answer, Publisher, Site, config, entry, manifest, page

from oneiric.core.events import CacheState, CircuitOpened, HookFailed, RemoteSync, SourceState
from oneiric.core.files import write_atomic
from oneiric.core.observers import Observers
from oneiric.core.resolution import Resolver
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.source import RemoteSource
from oneiric.remote.telemetry import StatusFile, load_remote_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.events import Event, Finished
    from oneiric.core.observers import Receiver
    from oneiric.core.resolution import Candidate, ReplaceResult

    Make = Callable[..., RemoteSource]

PATIENCE = 60.0


class Endings:
    """An observer that lets a test wait for the endings of synchronisations."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Finished] = asyncio.Queue()

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want synchronisations."""
        return (lambda _event: self) if event_type is RemoteSync else None

    def finished(self, finished: Finished) -> None:
        """Remember."""
        self.queue.put_nowait(finished)

    def close(self) -> None:
        """Hold nothing."""

    async def next(self) -> tuple[str, str]:
        """Return outcome and reason of the next one."""
        async with asyncio.timeout(PATIENCE):
            finished = await self.queue.get()
        return finished.outcome, finished.reason


@pytest.fixture
def endings(observers: Observers) -> Endings:
    """Wait for synchronisations to end."""
    endings = Endings()
    observers.add(endings)
    return endings


def state(source: RemoteSource) -> SourceState:
    """Return the state of the source itself."""
    return next(state for state in source.states() if isinstance(state, SourceState))


async def test_survives_every_kind_of_failure_and_recovers(
    site: Site, source_for: Make, endings: Endings, resolver: Resolver
) -> None:
    """Refused, missing, broken and late manifests come and go; the loop lives on and takes the next good one."""
    bad_artifact = site.artifact("/bad", b"expected")
    site.put("/bad", Answer(b"other"))
    late = page(manifest())
    late.hold = site.held
    url = site.put(
        "/m",
        Answer(b""),
        Answer(status=404),
        Answer(b"{", headers={"Content-Length": "9"}),
        late,
        page(manifest(expires_at="2020-01-01T00:00:00Z")),
        page(manifest(entries=[entry(**bad_artifact)])),
        page(manifest(signature="x")),
        Answer(b"x" * 10_001),
        page(manifest()),
    )
    source = source_for(
        url, refresh_interval=0.001, circuit_breaker_threshold=100, timeout=0.5, max_manifest_bytes=10_000
    )
    source.start()
    reasons = [await endings.next() for _round in range(9)]
    assert [reason for _outcome, reason in reasons] == [
        "parse", "http_status", "network", "timeout", "expired", "digest", "signature", "too_large", "",
    ]  # fmt: skip
    assert state(source).loop_running
    assert resolver.resolve("adapter", "demo") is not None
    await source.stop()
    assert state(source).consecutive_failures == 0


async def test_survives_an_error_that_nobody_foresaw(
    site: Site, source_for: Make, endings: Endings, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even an error in the resolver does not end the loop."""
    monkeypatch.setattr(resolver, "replace", lambda _owner, _candidates: 1 / 0)
    source = source_for(site.put("/m", page(manifest())), refresh_interval=0.001)
    source.start()
    assert await endings.next() == ("failed", "other")
    assert await endings.next() == ("failed", "other")
    assert state(source).loop_running
    await source.stop()


async def test_shows_whether_its_loop_lives(site: Site, source_for: Make, endings: Endings) -> None:
    """The state tells of the loop from its start to its stop; starting and stopping twice change nothing."""
    source = source_for(site.put("/m", page(manifest())), refresh_interval=60.0)
    assert not state(source).loop_running
    source.start()
    source.start()
    await endings.next()
    assert state(source).loop_running
    await source.stop()
    await source.stop()
    assert not state(source).loop_running
    assert len(site.requests) == 1


@pytest.mark.parametrize("interval", [None, 0])
async def test_synchronises_once_where_no_interval_is_set(
    site: Site, source_for: Make, endings: Endings, interval: float | None
) -> None:
    """Without an interval the start brings the manifest once, and no loop runs."""
    source = source_for(site.put("/m", page(manifest())), refresh_interval=interval)
    await source.start().wait()
    assert await endings.next() == ("success", "")
    assert not state(source).loop_running
    await source.stop()


async def test_an_interval_can_be_changed(site: Site, source_for: Make, endings: Endings) -> None:
    """An interval that is set later begins the refreshes, one that is taken away ends them."""
    source = source_for(site.put("/m", page(manifest())), refresh_interval=None)
    await source.start().wait()
    assert await endings.next() == ("success", "")
    source.reconfigure(source.config.model_copy(update={"refresh_interval": 0.01}))
    assert await endings.next() == ("success", "")
    assert (state(source).loop_running, state(source).interval) == (True, 0.01)
    source.reconfigure(source.config.model_copy(update={"refresh_interval": 0}))
    async with asyncio.timeout(60):
        while state(source).loop_running:  # noqa: ASYNC110 - its end is no event
            await asyncio.sleep(0)
    assert state(source).interval == 0
    await source.stop()


async def test_a_loop_without_a_url_or_interval_returns_at_once(source_for: Make) -> None:
    """There is nothing to wait for."""
    await source_for(None).run(1.0)
    await source_for("http://127.0.0.1/", enabled=False).run(1.0)
    await source_for("http://127.0.0.1/", refresh_interval=None).run()


async def test_a_cancelled_synchronisation_is_no_failure(
    site: Site, source_for: Make, endings: Endings, cache_dir: Path
) -> None:
    """Stopping in the middle ends the operation as cancelled and counts nothing."""
    answer = page(manifest())
    answer.hold = site.held
    source = source_for(site.put("/m", answer))
    source.start()
    assert await asyncio.to_thread(site.reached.wait, PATIENCE)
    await source.stop()
    assert await endings.next() == ("cancelled", "cancelled")
    assert state(source).consecutive_failures == 0
    assert load_remote_telemetry(cache_dir).last_failure_at is None


async def test_a_cancelled_download_leaves_no_file(site: Site, source_for: Make, cache_dir: Path) -> None:
    """Stopping in the middle of an artifact removes what was downloaded of it."""
    artifact = site.artifact("/a", b"x" * 10)
    site.pages["/a"][0].hold = site.held
    source = source_for(site.put("/m", page(manifest(entries=[entry(**artifact)]))))
    source.start()
    assert await asyncio.to_thread(site.reached.wait, PATIENCE)
    await source.stop()
    assert list((cache_dir / "artifacts").iterdir()) == []


class Order:
    """An observer that remembers in which order synchronisations start and end."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want synchronisations."""
        return self._start if event_type is RemoteSync else None

    def finished(self, _finished: Finished) -> None:
        """Remember."""
        self.words.append("end")

    def close(self) -> None:
        """Hold nothing."""

    def _start(self, _operation: RemoteSync) -> Order:
        self.words.append("start")
        return self


async def test_two_synchronisations_take_turns(site: Site, source_for: Make, observers: Observers) -> None:
    """One made by hand while another is on its way waits for it."""
    order = Order()
    observers.add(order)
    source = source_for(site.put("/m", page(manifest())))
    await asyncio.gather(source.sync(), source.sync())
    assert order.words == ["start", "end"] * 2


async def test_what_is_registered_is_a_success_and_remembered_even_if_it_is_stopped(
    site: Site, source_for: Make, endings: Endings, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping while the status is being written makes no cancellation, and waits until it is written."""
    source = source_for(site.put("/m", page(manifest())))
    reached, release = threading.Event(), threading.Event()
    record = source._ledger._file.record

    def slow_record(*arguments: Any) -> None:
        reached.set()
        release.wait(PATIENCE)
        record(*arguments)

    monkeypatch.setattr(source._ledger._file, "record", slow_record)
    source.start()
    assert await asyncio.to_thread(reached.wait, PATIENCE)
    stopping = asyncio.create_task(source.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    release.set()
    await stopping
    assert await endings.next() == ("success", "")
    assert StatusFile(cache_dir).source("remote").registered == 1


async def test_a_registration_that_is_stopped_is_a_success(
    site: Site, publisher: Publisher, source_for: Make, endings: Endings, *, cache_dir: Path, resolver: Resolver
) -> None:
    """A stop that comes while candidates are registered changes neither the outcome nor the mark that is kept."""
    source = source_for(site.put("/m", publisher.document(serial=7)))
    loop, replace = asyncio.get_running_loop(), resolver.replace

    def stopped_replace(owner: str, candidates: Iterable[Candidate]) -> ReplaceResult:
        assert source._task is not None
        loop.call_soon_threadsafe(source._task.cancel)
        return replace(owner, candidates)

    resolver.replace = stopped_replace  # type: ignore[method-assign]  # a stop at the worst time
    source.start()
    assert await endings.next() == ("success", "")
    await source.stop()
    assert StatusFile(cache_dir).source("remote").serial == 7


async def test_stopping_waits_until_what_takes_effect_has_done_so(
    site: Site, source_for: Make, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop while candidates are being registered comes after that, not in between."""
    source = source_for(site.put("/m", page(manifest())))
    reached, release = threading.Event(), threading.Event()
    replace = resolver.replace

    def slow_replace(owner: str, candidates: Iterable[Candidate]) -> ReplaceResult:
        reached.set()
        release.wait(PATIENCE)
        return replace(owner, candidates)

    monkeypatch.setattr(resolver, "replace", slow_replace)
    source.start()
    assert await asyncio.to_thread(reached.wait, PATIENCE)
    stopping = asyncio.create_task(source.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    release.set()
    await stopping
    assert state(source).registered == 1


async def test_opens_its_circuit_and_tries_again_after_the_reset(
    site: Site, cache_dir: Path, clock: Clock, recorder: Recorder
) -> None:
    """The failure that opens the circuit is the real one, what follows is skipped, and after the reset one is tried."""
    observers = Observers(clock=clock)
    observers.add(recorder)
    url = site.put("/m", Answer(status=404), Answer(status=404), page(manifest()))
    settings = config(cache_dir, url, circuit_breaker_threshold=2, circuit_breaker_reset=60.0)
    source = RemoteSource(Resolver(observers=observers), settings, clock=lambda: NOW)
    for _failure in range(2):
        with pytest.raises(httpx.HTTPStatusError):
            await source.sync()
    assert recorder.of(CircuitOpened) == [CircuitOpened(source="remote", retry_after_seconds=60.0)]
    assert state(source).circuit_open
    clock.advance(59)
    assert await source.sync() is None
    assert recorder.of(CircuitOpened)[1:] == [CircuitOpened(source="remote", retry_after_seconds=1.0)]
    clock.advance(1)
    assert await source.sync() is not None
    assert [(end.outcome, end.reason) for end in recorder.endings(RemoteSync)] == [
        ("failed", "http_status"),
        ("failed", "http_status"),
        ("skipped", "circuit_open"),
        ("success", ""),
    ]
    assert len(site.requests) == 3


async def test_counts_failures_in_a_row(site: Site, source_for: Make, recorder: Recorder) -> None:
    """Each failure tells how many there were, itself included, over a restart too; a success begins anew."""
    url = site.put("/m", Answer(b""), Answer(b""), page(manifest()), Answer(b""))
    with pytest.raises(RemoteSyncError):
        await source_for(url).sync()
    source = source_for(url)
    with pytest.raises(RemoteSyncError):
        await source.sync()
    await source.sync()
    with pytest.raises(RemoteSyncError):
        await source.sync()
    operations = [end.operation for end in recorder.endings(RemoteSync)]
    assert [op.consecutive_failures for op in operations if isinstance(op, RemoteSync)] == [1, 2, 0, 1]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"sources": {"remote": {"serial": "x"}}}'])
async def test_a_damaged_status_file_is_kept_aside_and_told(
    site: Site, source_for: Make, cache_dir: Path, recorder: Recorder, content: bytes
) -> None:
    """A status file that cannot be understood stops nothing; it is told once somebody may listen, and kept."""
    write_atomic(cache_dir / "remote_status.json", content)
    source = source_for(site.put("/m", page(manifest())))
    assert recorder.of(HookFailed) == []
    assert await source.sync() is not None
    assert [event.sink for event in recorder.of(HookFailed)] == ["remote_status"]
    assert (cache_dir / "remote_status.json.damaged").read_bytes() == content
    assert json.loads((cache_dir / "remote_status.json").read_bytes())["sources"]["remote"]["registered"] == 1


async def test_a_wrong_field_costs_no_other(
    site: Site, publisher: Publisher, source_for: Make, cache_dir: Path, recorder: Recorder
) -> None:
    """What is sound of a damaged status still holds, for this source and for others."""
    sources = {"remote": {"serial": 9, "registered": "x"}, "other": {"serial": 7}, "third": 5}
    write_atomic(cache_dir / "remote_status.json", json.dumps({"sources": sources, "last_registered": "x"}).encode())
    source = source_for(site.put("/m", publisher.document(serial=8)))
    with pytest.raises(RemoteSyncError, match=r"^Manifest is a replay: "):
        await source.sync()
    assert [event.sink for event in recorder.of(HookFailed)] == ["remote_status"]
    statuses = StatusFile(cache_dir)
    assert [statuses.source(name).serial for name in ("remote", "other", "third")] == [9, 7, None]
    assert load_remote_telemetry(cache_dir).consecutive_failures == 1


def test_a_lock_that_is_never_released_is_an_error(cache_dir: Path) -> None:
    """Nobody waits for ever for another process that writes the status."""
    status = StatusFile(cache_dir, patience=0.0)
    with status._locked(), pytest.raises(TimeoutError, match=r"^another process has kept \.remote_status\.lock"):
        StatusFile(cache_dir, patience=0.0).record(lambda _telemetry: None)
    status.record(lambda _telemetry: None)


async def test_a_status_file_that_cannot_be_written_stops_nothing(
    site: Site, source_for: Make, cache_dir: Path, recorder: Recorder
) -> None:
    """What cannot be remembered is told, and the synchronisation succeeds all the same."""
    source = source_for(site.put("/m", page(manifest())))
    (cache_dir / "remote_status.json").mkdir(parents=True)
    assert await source.sync() is not None
    assert {event.sink for event in recorder.of(HookFailed)} == {"remote_status"}


async def test_its_own_cache_is_scanned_while_it_runs(site: Site, source_for: Make, endings: Endings) -> None:
    """A source that made its cache starts its scan and tells its state."""
    source = source_for(site.put("/m", page(manifest())))
    source.start()
    await endings.next()
    scan = source.cache._task
    assert scan is not None
    await source.stop()
    assert scan.done()
    assert [type(state) for state in source.states()] == [SourceState, CacheState]
