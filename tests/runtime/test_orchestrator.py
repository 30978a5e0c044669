"""The composition root: what it wires, starts, serves and stops."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from oneiric.core import events
from oneiric.core.config import OneiricSettings, RemoteSourceConfig, SettingsError
from oneiric.core.lifecycle import LifecycleError, LifecycleManager
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability import events as own
from oneiric.runtime.orchestrator import RuntimeOrchestrator, orchestrated_runtime
from oneiric.testing import event, metric, span

if TYPE_CHECKING:
    from support import Recorder

    from oneiric.core.observers import Observers
    from oneiric.observability import Telemetry
    from oneiric.testing import TelemetryCapture


class Component:
    """An instance that can be closed and made unwell."""

    def __init__(self) -> None:
        self.is_open = True
        self.well = True

    async def health(self) -> bool:
        """Whether it is well."""
        return self.well

    async def close(self) -> None:
        """Close it."""
        self.is_open = False


@pytest.fixture
def settings(tmp_path: Path) -> OneiricSettings:
    """Settings of a runtime in a directory of its own, with a metrics server on a free port."""
    return make_settings(tmp_path)


def make_settings(directory: Path, **observability: Any) -> OneiricSettings:
    """Return settings with the state in *directory*."""
    options = {"metrics_address": "127.0.0.1:0", "probe_interval": None} | observability
    return OneiricSettings.model_validate({"cache_dir": str(directory / "cache"), "observability": options})


def candidate(key: str = "cache", provider: str = "redis") -> Candidate:
    """Return a candidate for an adapter."""
    return Candidate(domain="adapter", key=key, provider=provider, factory=Component)


def manifest(directory: Path, *keys: str) -> str:
    """Write an unsigned manifest with an adapter for each key, and return its path."""
    entries = [
        {"domain": "adapter", "key": key, "provider": "remote", "factory": "oneiric.remote.samples:demo_remote_adapter"}
        for key in keys
    ]
    path = directory / "manifest.json"
    path.write_text(json.dumps({"source": "test", "entries": entries}), encoding="utf-8")
    return str(path)


def source(directory: Path, url: str, **options: Any) -> dict[str, Any]:
    """Return the settings of a remote source with a manifest in a file of *directory*."""
    files = {"allow_file_uris": True, "allowed_file_uri_roots": [str(directory)]}
    return {"enabled": True, "manifest_url": url, "max_retries": 0, "timeout": 2.0} | files | options


def open_files() -> list[str]:
    """Return what the file descriptors of this process lead to, but for the one that lists them."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return sorted(found)


def get(runtime: RuntimeOrchestrator, path: str) -> tuple[int, str]:
    """Return status and body of *path* on the runtime's own server."""
    assert runtime.metrics_server is not None
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{runtime.metrics_server.port}{path}", timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(telemetry: Telemetry | None, name: str, **labels: str) -> float | None:
    """Return the value of one sample."""
    assert telemetry is not None
    return telemetry.registry.get_sample_value(name, labels)


async def test_an_application_that_just_starts_it_has_telemetry(settings: OneiricSettings) -> None:
    """Without a word about telemetry what the runtime does is served at /metrics."""
    async with RuntimeOrchestrator(settings) as runtime:
        runtime.resolver.register(candidate())
        await runtime.adapter_bridge.use("cache")
        status, text = await asyncio.to_thread(get, runtime, "/metrics")
    assert status == 200
    lines = text.splitlines()
    assert 'oneiric_lifecycle_swap_total{domain="adapter",key="cache",outcome="success"} 1.0' in lines
    assert 'oneiric_lifecycle_active_info{domain="adapter",key="cache",provider="redis"} 1.0' in lines
    assert 'oneiric_resolver_candidates{domain="adapter",state="active"} 1.0' in lines
    assert any(line.startswith("process_cpu_seconds_total ") for line in lines)


async def test_every_part_reports_through_one_seam(settings: OneiricSettings) -> None:
    """What the bridges, the store and the sources do is counted in the same registry."""
    async with RuntimeOrchestrator(settings) as runtime:
        for bridge in runtime.bridges.values():
            bridge.set_paused("cache", paused=True)
        runtime.remotes.add(RemoteSourceConfig(name="extra"))
        for domain in ("adapter", "service", "task", "event", "workflow", "action"):
            name = "oneiric_activity_pause_events_total"
            assert value(runtime.telemetry, name, domain=domain, state="paused") == 1.0
            assert value(runtime.telemetry, "oneiric_activity_paused_components", domain=domain) == 1.0
        assert value(runtime.telemetry, "oneiric_remote_sync_total", source="extra", outcome="failed") == 0.0


