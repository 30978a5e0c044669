"""Histograms carry exemplars with the trace in which something took that long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support import Clock

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.samples import Exemplar

    from oneiric.observability import Telemetry

NAME = "oneiric_resolution_duration_seconds"


@pytest.fixture
def resolver() -> Resolver:
    """A resolver with one candidate."""
    resolver = Resolver(observers=Observers(clock=Clock()))
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    return resolver


@pytest.fixture
def provider() -> TracerProvider:
    """Where spans are recorded."""
    return TracerProvider()


@pytest.fixture
def telemetry(resolver: Resolver, provider: TracerProvider) -> Iterator[Telemetry]:
    """The telemetry attached to the resolver."""
    with attach(resolver, tracer_provider=provider) as telemetry:
        yield telemetry


def exemplars(telemetry: Telemetry, name: str) -> dict[str, Exemplar]:
    """Return the exemplars of the buckets of *name* by their bound, as OpenMetrics exposes them."""
    response = telemetry.exposition().respond(
        method="GET", path="/metrics", accept="application/openmetrics-text; version=1.0.0"
    )
    families = text_string_to_metric_families(response.body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == f"{name}_bucket"]
    return {sample.labels["le"]: sample.exemplar for sample in samples if sample.exemplar is not None}


def test_a_resolution_in_a_recorded_span_is_an_exemplar(
    resolver: Resolver, telemetry: Telemetry, provider: TracerProvider
) -> None:
    """The bucket of a resolution names the trace; one outside a span takes nothing away, and is counted too."""
    resolver.resolve("adapter", "cache")
    with provider.get_tracer("test").start_as_current_span("request") as span:
        resolver.resolve("adapter", "cache")
    resolver.resolve("adapter", "cache")
    context = span.get_span_context()
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    assert {bound: (found.labels, found.value) for bound, found in exemplars(telemetry, NAME).items()} == {
        "1e-05": (ids, 0.0)
    }
    assert [value for _, value in telemetry.samples()[f"{NAME}_count"]] == [3]


def test_the_last_exemplar_of_a_bucket_stays(
    resolver: Resolver, telemetry: Telemetry, provider: TracerProvider
) -> None:
    """Of two traced resolutions in one bucket the later is shown."""
    spans = []
    for _ in range(2):
        with provider.get_tracer("test").start_as_current_span("request") as span:
            resolver.resolve("adapter", "cache")
            spans.append(span)
    assert exemplars(telemetry, NAME)["1e-05"].labels["span_id"] == f"{spans[1].get_span_context().span_id:016x}"


def test_an_operation_names_its_own_span(resolver: Resolver, telemetry: Telemetry) -> None:
    """A swap that nobody traces but Oneiric itself is an exemplar of the swap's own span, in the histogram's unit."""
    clock = resolver.observers.clock
    assert isinstance(clock, Clock)
    with resolver.observers.operation(events.Swap(domain="adapter", key="cache")):
        clock.advance(0.3)
    found = exemplars(telemetry, "oneiric_lifecycle_swap_duration_ms")
    assert {bound: round(exemplar.value) for bound, exemplar in found.items()} == {"500.0": 300}


def test_a_span_that_is_not_recorded_leaves_no_exemplar(resolver: Resolver, telemetry: Telemetry) -> None:
    """A trace that was not sampled cannot be looked at, and is not pointed to."""
    silent = TracerProvider(sampler=ALWAYS_OFF)
    with silent.get_tracer("test").start_as_current_span("request"):
        resolver.resolve("adapter", "cache")
    assert exemplars(telemetry, NAME) == {}
    assert [value for _, value in telemetry.samples()[f"{NAME}_count"]] == [1]
