"""A synchronisation that succeeds: what is registered, told, remembered and returned."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from remote_support import NOW, Answer, Publisher, Site, config, entry, leftovers, manifest, page

from oneiric.core.events import (
    ArtifactCacheHit,
    ArtifactDownloaded,
    CacheState,
    DigestMatched,
    DigestMismatched,
    EntryRejected,
    ManifestUnsigned,
    RemoteSync,
    RetryScheduled,
    SignatureVerified,
    SourceAdded,
    SourceRemoved,
    SourceState,
)
from oneiric.core.files import make_private_directory
from oneiric.remote.delivery.fetch import CHUNK_BYTES
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.source import RemoteSource
from oneiric.remote.telemetry import load_remote_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.events import Event
    from oneiric.core.observers import Observers, Receiver
    from oneiric.core.resolution import Resolver
    from oneiric.remote.delivery import ArtifactCache

    Make = Callable[..., RemoteSource]


def keys(resolver: Resolver) -> list[str]:
    """Return the keys that are served."""
    return sorted(candidate.key for candidate in resolver.list_active("adapter"))


def state(source: RemoteSource) -> SourceState:
    """Return the state of the source itself."""
    return next(state for state in source.states() if isinstance(state, SourceState))


async def test_registers_what_a_signed_manifest_offers(
    site: Site, publisher: Publisher, source_for: Make, resolver: Resolver, recorder: Recorder
) -> None:
    """A signed manifest with an artifact is registered, and one operation tells all of it."""
    artifact = site.artifact("/demo.whl", b"wheel")
    url = site.put("/manifest.json", publisher.document(entries=[entry(**artifact)]))
    result = await source_for(url).sync()
    assert result is not None
    assert (result.registered, result.skipped, result.per_domain) == (1, 0, {"adapter": 1})
    candidate = resolver.resolve("adapter", "demo")
    assert candidate is not None
    assert candidate.metadata["artifact_path"].endswith(artifact["sha256"])
    (ended,) = recorder.endings(RemoteSync)
    assert (ended.outcome, ended.reason) == ("success", "")
    assert ended.operation == RemoteSync(
        source="remote", host="127.0.0.1", registered=1, skipped=0, digest_checks=1, artifacts=1
    )
    assert [event.source for event in recorder.of(SignatureVerified)] == ["remote"]
    assert recorder.of(ArtifactDownloaded) == [ArtifactDownloaded(source="remote", bytes=5)]


async def test_reads_yaml_with_unquoted_timestamps(site: Site, source_for: Make, resolver: Resolver) -> None:
    """YAML is accepted, and a timestamp in it stays the text it is in JSON."""
    text = "source: demo\nsigned_at: 2027-01-15T07:00:00Z\nentries:\n- {domain: adapter, key: yaml, provider: p, "
    url = site.put("/manifest.yaml", Answer(f"{text}factory: 'oneiric.remote.samples:x'}}\n".encode()))
    result = await source_for(url).sync()
    assert result is not None
    assert result.manifest.signed_at == "2027-01-15T07:00:00Z"
    assert keys(resolver) == ["yaml"]


async def test_judges_off_the_event_loop(
    site: Site, publisher: Publisher, source_for: Make, observers: Observers
) -> None:
    """Verifying many signatures with many keys keeps no other task waiting."""
    threads: list[int] = []

    class Judging:
        def receiver(self, event_type: type[Event]) -> Receiver | None:
            return (lambda _event: threads.append(threading.get_ident())) if event_type is SignatureVerified else None

    observers.add(Judging())
    await source_for(site.put("/m", publisher.document())).sync()
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


async def test_accepts_an_unsigned_manifest_when_nobody_is_trusted(
    site: Site, source_for: Make, recorder: Recorder
) -> None:
    """Without trusted keys an unsigned manifest is accepted, and told."""
    assert await source_for(site.put("/m", page(manifest()))).sync() is not None
    assert recorder.of(ManifestUnsigned) == [ManifestUnsigned(source="remote")]


async def test_forgets_entries_that_left_the_manifest(site: Site, source_for: Make, resolver: Resolver) -> None:
    """What the manifest no longer offers is unregistered; what it still offers stays."""
    documents = [page(manifest(entries=[entry(key=key) for key in names])) for names in ("ab", "bc")]
    source = source_for(site.put("/m", *documents))
    await source.sync()
    assert keys(resolver) == ["a", "b"]
    await source.sync()
    assert keys(resolver) == ["b", "c"]


async def test_does_not_grow_when_nothing_changes(site: Site, source_for: Make, resolver: Resolver) -> None:
    """Refreshing an unchanged manifest leaves no shadowed copies behind."""
    source = source_for(site.put("/m", page(manifest())))
    for _round in range(3):
        await source.sync()
    assert (keys(resolver), resolver.list_shadowed("adapter")) == (["demo"], [])


async def test_skips_a_bad_entry_and_registers_the_others(
    site: Site, source_for: Make, resolver: Resolver, recorder: Recorder
) -> None:
    """One bad entry is told and skipped; it does not keep the others out."""
    url = site.put("/m", page(manifest(entries=[entry(), entry(key="bad", factory="os:system")])))
    result = await source_for(url).sync()
    assert result is not None
    assert (result.registered, result.skipped) == (1, 1)
    assert keys(resolver) == ["demo"]
    (rejected,) = recorder.of(EntryRejected)
    assert (rejected.reason, rejected.key) == ("invalid-factory", "bad")


async def test_takes_an_artifact_from_the_cache(site: Site, source_for: Make, recorder: Recorder) -> None:
    """The second synchronisation verifies the copy in the cache and downloads nothing."""
    source = source_for(site.put("/m", page(manifest(entries=[entry(**site.artifact("/a", b"1"))]))))
    await source.sync()
    await source.sync()
    assert len(site.asked("/a")) == 1
    assert recorder.of(ArtifactCacheHit) == [ArtifactCacheHit(source="remote", bytes=1)]
    assert len(recorder.of(DigestMatched)) == 2


async def test_replaces_a_damaged_copy_in_the_cache(
    site: Site, source_for: Make, cache_dir: Path, recorder: Recorder
) -> None:
    """A damaged copy is told, removed and downloaded again."""
    artifact = site.artifact("/a", b"sound")
    source = source_for(site.put("/m", page(manifest(entries=[entry(**artifact)]))))
    await source.sync()
    cached = cache_dir / "artifacts" / artifact["sha256"]
    cached.write_bytes(b"rotten")
    assert await source.sync() is not None
    assert cached.read_bytes() == b"sound"
    (mismatch,) = recorder.of(DigestMismatched)
    assert mismatch.error.startswith("SHA256 mismatch")
    assert recorder.endings(RemoteSync)[-1].operation == RemoteSync(
        source="remote", host="127.0.0.1", registered=1, digest_checks=2, artifacts=1
    )


async def test_a_damaged_copy_goes_even_if_it_cannot_be_replaced(site: Site, source_for: Make, cache_dir: Path) -> None:
    """Nothing finds the damaged copy while its source is out of reach."""
    artifact = site.artifact("/a", b"sound")
    source = source_for(site.put("/m", page(manifest(entries=[entry(**artifact)]))))
    await source.sync()
    (cache_dir / "artifacts" / artifact["sha256"]).write_bytes(b"rotten")
    del site.pages["/a"]
    with pytest.raises(httpx.HTTPStatusError):
        await source.sync()
    assert list((cache_dir / "artifacts").iterdir()) == []


class Scanner:
    """An observer that, long after an artifact was downloaded, scans the cache before anything else happens."""

    def __init__(self, cache: ArtifactCache, wall: Clock) -> None:
        self._cache = cache
        self._wall = wall

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want downloads."""
        return (lambda _event: self.scan()) if event_type is ArtifactDownloaded else None

    def scan(self) -> None:
        """Let time pass, and scan."""
        self._wall.advance(1000)
        self._cache.scan()