async def test_what_it_starts_it_stops(settings: OneiricSettings, tmp_path: Path) -> None:
    """After stopping there are no tasks, threads, files, observers or open instances left, and the port is free."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, manifest(tmp_path, "greeting")))
    await asyncio.to_thread(list)  # the loop's own threads and files are there before
    threads, tasks, files = set(threading.enumerate()), asyncio.all_tasks(), open_files()
    runtime = RuntimeOrchestrator(settings)
    runtime.resolver.register(candidate())
    await runtime.start()
    assert runtime.metrics_server is not None
    port = runtime.metrics_server.port
    instance = (await runtime.adapter_bridge.use("cache")).instance
    await runtime.stop()
    await runtime.stop()
    assert (instance.is_open, runtime.observers.attached, asyncio.all_tasks()) == (False, (), tasks)
    assert open_files() == files
    assert {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")} <= threads
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_it_is_ready_between_start_and_stop(settings: OneiricSettings) -> None:
    """/readyz answers 200 once everything is started; the runtime itself says when it is not."""
    runtime = RuntimeOrchestrator(settings)
    assert not runtime.ready
    await runtime.start()
    await runtime.start()
    assert await asyncio.to_thread(get, runtime, "/readyz") == (200, "ready\n")
    assert await asyncio.to_thread(get, runtime, "/livez") == (200, "ok\n")
    await runtime.stop()
    assert not runtime.ready


async def test_a_stopped_runtime_cannot_start_again(settings: OneiricSettings) -> None:
    """Starting after stopping is refused with what to do instead."""
    runtime = RuntimeOrchestrator(settings)
    await runtime.stop()
    with pytest.raises(LifecycleError, match="was stopped; make a new one"):
        await runtime.start()


async def test_a_taken_port_is_reported_and_counted(tmp_path: Path, oneiric_telemetry: TelemetryCapture) -> None:
    """The runtime starts without its metrics server; the failure is told and counted."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings(tmp_path, metrics_address=f"127.0.0.1:{port}")
        with oneiric_telemetry.expect(
            metric("oneiric_observability_hook_errors_total", sink="metrics_server"),
            1,
            event("metrics-server-failed", address="127.0.0.1", port=port),
        ):
            async with RuntimeOrchestrator(settings, observers=oneiric_telemetry.observers) as runtime:
                assert (runtime.ready, runtime.metrics_server) == (True, None)


async def test_starting_twice_at_once_starts_once(settings: OneiricSettings) -> None:
    """Two starts that overlap start one server, and one stop stops it."""
    threads = set(threading.enumerate())
    runtime = RuntimeOrchestrator(settings)
    await asyncio.gather(runtime.start(), runtime.start())
    await runtime.stop()
    assert {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")} <= threads


async def test_stopping_while_it_starts_undoes_the_start(settings: OneiricSettings) -> None:
    """A stop that comes while the first synchronisation is awaited leaves nothing running."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/manifest.json"
        settings.remote = RemoteSourceConfig(enabled=True, manifest_url=url, latency_budget_ms=200.0, max_retries=0)
        runtime, tasks = RuntimeOrchestrator(settings), asyncio.all_tasks()
        starting = asyncio.create_task(runtime.start())
        await asyncio.sleep(0)
        await runtime.stop()
        await starting
    assert (runtime.ready, runtime.metrics_server, asyncio.all_tasks()) == (False, None, tasks)


async def test_a_cancelled_start_leaves_nothing_running(settings: OneiricSettings) -> None:
    """A start that is cancelled while it waits is undone, and can be made again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/manifest.json"
        settings.remote = RemoteSourceConfig(enabled=True, manifest_url=url, latency_budget_ms=10_000.0, max_retries=0)
        runtime, tasks = RuntimeOrchestrator(settings), asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runtime.start(), 0.2)
        assert (runtime.ready, runtime.metrics_server, asyncio.all_tasks()) == (False, None, tasks)
        await runtime.stop()


