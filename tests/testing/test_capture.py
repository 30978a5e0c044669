"""What is captured, from where, and that nothing outside is touched."""

from __future__ import annotations

import contextvars
import gc
import json
import logging
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prometheus_client
import pytest
import structlog
from opentelemetry import trace

from oneiric.core import events
from oneiric.core.concurrency.forks import _renewals
from oneiric.core.config import OneiricSettings
from oneiric.core.lifecycle import LifecycleManager, LifecycleSafetyOptions
from oneiric.core.logging import LoggingConfig, LoggingSinkConfig, configure_logging
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.runtime.orchestrator import RuntimeOrchestrator
from oneiric.testing import TelemetryCapture, equals, event, metric, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSED = events.Paused(domain="adapter", key="cache")
PAUSES = metric("oneiric_activity_pause_events_total")
READY = metric("oneiric_lifecycle_components", domain="adapter", state="ready")
CANDIDATES = metric("oneiric_resolver_candidates", domain="adapter")
REGISTRATIONS = metric("oneiric_resolver_registrations_total")


def candidate() -> Candidate:
    """Return a candidate for the cache."""
    return Candidate(domain="adapter", key="cache", provider="memory", factory=dict)


def settings(directory: Path, **observability: Any) -> OneiricSettings:
    """Return settings of a runtime that serves nothing and keeps its state in *directory*."""
    options = {"metrics_server": False, "probe_interval": None} | observability
    return OneiricSettings.model_validate({"cache_dir": str(directory), "observability": options})


def test_the_fixture_begins_afresh(oneiric_telemetry: TelemetryCapture) -> None:
    """Nothing was told to the telemetry of a test before the test."""
    assert (oneiric_telemetry.events(), oneiric_telemetry.spans(), oneiric_telemetry.value(PAUSES)) == ([], [], 0.0)


def test_two_captures_stay_apart(oneiric_telemetry: TelemetryCapture) -> None:
    """What one runtime tells is captured by its own telemetry only."""
    with TelemetryCapture() as other, oneiric_telemetry.expect_nothing(), other.expect(PAUSES, 1):
        other.observers.notify(PAUSED)


async def test_what_exists_already_can_be_attached(oneiric_telemetry: TelemetryCapture) -> None:
    """A resolver of its own seam is captured once attached, with what it holds, its gauges and its manager's spans."""
    resolver = Resolver()
    resolver.register(candidate())
    manager = LifecycleManager(resolver)
    with oneiric_telemetry.expect(
        CANDIDATES, equals(1), REGISTRATIONS, 0, READY, 1, event("swap-complete"), 1, span("oneiric.lifecycle.swap"), 1
    ):
        oneiric_telemetry.attach(resolver, manager)
        oneiric_telemetry.attach(resolver)
        await manager.swap("adapter", "cache")
    assert oneiric_telemetry.value(REGISTRATIONS) == 1


async def test_what_was_attached_can_be_taken_off(oneiric_telemetry: TelemetryCapture) -> None:
    """After detaching nothing observes the resolver, what was counted stays, and detaching twice changes nothing."""
    resolver = Resolver()
    detach = oneiric_telemetry.attach(resolver)
    resolver.register(candidate())
    detach()
    detach()
    resolver.register(candidate())
    assert resolver.observers.attached == ()
    assert (oneiric_telemetry.value(REGISTRATIONS), len(oneiric_telemetry.events("candidate-registered"))) == (1, 1)
    oneiric_telemetry.attach(resolver)
    with oneiric_telemetry.expect(event("resolver-decision"), 1):
        resolver.resolve("adapter", "cache")


@pytest.mark.parametrize("target", ["resolver", None, object()])
def test_what_tells_nothing_cannot_be_attached(oneiric_telemetry: TelemetryCapture, target: object) -> None:
    """To attach what has neither observers nor states is a TypeError, and nothing else of the call is attached."""
    resolver = Resolver()
    with pytest.raises(TypeError, match=f"nothing to capture from: {type(target).__name__} has neither"):
        oneiric_telemetry.attach(resolver, target)
    assert resolver.observers.attached == ()


