"""What the settings of a runtime say of export and pushes is done, and what is wrong in them is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from collectors import black_hole, http_collector, raw_server

from oneiric.core.config import OneiricSettings, SettingsError, load_settings
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path


def make_settings(directory: Path, **observability: Any) -> OneiricSettings:
    """Return settings with the state in *directory* and no metrics server."""
    options = {"metrics_server": False, "probe_interval": None} | observability
    logging = {"service_name": "shop", "environment": "test", "release": "7"}
    return OneiricSettings.model_validate(
        {"cache_dir": str(directory / "cache"), "observability": options, "logging": logging}
    )


async def swap(runtime: RuntimeOrchestrator) -> None:
    """Register and use an adapter."""
    runtime.resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    await runtime.adapter_bridge.use("cache")


async def test_a_runtime_exports_until_it_stops(tmp_path: Path) -> None:
    """Spans and final metrics of a runtime are exported by the end of its stop, under its service name."""
    with http_collector() as received:
        async with RuntimeOrchestrator(make_settings(tmp_path, otlp={"endpoint": received.url})) as runtime:
            await swap(runtime)
        resource = received.resource()
        assert "oneiric.lifecycle.swap" in [span.name for span in received.spans]
        swaps = received.metric("oneiric.lifecycle.swap")
    assert swaps is not None
    assert 1.0 in [point.as_double for point in swaps.sum.data_points]
    assert (resource["service.name"], resource["service.version"], resource["deployment.environment.name"]) == (
        "shop",
        "7",
        "test",
    )


async def test_a_runtime_pushes_when_it_stops(tmp_path: Path) -> None:
    """What a runtime counted is in the text file after its stop, gauges of its parts included."""
    path = tmp_path / "metrics.prom"
    async with RuntimeOrchestrator(make_settings(tmp_path, push={"textfile": path})) as runtime:
        await swap(runtime)
    text = path.read_text(encoding="utf-8")
    assert 'oneiric_lifecycle_swap_total{domain="adapter",key="cache",outcome="success"} 1.0\n' in text
    assert 'oneiric_activity_paused_components{domain="adapter"} 0.0\n' in text


@pytest.mark.slow
async def test_silent_receivers_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    """A collector and a Pushgateway that say nothing are given up, and the loop goes on meanwhile."""
    with raw_server(black_hole) as url:
        settings = make_settings(tmp_path, otlp={"endpoint": url}, push={"pushgateway": url})
        runtime = RuntimeOrchestrator(settings)
        await runtime.start()
        await swap(runtime)
        stopping = asyncio.create_task(runtime.stop())
        turns = 0
        async with asyncio.timeout(120):
            while not stopping.done():
                await asyncio.sleep(0.01)
                turns += 1
        await stopping
        assert turns > 1


async def test_telemetry_of_somebody_else_goes_on(tmp_path: Path) -> None:
    """A runtime with a resolver that has telemetry already neither exports for it nor stops it."""
    resolver = Resolver()
    with attach(resolver) as telemetry:
        path = tmp_path / "metrics.prom"
        async with RuntimeOrchestrator(make_settings(tmp_path, push={"textfile": path}), resolver) as runtime:
            assert runtime.telemetry is telemetry
        assert not path.exists()
        assert telemetry.samples()


@pytest.mark.parametrize(
    ("otlp", "wanted"),
    [
        ({}, False),
        ({"endpoint": "http://c"}, True),
        ({"enabled": True}, True),
        ({"endpoint": "http://c", "enabled": False}, False),
    ],
)
def test_export_has_to_be_asked_for(otlp: dict[str, Any], *, wanted: bool) -> None:
    """An endpoint, or being enabled, asks for export; the standard variables alone do not."""
    assert OneiricSettings.model_validate({"observability": {"otlp": otlp}}).observability.otlp.wanted is wanted


def test_short_names_of_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The endpoint, the Pushgateway and the text file can be set by short environment variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEIRIC_OTLP_ENDPOINT", "http://c:4318")
    monkeypatch.setenv("ONEIRIC_PUSHGATEWAY", "http://p:9091")
    monkeypatch.setenv("ONEIRIC_TEXTFILE", "/tmp/m.prom")
    observability = load_settings().observability
    assert (observability.otlp.endpoint, observability.push.pushgateway, str(observability.push.textfile)) == (
        "http://c:4318",
        "http://p:9091",
        "/tmp/m.prom",
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ONEIRIC_OTLP_ENDPOINT", "user:hunter2@c", "ONEIRIC_OTLP_ENDPOINT.*must be http://host:port"),
        ("ONEIRIC_PUSHGATEWAY", "http://user:hunter2@c/?x", "ONEIRIC_PUSHGATEWAY.*must be http://host:port"),
        ("ONEIRIC_OBSERVABILITY__OTLP__PROTOCOL", "http/json", "http/protobuf"),
        ("ONEIRIC_OBSERVABILITY__PUSH__GROUPING", '{"job": "x"}', "must be the name of a label other than job"),
        ("ONEIRIC_OBSERVABILITY__PUSH__INTERVAL", "0", "greater than or equal to 0.001"),
    ],
)
def test_wrong_settings_are_told_without_secrets(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wrong setting is named with its variable and what is right, without a credential."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


def test_a_wrong_standard_variable_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A standard variable that is wrong is a settings error when the runtime is made, which leaves nothing attached."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere")
    resolver = Resolver()
    with pytest.raises(SettingsError, match="observability: OTEL_EXPORTER_OTLP_ENDPOINT: http://host:port"):
        RuntimeOrchestrator(make_settings(tmp_path, otlp={"enabled": True}), resolver)
    assert resolver.observers.attached == ()