async def test_telemetry_of_somebody_else_stays(settings: OneiricSettings) -> None:
    """Telemetry that the application attached itself is used, and neither detached nor emptied by a stop."""
    resolver, registry = Resolver(), CollectorRegistry()
    with attach(resolver, registry=registry) as telemetry:
        async with RuntimeOrchestrator(settings, resolver) as runtime:
            assert runtime.telemetry is telemetry
            resolver.register(candidate())
            await runtime.adapter_bridge.use("cache")
        labels = {"domain": "adapter", "key": "cache", "outcome": "success"}
        assert registry.get_sample_value("oneiric_lifecycle_swap_total", labels) == 1.0
        assert telemetry in resolver.observers.attached


async def test_a_constructor_that_fails_leaves_nothing_attached(tmp_path: Path) -> None:
    """When a part cannot be made, the resolver that was given is as it was."""
    (tmp_path / "cache" / "domain_activity.sqlite").mkdir(parents=True)
    resolver = Resolver()
    with pytest.raises(RuntimeError, match=r"domain_activity\.sqlite"):
        RuntimeOrchestrator(make_settings(tmp_path), resolver)
    assert resolver.observers.attached == ()


async def test_after_stopping_nothing_is_fetched(settings: OneiricSettings, tmp_path: Path) -> None:
    """A stopped runtime refuses to synchronise and to take a source, with what to do instead."""
    runtime = RuntimeOrchestrator(settings)
    await runtime.stop()
    with pytest.raises(LifecycleError, match="was stopped; make a new one"):
        await runtime.sync_remote(manifest(tmp_path, "greeting"))
    with pytest.raises(LifecycleError, match="a remote source cannot be added"):
        runtime.remotes.add(RemoteSourceConfig(name="late"))


async def test_logging_may_be_configured_between_making_and_starting(settings: OneiricSettings) -> None:
    """Levels that are enabled when the runtime starts are written, though they were not when it was made."""
    logger = logging.getLogger("oneiric")
    logger.setLevel(logging.WARNING)
    try:
        runtime = RuntimeOrchestrator(settings)
        assert not runtime.observers.wants(own.MetricsServerStarted)
        logger.setLevel(logging.INFO)
        async with runtime:
            assert runtime.observers.wants(own.MetricsServerStarted)
    finally:
        logger.setLevel(logging.NOTSET)


async def test_parts_that_are_given_are_used_and_left_open(settings: OneiricSettings) -> None:
    """A resolver and a lifecycle manager of the application's own report, and are not closed."""
    resolver = Resolver()
    lifecycle = LifecycleManager(resolver)
    resolver.register(candidate())
    async with orchestrated_runtime(settings, resolver, lifecycle, None) as runtime:
        instance = (await runtime.adapter_bridge.use("cache")).instance
        assert value(runtime.telemetry, "oneiric_lifecycle_instances", domain="adapter") == 1.0
    assert instance.is_open
    await lifecycle.aclose()