@pytest.mark.parametrize("observability", [{}, {"enabled": False}, {"tracing": False}])
async def test_a_runtime_with_telemetry_of_its_own_or_none(
    oneiric_telemetry: TelemetryCapture, tmp_path: Path, observability: dict[str, Any]
) -> None:
    """Whether or not a runtime has telemetry, attaching captures its counters, gauges, lines and spans once each."""
    runtime = RuntimeOrchestrator(settings(tmp_path, **observability))
    async with runtime:
        runtime.resolver.register(candidate())
        oneiric_telemetry.attach(runtime)
        with oneiric_telemetry.expect(
            metric("oneiric_lifecycle_swap_total", outcome="success"),
            1,
            READY,
            1,
            PAUSES,
            1,
            metric("oneiric_activity_paused_components", domain="adapter"),
            equals(1),
            event("swap-complete", key="cache"),
            1,
            span("oneiric.lifecycle.swap", key="cache"),
            1,
        ):
            await runtime.adapter_bridge.use("cache")
            runtime.adapter_bridge.set_paused("cache", paused=True)
    oneiric_telemetry.close()
    assert runtime.observers.attached == ()


async def test_a_runtime_made_with_the_seam(oneiric_telemetry: TelemetryCapture, tmp_path: Path) -> None:
    """A runtime that is given the observers reports into the telemetry of the test, and leaves it in place."""
    with oneiric_telemetry.expect(
        metric("oneiric_lifecycle_swap_total", outcome="success"), 1, event("swap-complete"), 1
    ):
        async with RuntimeOrchestrator(settings(tmp_path), observers=oneiric_telemetry.observers) as runtime:
            runtime.resolver.register(candidate())
            await runtime.adapter_bridge.use("cache")
            assert oneiric_telemetry.value(READY) == 1
            assert runtime.telemetry is not None
            assert runtime.telemetry.registry is oneiric_telemetry.registry
    with oneiric_telemetry.expect(PAUSES, 1):
        oneiric_telemetry.observers.notify(PAUSED)


def test_telemetry_of_somebody_else_stays(oneiric_telemetry: TelemetryCapture) -> None:
    """A seam with telemetry keeps it, before and after; what it had counted is not counted as new."""
    seam = Observers()
    with attach(seam, tracing=False) as theirs:
        seam.notify(PAUSED)
        before = seam.attached
        with oneiric_telemetry.expect(PAUSES, 1, event("domain-paused"), 1):
            detach = oneiric_telemetry.attach(seam)
            seam.notify(PAUSED)
        assert oneiric_telemetry.value(PAUSES) == 2
        detach()
        assert seam.attached == before
        assert theirs in before


def test_lines_are_captured_whatever_the_logging_configuration(oneiric_telemetry: TelemetryCapture) -> None:
    """With logging disabled in the process every line comes all the same, without a rate limit."""
    blocked = events.WorkBlocked(domain="adapter", key="cache", reason="paused")
    logging.disable(logging.CRITICAL)
    try:
        with oneiric_telemetry.expect(event("domain-activity-blocked", level="warning", logger="oneiric.activity"), 3):
            for _ in range(3):
                oneiric_telemetry.observers.notify(blocked)
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """The names of the lines that the process wrote to a file, by its own logging set-up, as an application does."""
    root, path = logging.getLogger(), tmp_path / "lines.jsonl"
    handlers, level = root.handlers[:], root.level
    handle = configure_logging(LoggingConfig(level="DEBUG", sinks=[LoggingSinkConfig(target="file", path=str(path))]))

    def read() -> list[str]:
        handle.close()
        return [json.loads(line)["event"] for line in path.read_text(encoding="utf-8").splitlines()]

    yield read
    configure_logging(suppress_events=True)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_are_captured_and_written_under_our_own_logging_setup(written: Callable[[], list[str]]) -> None:
    """Where the set-up of Oneiric writes the lines, each is captured once and in the file once."""
    with TelemetryCapture() as telemetry, telemetry.expect(event("domain-paused", key="cache"), 1):
        telemetry.observers.notify(PAUSED)
    assert written().count("domain-paused") == 1


