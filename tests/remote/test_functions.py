"""The functions and models around the source: loader, artifact manager, telemetry, models and samples."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, get_args

import httpx
import pytest
from remote_support import Answer, Site, config, entry, manifest, page

from oneiric.core.events import SyncFailure
from oneiric.core.resolution import Resolver
from oneiric.remote import (
    RemoteManifest,
    RemoteManifestEntry,
    load_remote_telemetry,
    remote_sync_loop,
    samples,
    sync_remote_manifest,
)
from oneiric.remote.delivery import ArtifactManager
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.loader import MAX_SOURCES, source_of
from oneiric.remote.manifest import candidate_of
from oneiric.remote.manifest.model import CapabilityDescriptor
from oneiric.remote.source import RemoteSource
from oneiric.remote.telemetry import (
    RemoteSyncTelemetry,
    SourceStatus,
    StatusFile,
    record_remote_failure,
    record_remote_success,
)

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL: dict[str, Any] = {"domain": "event", "key": "k", "provider": "p", "factory": "a:b"}


@pytest.fixture
def unsigned() -> Answer:
    """A page with a manifest that was not signed at any time."""
    return page(manifest(signed_at=None))


async def test_a_resolver_is_synchronised_by_a_call(site: Site, cache_dir: Path, unsigned: Answer) -> None:
    """One call registers what the manifest offers and returns what it did."""
    resolver = Resolver()
    result = await sync_remote_manifest(resolver, config(cache_dir, site.put("/m", unsigned)))
    assert result is not None
    assert (result.manifest.source, result.registered, result.per_domain) == ("demo", 1, {"adapter": 1})
    assert resolver.resolve("adapter", "demo") is not None


async def test_a_call_without_a_url_is_skipped(cache_dir: Path) -> None:
    """There is nothing to synchronise with."""
    assert await sync_remote_manifest(Resolver(), config(cache_dir, None)) is None


async def test_an_empty_url_is_none(site: Site, cache_dir: Path, unsigned: Answer) -> None:
    """An empty URL in the settings skips the synchronisation, an empty argument leaves the URL of the settings."""
    source = RemoteSource(Resolver(), config(cache_dir, ""))
    assert (await source.sync(), await source.sync(""), await sync_remote_manifest(Resolver(), source.config)) == (
        None,
        None,
        None,
    )
    assert await RemoteSource(Resolver(), config(cache_dir, site.put("/m", unsigned))).sync("") is not None


async def test_failures_of_calls_add_up(site: Site, cache_dir: Path) -> None:
    """Calls with equal settings share a circuit, so that the one after the last failure is skipped."""
    resolver, url = Resolver(), site.put("/m", Answer(b"[]"))
    for _failure in range(2):
        with pytest.raises(RemoteSyncError):
            await sync_remote_manifest(resolver, config(cache_dir, url, circuit_breaker_threshold=2))
    assert await sync_remote_manifest(resolver, config(cache_dir, url, circuit_breaker_threshold=2)) is None
    with pytest.raises(RemoteSyncError):
        await sync_remote_manifest(Resolver(), config(cache_dir, url, circuit_breaker_threshold=2))


def test_a_source_lives_with_its_resolver(cache_dir: Path) -> None:
    """Equal settings give the same source, other settings or another resolver another one."""
    resolver, settings = Resolver(), config(cache_dir, "http://127.0.0.1/")
    source = source_of(resolver, settings)
    assert source_of(resolver, settings.model_copy(deep=True)) is source
    assert source_of(resolver, config(cache_dir, "http://127.0.0.1/other")) is not source
    assert source_of(Resolver(), settings) is not source


async def test_calls_with_several_urls_do_not_disturb_each_other(site: Site, cache_dir: Path) -> None:
    """What one URL offers stays when another one is synchronised under the same settings."""
    resolver, settings = Resolver(), config(cache_dir, None)
    for key in "ab":
        url = site.put(f"/{key}", page(manifest(signed_at=None, entries=[entry(key=key)])))
        await sync_remote_manifest(resolver, settings, manifest_url=url)
    assert sorted(candidate.key for candidate in resolver.list_active("adapter")) == ["a", "b"]


async def test_a_url_that_is_signed_anew_is_the_same_manifest(site: Site, cache_dir: Path) -> None:
    """What changes in the query of a URL makes no further candidates, and none that stay behind."""
    resolver = Resolver()
    source = RemoteSource(resolver, config(cache_dir, None))
    for number, keys in enumerate(("ab", "ab", "a")):
        entries = [entry(key=key) for key in keys]
        url = site.put("/m", page(manifest(signed_at=None, entries=entries)))
        await source.sync(f"{url}?signature={number}")
    assert [candidate.key for candidate in resolver.list_active("adapter")] == ["a"]
    assert resolver.list_shadowed("adapter") == []


async def test_calls_with_several_urls_share_what_protects_their_artifacts(site: Site, cache_dir: Path) -> None:
    """What one URL brought is not evicted by the synchronisation with another one, however long ago it was used."""
    resolver, settings = Resolver(), config(cache_dir, None, cache_max_age=100.0)
    paths = []
    for key in "ab":
        artifact = site.artifact(f"/{key}.whl", key.encode())
        url = site.put(f"/{key}", page(manifest(signed_at=None, entries=[entry(key=key, **artifact)])))
        await sync_remote_manifest(resolver, settings, manifest_url=url)
        paths.append(cache_dir / "artifacts" / artifact["sha256"])
        os.utime(paths[-1], (0, 0))
    assert [path.exists() for path in paths] == [True, True]


def test_a_resolver_remembers_a_bounded_number_of_sources_and_no_token(cache_dir: Path) -> None:
    """The source used longest ago goes first, and nothing that is kept to find one again holds a credential."""
    resolver = Resolver()
    settings = [
        config(cache_dir, "http://127.0.0.1/", name=f"s{number}", auth={"token": "s3cr3t"})
        for number in range(MAX_SOURCES + 1)
    ]
    sources = [source_of(resolver, each) for each in settings[:-1]]
    assert source_of(resolver, settings[0]) is sources[0]
    source_of(resolver, settings[-1])
    assert source_of(resolver, settings[0]) is sources[0]
    assert source_of(resolver, settings[1]) is not sources[1]
    assert "s3cr3t" not in str(vars(resolver))


async def test_the_loop_synchronises_until_cancelled(site: Site, cache_dir: Path, unsigned: Answer) -> None:
    """The loop ends by being cancelled and by nothing else."""
    unsigned.hold = site.held
    settings = config(cache_dir, site.put("/m", unsigned), refresh_interval=0.001)
    task = asyncio.create_task(remote_sync_loop(Resolver(), settings))
    assert await asyncio.to_thread(site.reached.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_loop_returns_where_there_is_nothing_to_do(cache_dir: Path) -> None:
    """Without a URL, or without an interval, the loop returns at once."""
    await remote_sync_loop(Resolver(), config(cache_dir, None), interval_override=1.0)
    await remote_sync_loop(Resolver(), config(cache_dir, "http://127.0.0.1/", refresh_interval=None))


async def test_a_single_artifact_is_fetched_once(site: Site, cache_dir: Path) -> None:
    """The artifact manager verifies, caches, and sends its headers to the artifact's origin."""
    uri = site.put("/a", Answer(b"x"))
    manager = ArtifactManager(cache_dir)
    digest = hashlib.sha256(b"x").hexdigest()
    path = await manager.fetch(uri, digest, {"X-Access": "t"})
    assert (path.name, path.parent.name) == (digest, "artifacts")
    assert await manager.fetch(uri, digest, {}) == path
    assert [request.headers.get("X-Access") for request in site.requests] == ["t"]