async def test_a_failing_start_leaves_nothing_running(
    settings: OneiricSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When something raises in the middle of starting, what was started before is stopped."""
    runtime = RuntimeOrchestrator(settings)

    def broken() -> None:
        raise RuntimeError("no scan")

    monkeypatch.setattr(runtime.remotes.cache, "start", broken)
    with pytest.raises(RuntimeError, match="no scan"):
        await runtime.start()
    assert (runtime.ready, runtime.metrics_server) == (False, None)
    await runtime.stop()


async def test_the_first_synchronisation_is_awaited(settings: OneiricSettings, tmp_path: Path) -> None:
    """After the start what the manifest offers is registered."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, manifest(tmp_path, "greeting")))
    async with RuntimeOrchestrator(settings) as runtime:
        handle = await runtime.adapter_bridge.use("greeting")
    assert handle.provider == "remote"


async def test_a_source_that_fails_does_not_stop_the_start(
    settings: OneiricSettings, tmp_path: Path, oneiric_telemetry: TelemetryCapture
) -> None:
    """A manifest that is not there is a failure in metric, log and trace; the runtime starts, and is not ready."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, str(tmp_path / "absent.json")))
    with oneiric_telemetry.expect(
        metric("oneiric_remote_sync_total", source="remote", outcome="failed"),
        1,
        event("remote-sync-error", source="remote"),
        span("oneiric.remote.sync", status="ERROR"),
    ):
        async with RuntimeOrchestrator(settings, observers=oneiric_telemetry.observers) as runtime:
            assert (runtime.started, runtime.ready) == (True, False)


async def test_a_slow_source_does_not_hold_up_the_start(settings: OneiricSettings) -> None:
    """A source that does not answer within its latency budget goes on in the background."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/manifest.json"
        settings.remote = RemoteSourceConfig(
            enabled=True, manifest_url=url, timeout=30.0, latency_budget_ms=50.0, max_retries=0
        )
        async with RuntimeOrchestrator(settings) as runtime:
            assert (runtime.started, runtime.ready) == (True, False)
            assert value(runtime.telemetry, "oneiric_remote_sync_loop_running", source="remote") == 1.0
            assert value(runtime.telemetry, "oneiric_remote_sync_total", source="remote", outcome="failed") == 0.0


async def test_a_manifest_given_at_the_start_is_used(settings: OneiricSettings, tmp_path: Path) -> None:
    """The main source can be told where its manifest is, and how often to refresh, when the runtime starts."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, "", enabled=False, manifest_url=None))
    runtime = RuntimeOrchestrator(settings)
    await runtime.start(manifest_url=manifest(tmp_path, "greeting"), refresh_interval_override=77.0)
    assert runtime.resolver.resolve("adapter", "greeting") is not None
    assert value(runtime.telemetry, "oneiric_remote_sync_interval_seconds", source="remote") == 77.0
    await runtime.stop()


async def test_remote_sources_can_be_left_out(settings: OneiricSettings, tmp_path: Path) -> None:
    """Started without remote sources the runtime fetches nothing."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, manifest(tmp_path, "greeting")))
    runtime = RuntimeOrchestrator(settings)
    await runtime.start(enable_remote=False)
    assert runtime.resolver.resolve("adapter", "greeting") is None
    await runtime.stop()


async def test_synchronising_by_hand_raises_what_goes_wrong(settings: OneiricSettings, tmp_path: Path) -> None:
    """A synchronisation that the application asks for tells it what is wrong, or what was registered."""
    settings.remote = RemoteSourceConfig.model_validate(source(tmp_path, "", enabled=False, manifest_url=None))
    async with RuntimeOrchestrator(settings) as runtime:
        assert await runtime.sync_remote() is None
        result = await runtime.sync_remote(manifest(tmp_path, "a", "b"))
        assert result is not None
        assert result.registered == 2
        with pytest.raises(ValueError, match="access denied"):
            await runtime.sync_remote("/etc/hostname")


async def test_sources_come_and_go_with_their_series(settings: OneiricSettings, tmp_path: Path) -> None:
    """A source added at run time is synchronised under its name; removed, its candidates and its series are gone."""
    config = source(tmp_path, manifest(tmp_path, "greeting"), name="extra")
    async with RuntimeOrchestrator(settings) as runtime:
        runtime.remotes.add(RemoteSourceConfig.model_validate(config))
        await runtime.remotes.try_sync("extra")
        assert value(runtime.telemetry, "oneiric_remote_sync_total", source="extra", outcome="success") == 1.0
        with pytest.raises(ValueError, match="there is a remote source called 'extra' already"):
            runtime.remotes.add(RemoteSourceConfig.model_validate(config))
        await runtime.remotes.remove("extra")
        assert runtime.resolver.resolve("adapter", "greeting") is None
        assert value(runtime.telemetry, "oneiric_remote_sync_total", source="extra", outcome="success") is None
        assert value(runtime.telemetry, "oneiric_remote_circuit_open", source="extra") is None


async def test_active_instances_are_probed(tmp_path: Path, observers: Observers, recorder: Recorder) -> None:
    """At each interval every active instance is probed, and one that became unwell is told of."""
    probed = asyncio.Event()
    async with RuntimeOrchestrator(make_settings(tmp_path, probe_interval=0.01), observers=observers) as runtime:
        runtime.resolver.register(candidate())
        instance = (await runtime.adapter_bridge.use("cache")).instance

        async def health() -> bool:
            if recorder.endings(events.HealthCheck)[-1].outcome == "failed":
                probed.set()  # a probe before this one has ended
            return False

        instance.health = health
        await asyncio.wait_for(probed.wait(), 120)
    failed = [end.operation for end in recorder.endings(events.HealthCheck) if end.outcome == "failed"]
    assert failed[0] == events.HealthCheck(
        domain="adapter", key="cache", provider="redis", phase="probe", check="health"
    )


async def test_the_health_file_says_what_is_so(settings: OneiricSettings, tmp_path: Path) -> None:
    """The health file has the process while the runtime runs, the state of its components, and no process after."""
    path = tmp_path / "health.json"
    runtime = RuntimeOrchestrator(settings, health_path=path)
    runtime.resolver.register(candidate())
    await runtime.start()
    assert json.loads(path.read_text())["orchestrator_pid"] is not None
    await runtime.adapter_bridge.use("cache")
    runtime.adapter_bridge.set_paused("cache", paused=True, note="maintenance")
    await runtime.stop()
    written = json.loads(path.read_text())
    assert written["orchestrator_pid"] is None
    assert written["lifecycle_state"]["adapter"]["cache"]["current_provider"] == "redis"
    assert written["activity_state"]["adapter"]["cache"] == {"paused": True, "draining": False, "note": "maintenance"}


async def test_a_health_file_that_cannot_be_written_is_reported(
    settings: OneiricSettings, tmp_path: Path, oneiric_telemetry: TelemetryCapture
) -> None:
    """The runtime starts all the same, and the failure is told."""
    path = tmp_path / "file" / "health.json"
    path.parent.touch()
    with oneiric_telemetry.expect(event("observability-hook-error", sink="runtime_health")):
        async with RuntimeOrchestrator(settings, health_path=path, observers=oneiric_telemetry.observers):
            pass


async def test_telemetry_can_be_switched_off(tmp_path: Path) -> None:
    """With telemetry disabled nothing is attached or served, and everything else works."""
    async with RuntimeOrchestrator(make_settings(tmp_path, enabled=False)) as runtime:
        runtime.resolver.register(candidate())
        await runtime.adapter_bridge.use("cache")
        assert (runtime.telemetry, runtime.metrics_server, runtime.observers.attached) == (None, None, ())


async def test_problems_of_the_settings_are_reported(
    tmp_path: Path, oneiric_telemetry: TelemetryCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left out while the settings were loaded is told once somebody listens."""
    settings = make_settings(tmp_path)
    monkeypatch.setattr(settings, "_problems", ("settings/local.yaml: not read",))
    told = event("observability-hook-error", sink="settings", error="settings/local.yaml: not read")
    with oneiric_telemetry.expect(told, 1):
        RuntimeOrchestrator(settings, observers=oneiric_telemetry.observers)


async def test_two_runtimes_that_share_a_resolver_share_its_telemetry(settings: OneiricSettings) -> None:
    """When one of them stops, the other one goes on counting; when the last one does, nothing stays attached."""
    resolver = Resolver()
    first, second = RuntimeOrchestrator(settings, resolver), RuntimeOrchestrator(settings, resolver)
    await first.start()
    await second.start()
    await first.stop()
    resolver.register(candidate())
    resolver.resolve("adapter", "cache")
    assert second.telemetry is not None
    samples = second.telemetry.samples()["oneiric_resolution_total"]
    assert ({"domain": "adapter", "key": "cache", "provider": "redis"}, 1.0) in samples
    await second.stop()
    assert resolver.observers.attached == ()


@pytest.mark.parametrize(
    ("observability", "text"),
    [
        (
            {"log_limits": {"events": {"swap-failled": {"rate": 1}}}},
            "no log event 'swap-failled'; the nearest: swap-failed",
        ),
        (
            {"otlp": {"endpoint": "https://127.0.0.1:4318", "certificate_file": "/missing/ca.pem"}},
            "otlp.certificate_file '/missing/ca.pem' cannot be used",
        ),
        (
            {"otlp": {"endpoint": "https://127.0.0.1:4317", "protocol": "grpc", "certificate_file": "/missing/ca.pem"}},
            "otlp.certificate_file '/missing/ca.pem' cannot be used",
        ),
    ],
    ids=["log event", "OTLP over HTTP", "OTLP over gRPC"],
)
async def test_wrong_settings_of_telemetry_are_named(
    settings: OneiricSettings, observability: dict[str, Any], text: str
) -> None:
    """What cannot be used is refused when the runtime is made, with the setting, its value and what would be right."""
    wrong = OneiricSettings.model_validate({"cache_dir": settings.cache_dir, "observability": observability})
    with pytest.raises(SettingsError) as raised:
        RuntimeOrchestrator(wrong)
    assert text in str(raised.value)