def test_however_many_lines_there_are_all_are_captured(oneiric_telemetry: TelemetryCapture) -> None:
    """No limit of how often an event is written applies to what is captured."""
    with oneiric_telemetry.expect(event("manifest-unsigned"), 2000):
        for _ in range(2000):
            oneiric_telemetry.observers.notify(events.ManifestUnsigned(source="main"))


def test_lines_go_where_they_always_go(oneiric_telemetry: TelemetryCapture, caplog: pytest.LogCaptureFixture) -> None:
    """What the configuration of the process writes is written, and counted, as without the capture."""
    oneiric_telemetry.observers.notify(events.ManifestUnsigned(source="main"))
    oneiric_telemetry.observers.notify(PAUSED)
    assert [record.name for record in caplog.records] == ["oneiric.remote"]
    assert oneiric_telemetry.value(metric("oneiric_log_events_total")) == 1


def test_a_span_is_current_in_the_block(oneiric_telemetry: TelemetryCapture) -> None:
    """While an operation runs its span records, and lines written in it carry its ids."""
    swap = events.Swap(domain="adapter", key="cache")
    with oneiric_telemetry.observers.operation(swap):
        current = trace.get_current_span()
        assert current.is_recording()
        oneiric_telemetry.observers.notify(PAUSED)
    (line,) = oneiric_telemetry.events("domain-paused")
    assert line["span_id"] == format(current.get_span_context().span_id, "016x")


def _outside() -> list[object]:
    root = logging.getLogger()
    return [
        (root.level, list(root.handlers), logging.getLogger("oneiric").handlers, logging.getLogger("oneiric").level),
        (structlog.is_configured(), structlog.get_config()),
        trace.get_tracer_provider(),
        {family.name for family in prometheus_client.REGISTRY.collect()},
        dict(contextvars.copy_context()),
        threading.enumerate(),
        len(list(Path("/proc/self/fd").iterdir())),
        signal.getsignal(signal.SIGTERM),
        dict(os.environ),
    ]


async def test_nothing_outside_is_touched() -> None:
    """Logging, structlog, global registry and provider, context, threads and files stay as they were, in and after."""
    with TelemetryCapture() as warmed_up:  # what is made once in a process is there
        warmed_up.observers.notify(PAUSED)
    before = _outside()
    with TelemetryCapture() as telemetry:
        assert _outside() == before
        resolver = Resolver(observers=telemetry.observers)
        manager = LifecycleManager(resolver, safety=LifecycleSafetyOptions(sync_in_thread=False))
        telemetry.attach(manager)
        resolver.register(candidate())
        with telemetry.expect(event("swap-complete")):
            await manager.swap("adapter", "cache")
        assert _outside() == before
    assert _outside() == before
    assert telemetry.observers.attached == ()
    assert len(telemetry.events("swap-complete")) == 1


def _alive() -> int:
    gc.collect()
    return sum(renew() is not None for renew in _renewals)


def test_captures_do_not_pile_up() -> None:
    """Nothing that a process remembers keeps a closed capture alive."""
    before = _alive()
    for _ in range(20):
        TelemetryCapture().close()
    assert _alive() <= before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_can_be_told(oneiric_telemetry: TelemetryCapture) -> None:
    """A child that is forked while another thread holds the memory of lines can go on writing."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with oneiric_telemetry.lines._lock.held:
            held.set()
            release.wait(120)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(120)
    child = os.fork()
    if child == 0:  # no assertion may leave the child
        signal.alarm(120)
        oneiric_telemetry.lines.append({"event": "x"})
        os._exit(0)
    release.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
