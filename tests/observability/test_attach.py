"""Attaching telemetry: what is seen, that it is idempotent, and that it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability import events as own

if TYPE_CHECKING:
    from support import Recorder

PAUSED = events.Paused(domain="adapter", key="cache")
PAUSES = ("oneiric_activity_pause_events_total", {"domain": "adapter", "state": "paused"})


def candidate(key: str) -> Candidate:
    """Return a candidate for *key*."""
    return Candidate(domain="adapter", key=key, provider="redis", factory=dict)


def test_what_happens_after_attaching_is_counted(observers: Observers) -> None:
    """Events through the seam are in the registry of the telemetry."""
    with attach(observers) as telemetry:
        observers.notify(PAUSED)
        assert telemetry.registry.get_sample_value(*PAUSES) == 1.0


def test_what_was_registered_before_attaching_is_counted_too() -> None:
    """A resolver that already has candidates shows them, their registrations, and their series at 0."""
    resolver = Resolver()
    resolver.register(candidate("cache"))
    with attach(resolver) as telemetry:
        samples = telemetry.samples()
    active = ({"domain": "adapter", "state": "active"}, 1.0)
    assert active in samples["oneiric_resolver_candidates"]
    labels = {"domain": "adapter", "origin": "local_pkg"}
    assert (labels, 1.0) in samples["oneiric_resolver_registrations_total"]
    labels = {"domain": "adapter", "key": "cache", "provider": "redis"}
    assert samples["oneiric_resolution_total"] == [(labels, 0.0)]


def test_attaching_twice_changes_nothing() -> None:
    """A second attach to the same runtime returns the same telemetry, and everything is counted once."""
    resolver = Resolver()
    resolver.register(candidate("cache"))
    first = attach(resolver)
    with attach(resolver, resolver.observers) as second:
        assert first is second
        resolver.resolve("adapter", "cache")
        samples = second.samples()
        attached = len(resolver.observers.attached)
    assert [value for _, value in samples["oneiric_resolution_total"]] == [1.0]
    assert sum(value for _, value in samples["oneiric_resolver_registrations_total"]) == 1.0
    assert (attached, resolver.observers.attached) == (4, ())


def test_a_further_target_joins(observers: Observers, recorder: Recorder) -> None:
    """A second seam attached together with one that has telemetry reports into the same metrics."""
    other = Observers()
    with attach(observers) as telemetry:
        assert attach(observers, other) is telemetry
        observers.notify(PAUSED)
        other.notify(PAUSED)
        assert telemetry.registry.get_sample_value(*PAUSES) == 2.0
    assert (observers.attached, other.attached) == ((recorder,), ())


def test_two_runtimes_with_telemetry_of_their_own_stay_apart(observers: Observers) -> None:
    """Attaching to both at once joins the first's and doubles nothing for the second."""
    other = Observers()
    with attach(observers) as first, attach(other) as second:
        sinks = len(other.attached)
        assert attach(observers, other) is first
        other.notify(PAUSED)
        assert len(other.attached) == sinks
        assert [t.registry.get_sample_value(*PAUSES) for t in (first, second)] == [None, 1.0]


def test_detaching_leaves_nothing_and_is_idempotent(observers: Observers) -> None:
    """After detaching nobody wants anything, the registry is as it was, and a second detach does nothing."""
    registry = CollectorRegistry()
    telemetry = attach(observers, registry=registry)
    telemetry.detach()
    telemetry.detach()
    assert observers.attached == ()
    assert not observers.wants(events.Paused)
    assert list(registry.collect()) == []
    attach(observers, registry=registry).detach()


def test_a_registry_of_the_host_is_used(observers: Observers) -> None:
    """The metrics can be registered in the application's own registry, without the process's collectors."""
    registry = CollectorRegistry()
    with attach(observers, registry=registry) as telemetry:
        observers.notify(PAUSED)
        assert telemetry.registry is registry
        assert registry.get_sample_value(*PAUSES) == 1.0
        assert not [family.name for family in registry.collect() if not family.name.startswith("oneiric_")]


def test_the_collector_can_be_registered_elsewhere(observers: Observers) -> None:
    """The collector of an attached telemetry can be put into a further registry."""
    registry = CollectorRegistry()
    with attach(observers) as telemetry:
        registry.register(telemetry.collector)
        observers.notify(PAUSED)
        assert registry.get_sample_value(*PAUSES) == 1.0


def test_a_registry_that_has_the_names_refuses_and_nothing_is_attached(observers: Observers) -> None:
    """Two runtimes in one registry are refused with an error, before anything was attached."""
    registry = CollectorRegistry()
    with attach(Observers(), registry=registry), pytest.raises(ValueError, match="Duplicated timeseries"):
        attach(observers, registry=registry)
    assert observers.attached == ()


def test_its_own_registry_has_the_process_too(observers: Observers) -> None:
    """Without a registry given there is one with the process, platform and garbage collector metrics."""
    with attach(observers) as telemetry:
        names = {family.name for family in telemetry.registry.collect()}
    assert {"process_open_fds", "python_info", "python_gc_collections"} <= names


def test_nothing_to_attach_to_is_an_error() -> None:
    """Attaching to what reports nothing names what was given."""
    with pytest.raises(ValueError, match=r"nothing to attach to: none of \['str'\] has observers"):
        attach("resolver")


def test_sinks_are_told_of(observers: Observers, recorder: Recorder) -> None:
    """Each sink that was attached is reported, and its error series starts at 0."""
    with attach(observers) as telemetry:
        assert recorder.of(own.Attached) == [own.Attached(sink=name) for name in ("tracing", "prometheus", "log")]
        labels = {"sink": "log"}
        assert telemetry.registry.get_sample_value("oneiric_observability_hook_errors_total", labels) == 0.0


def test_tracing_can_be_left_out(observers: Observers, recorder: Recorder) -> None:
    """Without tracing there are two sinks."""
    with attach(observers, tracing=False):
        assert [event.sink for event in recorder.of(own.Attached)] == ["prometheus", "log"]


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import oneiric.core.lifecycle, oneiric.core.resolution", "prometheus_client structlog opentelemetry"),
        ("import oneiric.observability", "opentelemetry"),
        ("import oneiric.cli", "prometheus_client structlog opentelemetry httpx rich.live"),
    ],
)
def test_imports_bring_no_more_than_they_need(code: str, absent: str) -> None:
    """Importing a part does not import the vendors that it has no use for."""
    check = f"import sys\n{code}\nassert not sys.modules.keys() & set({absent.split()!r})"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_what_was_told_is_not_counted_again_when_its_teller_is_attached() -> None:
    """A resolver that reports through a seam with telemetry brings no registration that was counted already."""
    observers = Observers()
    with attach(observers) as telemetry:
        resolver = Resolver(observers=observers)
        for number in range(3):
            resolver.register(candidate(f"key-{number}"))
        assert attach(resolver) is telemetry
        assert sum(value for _, value in telemetry.samples()["oneiric_resolver_registrations_total"]) == 3.0