def test_an_artifact_manager_makes_its_directory_for_its_owner_only(tmp_path: Path) -> None:
    """The directory is there once the manager is, with those above it; one that was there keeps its mode."""
    directory = tmp_path / "above" / "cache"
    manager = ArtifactManager(directory)
    assert [path.stat().st_mode & 0o777 for path in (directory.parent, manager.cache_dir)] == [0o700, 0o700]
    directory.chmod(0o750)
    ArtifactManager(directory)
    assert directory.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("", "URI cannot be empty"),
        ("../a", "Path traversal attempt detected in URI: "),
        ("/etc/passwd", "Path traversal attempt detected in URI: "),
        ("a.whl", "Unsupported URI scheme (must be http://, https://, or file://): "),
        ("file:///etc/passwd", "file URI access disabled for artifacts"),
    ],
)
async def test_a_single_artifact_is_refused(tmp_path: Path, uri: str, text: str) -> None:
    """What has no usable place is not fetched."""
    with pytest.raises(ValueError, match=re.escape(text)):
        await ArtifactManager(tmp_path).fetch(uri, None, {})


@pytest.mark.parametrize("digest", ["../../victim", "/victim", "", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n"])
async def test_a_single_artifact_with_an_unusable_digest_is_refused(cache_dir: Path, site: Site, digest: str) -> None:
    """A digest is 64 hexadecimal digits; nothing else names a file, and nothing is asked, made or removed for it."""
    victim = cache_dir.parent / "victim"
    victim.write_bytes(b"precious")
    with pytest.raises(RemoteSyncError, match=r"^Invalid sha256 ") as raised:
        await ArtifactManager(cache_dir).fetch(site.put("/a", Answer(b"x")), digest, {})
    assert (raised.value.reason, site.requests, victim.read_bytes()) == ("digest", [], b"precious")


async def test_a_single_artifact_may_have_its_digest_in_upper_case(site: Site, cache_dir: Path) -> None:
    """The digest that a person copied from somewhere is taken in either case."""
    digest = hashlib.sha256(b"x").hexdigest()
    path = await ArtifactManager(cache_dir).fetch(site.put("/a", Answer(b"x")), digest.upper())
    assert path.name == digest


async def test_a_single_artifact_without_a_digest_is_fetched_anew(site: Site, cache_dir: Path) -> None:
    """Nothing can tell whether a copy is sound, so none is trusted; the file has one name, made from the URI."""
    uri = site.put("/a", Answer(b"old"), Answer(b"new"))
    manager = ArtifactManager(cache_dir)
    paths = [await manager.fetch(uri, None), await manager.fetch(uri, None)]
    assert paths == [cache_dir / "artifacts" / hashlib.sha256(uri.encode()).hexdigest()] * 2
    assert paths[0].read_bytes() == b"new"


async def test_an_artifact_without_a_digest_that_cannot_be_had_leaves_the_former_one(
    site: Site, cache_dir: Path
) -> None:
    """A failure replaces nothing and leaves no unfinished file."""
    uri = site.put("/a", Answer(b"old"), Answer(status=404))
    manager = ArtifactManager(cache_dir)
    path = await manager.fetch(uri, None)
    with pytest.raises(httpx.HTTPStatusError):
        await manager.fetch(uri, None)
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [(path.name, b"old")]


def test_the_status_file_remembers_failures_and_successes(cache_dir: Path) -> None:
    """Failures add up with their redacted error until a success."""
    record_remote_failure(cache_dir, "GET https://host/path?token=s3cr3t failed")
    record_remote_failure(cache_dir, ValueError("password=s3cr3t"))
    telemetry = load_remote_telemetry(cache_dir)
    assert (telemetry.consecutive_failures, telemetry.last_error) == (2, "password=***")
    assert "s3cr3t" not in (cache_dir / "remote_status.json").read_text()
    record_remote_success(
        cache_dir, source="s", registered=1, duration_ms=2.5, digest_checks=3, per_domain={"task": 1}, skipped=4
    )
    telemetry = load_remote_telemetry(cache_dir)
    expected = RemoteSyncTelemetry(
        last_success_at=telemetry.last_success_at,
        last_failure_at=telemetry.last_failure_at,
        last_source="s",
        last_registered=1,
        last_duration_ms=2.5,
        last_digest_checks=3,
        last_per_domain={"task": 1},
        last_skipped=4,
    )
    assert telemetry == expected
    assert telemetry.last_success_at is not None


def test_recording_leaves_what_is_remembered_of_sources(cache_dir: Path) -> None:
    """The function that records a failure keeps the marks of all sources."""
    cache_dir.mkdir()
    (cache_dir / "remote_status.json").write_text(json.dumps({"sources": {"remote": {"serial": 7}}}))
    record_remote_failure(cache_dir, "x")
    assert json.loads((cache_dir / "remote_status.json").read_text())["sources"] == {"remote": {"serial": 7}}


def test_sources_that_record_at_the_same_time_lose_nothing(cache_dir: Path) -> None:
    """Threads, and processes likewise, that share a status file keep what the others wrote."""
    names = [f"source-{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        for name in names:
            pool.submit(StatusFile(cache_dir).record, lambda _telemetry: None, {name: SourceStatus(serial=1)})
    assert [StatusFile(cache_dir).source(name).serial for name in names] == [1] * 16


def test_capabilities_come_in_three_forms() -> None:
    """A name, a mapping and a descriptor all describe a capability."""
    entry = RemoteManifestEntry(
        **MINIMAL, capabilities=["a", {"name": "b", "event_types": ["x"]}, CapabilityDescriptor(name="c")]
    )
    assert entry.capability_names == ["a", "b", "c"]
    assert entry.capability_payloads() == [{"name": "a"}, {"name": "b", "event_types": ["x"]}, {"name": "c"}]


@pytest.mark.parametrize(
    ("field", "default"),
    [("capabilities", []), ("metadata", {}), ("requires", []), ("conflicts_with", []), ("requires_secrets", False)],
)
def test_a_field_that_is_null_has_its_default(field: str, default: object) -> None:
    """An entry that says null of a field says nothing of it."""
    entry = RemoteManifestEntry.model_validate({**MINIMAL, field: None})
    assert getattr(entry, field) == default
    assert candidate_of(entry, None).metadata["capabilities"] == []


def test_the_fields_of_a_capability_may_be_null() -> None:
    """What holds for an entry holds for what is in it; who must be authorised stays so."""
    nulls = {"event_types": None, "metadata": None, "security": {"auth_required": None, "scopes": None}}
    entry = RemoteManifestEntry.model_validate({**MINIMAL, "capabilities": [{"name": "a", **nulls}]})
    assert entry.capability_payloads() == [
        {"name": "a", "security": {"auth_required": True, "signature_required": False}}
    ]


def test_a_capability_needs_a_name() -> None:
    """A mapping without a name is a ValueError, anything else a TypeError."""
    with pytest.raises(ValueError, match="capability entry missing 'name'"):
        RemoteManifestEntry(**MINIMAL, capabilities=[{}])
    with pytest.raises(TypeError, match="capabilities must be CapabilityDescriptor, dict, or str"):
        RemoteManifestEntry(**MINIMAL, capabilities=[7])


def test_a_signature_may_be_a_bare_string() -> None:
    """A string in the list of signatures is a signature with the default algorithm."""
    (signature,) = RemoteManifest.model_validate({"signatures": ["x"]}).signatures
    assert (signature.signature, signature.algorithm, signature.key_id) == ("x", "ed25519", None)


def test_a_candidate_carries_what_its_entry_says() -> None:
    """Metadata holds the entry's own, then what is known of it under its documented names; None is left out."""
    entry = RemoteManifestEntry(
        **MINIMAL,
        version="1",
        metadata={"title": "t", "version": "overridden"},
        capabilities=["c"],
        event_topics=["topic"],
        event_max_concurrency=2,
        event_priority=3,
        event_fanout_policy="all",
    )
    candidate = candidate_of(entry, None)
    assert candidate.metadata == {
        "title": "t",
        "version": "1",
        "source": "remote",
        "capabilities": ["c"],
        "capability_descriptors": [{"name": "c"}],
        "requires_secrets": False,
        "side_effect_free": False,
        "requires": [],
        "conflicts_with": [],
        "topics": ["topic"],
        "max_concurrency": 2,
        "event_priority": 3,
        "fanout_policy": "all",
    }


def test_the_samples_answer() -> None:
    """What a demonstration manifest names can be made and called."""
    assert samples.demo_remote_adapter().describe() == "hello from remote manifest"
    assert samples.demo_remote_service().status() == "remote-service-ok"
    assert samples.demo_remote_workflow().execute() == "remote-workflow-complete"
    assert asyncio.run(samples.demo_remote_task().run()) == "remote-task-run"
    assert asyncio.run(samples.demo_remote_event_handler().handle(None)) == {"topic": None, "payload": None}


@pytest.mark.parametrize("kind", ["adapter", "service", "task", "event_handler", "workflow"])
def test_every_sample_has_a_name_and_a_note(kind: str) -> None:
    """What a demonstration shows of a component is there to be read, and may be set where it is made."""
    sample = getattr(samples, f"demo_remote_{kind}")()
    made = type(sample)(name="mine", note="noted")
    assert (sample.name, made.name, made.note) == (f"remote-demo-{kind.replace('_', '-')}", "mine", "noted")
    assert sample.note


def test_a_sample_answers_with_its_note() -> None:
    """The greeting of the adapter is its note."""
    assert samples.RemoteDemoAdapter(note="hello").describe() == "hello"


def test_every_reason_is_one_of_the_contract() -> None:
    """The causes of failure are the ones that monitoring knows."""
    expected = "network http_status timeout signature expired replay digest parse path too_large other"
    assert " ".join(get_args(SyncFailure)) == expected