async def test_an_artifact_is_not_evicted_before_or_while_it_is_registered(
    site: Site, source_for: Make, observers: Observers, wall: Clock
) -> None:
    """What a synchronisation brings, and then what is registered, is protected however full and old the cache is."""
    artifact = site.artifact("/a", b"large")
    url = site.put("/m", page(manifest(entries=[entry(**artifact)])))
    source = source_for(url, cache_max_bytes=5, cache_max_age=1.0)
    scanner = Scanner(source.cache, wall)
    observers.add(scanner)
    make_private_directory(source.cache.artifacts)
    source.cache.path_of("b" * 64).write_bytes(b"other")
    await source.sync()
    scanner.scan()
    assert [path.name for path in source.cache.artifacts.iterdir()] == [artifact["sha256"]]


async def test_an_artifact_that_is_not_registered_in_the_end_may_be_evicted(
    site: Site, source_for: Make, resolver: Resolver, wall: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A synchronisation that failed protects nothing any more."""
    source = source_for(
        site.put("/m", page(manifest(entries=[entry(**site.artifact("/a", b"large"))]))), cache_max_age=1.0
    )
    monkeypatch.setattr(resolver, "replace", lambda _owner, _candidates: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await source.sync()
    assert len(list(source.cache.artifacts.iterdir())) == 1
    wall.advance(1000)
    source.cache.scan()
    assert list(source.cache.artifacts.iterdir()) == []


async def test_fetches_an_artifact_once_that_two_entries_share(site: Site, source_for: Make) -> None:
    """Two entries with the same digest cost one download."""
    artifact = site.artifact("/a", b"shared")
    url = site.put("/m", page(manifest(entries=[entry(key=key, **artifact) for key in "ab"])))
    await source_for(url).sync()
    assert len(site.asked("/a")) == 1


async def test_tries_again_after_a_server_error(site: Site, source_for: Make, recorder: Recorder) -> None:
    """A 500 and a 429 pass: the request is made again, told each time, and the synchronisation succeeds."""
    url = site.put("/m", Answer(status=500), Answer(status=429), page(manifest()))
    assert await source_for(url, max_retries=3).sync() is not None
    assert recorder.of(RetryScheduled) == [RetryScheduled(source="remote", operation="manifest")] * 2


async def test_begins_an_artifact_anew_when_it_is_tried_again(
    site: Site, source_for: Make, recorder: Recorder, cache_dir: Path
) -> None:
    """What a broken-off download left is not kept in front of the next try's content."""
    content = b"x" * (CHUNK_BYTES + 1)
    artifact = site.artifact("/a", content)
    broken_off = Answer(content[:-1], headers={"Content-Length": str(len(content))})
    site.put("/a", broken_off, Answer(content))
    url = site.put("/m", page(manifest(entries=[entry(**artifact)])))
    assert await source_for(url, max_retries=2).sync() is not None
    assert recorder.of(RetryScheduled) == [RetryScheduled(source="remote", operation="artifact")]
    assert leftovers(cache_dir) == []


async def test_is_skipped_when_disabled(site: Site, source_for: Make, recorder: Recorder) -> None:
    """A disabled source asks nobody and says so."""
    assert await source_for(site.put("/m", page(manifest())), enabled=False).sync() is None
    (ended,) = recorder.endings(RemoteSync)
    assert (ended.outcome, ended.reason) == ("skipped", "disabled")
    assert site.requests == []


async def test_an_explicit_url_overrides_disabled(site: Site, source_for: Make) -> None:
    """A URL given by hand is synchronised even if the source is disabled."""
    assert await source_for(None, enabled=False).sync(site.put("/m", page(manifest()))) is not None


async def test_reads_a_local_file_within_an_allowed_root(source_for: Make, tmp_path: Path, resolver: Resolver) -> None:
    """A path and a file URL within an allowed root are accepted."""
    file = tmp_path / "a manifest.json"
    file.write_text(json.dumps(manifest()))
    settings: dict[str, Any] = {"allow_file_uris": True, "allowed_file_uri_roots": [str(tmp_path)]}
    assert await source_for(str(file), **settings).sync() is not None
    assert await source_for(file.as_uri(), **settings).sync() is not None
    assert keys(resolver) == ["demo"]


async def test_reads_a_local_artifact(source_for: Make, site: Site, tmp_path: Path, cache_dir: Path) -> None:
    """A file:// artifact within an allowed root goes through the cache like any other."""
    file = tmp_path / "a"
    file.write_bytes(b"local")
    artifact = site.artifact("/never-asked", b"local") | {"uri": file.as_uri()}
    url = site.put("/m", page(manifest(entries=[entry(**artifact)])))
    result = await source_for(url, allow_file_uris=True, allowed_file_uri_roots=[str(tmp_path)]).sync()
    assert result is not None
    assert (cache_dir / "artifacts" / artifact["sha256"]).read_bytes() == b"local"


async def test_states_what_the_last_success_brought(site: Site, source_for: Make, wall: Clock) -> None:
    """The state shows times, counts and expiry, and survives a restart through the status file."""
    document = page(manifest(entries=[entry(), entry(key="..")], expires_at="2027-01-16T08:00:00Z"))
    url = site.put("/m", document)
    source = source_for(url, refresh_interval=60.0)
    await source.sync()
    expected = SourceState(
        source="remote",
        consecutive_failures=0,
        interval=60.0,
        loop_running=False,
        circuit_open=False,
        last_success=NOW,
        last_attempt=NOW,
        manifest_expiry=NOW + 86400,
        registered=1,
        skipped=1,
    )
    assert state(source) == expected
    wall.advance(10)
    assert state(source_for(url, refresh_interval=60.0)) == expected


@pytest.mark.parametrize("settings", [{"refresh_interval": None}, {"refresh_interval": 0}, {"enabled": False}])
async def test_states_no_interval_when_it_is_not_refreshed(source_for: Make, settings: dict[str, Any]) -> None:
    """An interval of 0 stands for a source that is not refreshed, for whatever reason."""
    assert state(source_for("http://127.0.0.1/", **settings)).interval == 0


async def test_remembers_the_last_activity_in_the_status_file(site: Site, source_for: Make, cache_dir: Path) -> None:
    """The status file tells of the last synchronisation in the form that programs read."""
    await source_for(site.put("/m", page(manifest()))).sync()
    telemetry = load_remote_telemetry(cache_dir)
    assert (telemetry.last_source, telemetry.last_registered, telemetry.last_per_domain) == ("demo", 1, {"adapter": 1})
    assert (telemetry.last_skipped, telemetry.last_digest_checks, telemetry.last_error) == (0, 0, None)


async def test_announces_itself_once(site: Site, source_for: Make, recorder: Recorder) -> None:
    """A source is told when it is first used, however often that is."""
    source = source_for(site.put("/m", page(manifest())))
    assert recorder.of(SourceAdded) == []
    source.announce()
    await source.sync()
    assert recorder.of(SourceAdded) == [SourceAdded(source="remote")]


async def test_a_removed_source_leaves_nothing_registered(
    site: Site, source_for: Make, resolver: Resolver, recorder: Recorder
) -> None:
    """Removing a source unregisters what it brought and tells that it is gone, once."""
    source = source_for(site.put("/m", page(manifest())))
    await source.sync()
    await source.remove()
    await source.remove()
    assert keys(resolver) == []
    assert recorder.of(SourceRemoved) == [SourceRemoved(source="remote")]


async def test_another_url_does_not_disturb_the_configured_one(
    site: Site, source_for: Make, resolver: Resolver, publisher: Publisher
) -> None:
    """A manifest synchronised by hand adds to the configured one, and replays are told for each URL apart."""
    source = source_for(site.put("/1", publisher.document(serial=7)))
    other = site.put("/2", publisher.document(serial=3, entries=[entry(key="other")]))
    await source.sync()
    await source.sync(other)
    assert keys(resolver) == ["demo", "other"]
    assert await source.sync() is not None
    assert {state.source for state in source.states() if isinstance(state, SourceState)} == {"remote"}
    await source.remove()
    assert keys(resolver) == []


async def test_the_configured_url_given_by_hand_is_the_configured_one(
    site: Site, source_for: Make, resolver: Resolver
) -> None:
    """Naming the configured URL is nothing else than leaving it out."""
    url = site.put("/m", page(manifest()), page(manifest(entries=[entry(key="new")])))
    source = source_for(url)
    await source.sync()
    await source.sync(url)
    assert keys(resolver) == ["new"]


async def test_a_removed_source_has_no_state(site: Site, source_for: Make) -> None:
    """Nothing is told of a source that is gone but of the cache that it made."""
    source = source_for(site.put("/m", page(manifest())))
    await source.sync()
    await source.remove()
    assert [type(state) for state in source.states()] == [CacheState]


@pytest.mark.parametrize(("spare", "accepted"), [(0, True), (-1, False)])
@pytest.mark.parametrize("cached", [False, True])
async def test_bounds_the_artifacts_of_a_manifest_in_all(
    site: Site, source_for: Make, recorder: Recorder, *, spare: int, accepted: bool, cached: bool
) -> None:
    """Together they must fit into the cache, be they downloaded or there before; a broken download counts once."""
    size = 2 * CHUNK_BYTES
    entries = [entry(key=name, **site.artifact(f"/{name}", name.encode() * size)) for name in "ab"]
    url = site.put("/m", page(manifest(entries=entries)))
    if cached:
        await source_for(url).sync()
    else:
        site.pages["/a"].insert(0, Answer(b"a" * (size - 1), headers={"Content-Length": str(size)}))
    source = source_for(url, cache_max_bytes=2 * size + spare, max_retries=2)
    if accepted:
        assert await source.sync() is not None
    else:
        with pytest.raises(RemoteSyncError, match=rf"^The artifacts are larger than the {2 * size - 1} bytes"):
            await source.sync()
        assert recorder.endings(RemoteSync)[-1].reason == "too_large"


async def test_clears_up_after_a_success(site: Site, source_for: Make, wall: Clock) -> None:
    """Where nobody scans in the background, what is too much goes with the next synchronisation that succeeds."""
    source = source_for(site.put("/m", page(manifest())), cache_max_bytes=1)
    make_private_directory(source.cache.artifacts)
    source.cache.path_of("b" * 64).write_bytes(b"other")
    os.utime(source.cache.path_of("b" * 64), (wall.now - 1000, wall.now - 1000))
    await source.sync()
    assert list(source.cache.artifacts.iterdir()) == []


async def test_a_client_that_has_read_the_answer_already_will_do(cache_dir: Path, resolver: Resolver) -> None:
    """A transport whose answers are complete at once serves as well as the network."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=manifest()))
    source = RemoteSource(resolver, config(cache_dir, "http://192.0.2.1/m"), transport=transport, clock=lambda: NOW)
    assert await source.sync() is not None


async def test_two_sources_do_not_disturb_each_other(site: Site, source_for: Make, resolver: Resolver) -> None:
    """What one source no longer offers does not touch what another one does."""
    first = source_for(site.put("/1", page(manifest()), page(manifest(entries=[]))), name="first")
    second = source_for(site.put("/2", page(manifest(entries=[entry(key="other")]))), name="second")
    await first.sync()
    await second.sync()
    await first.sync()
    assert keys(resolver) == ["other"]
