"""Spans and counts for code of an application: where they go, and that they need nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as otel_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from oneiric.core import metrics, observability
from oneiric.core.logging import LoggingConfig, configure_logging
from oneiric.core.observability import DecisionEvent, get_tracer, inject_trace_context, observed_span, traced_decision

DECISION = DecisionEvent("adapter", "cache", None, "selected", {"candidates": 2})


class Application:
    """An application with OpenTelemetry."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])

    @property
    def span(self) -> ReadableSpan:
        """The one span that ended."""
        (span,) = self._exporter.get_finished_spans()
        return span

    def points(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """Return attributes and value of every point, by the name of the instrument."""
        data: Any = self._reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], float]]] = {}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            points = metric.data.data_points
            found[metric.name] = [
                (dict(point.attributes), getattr(point, "value", None) or point.sum) for point in points
            ]
        return found


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Application:
    """An application whose providers are those of this process."""
    one = Application()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: one.tracers)
    monkeypatch.setattr(otel_metrics, "get_meter_provider", lambda: one.meters)
    observability.configure_observability()
    return one


def test_a_span_has_name_component_and_attributes(application: Application) -> None:
    """The span goes to the application's provider, in the scope of its component."""
    with observed_span("order", component="shop", attributes={"id": 1}) as span:
        span.set_attribute("more", 2)
    ended = application.span
    assert (ended.name, dict(ended.attributes or {})) == ("order", {"id": 1, "more": 2})
    assert ended.instrumentation_scope is not None
    assert ended.instrumentation_scope.name == "shop"


def test_an_error_passes_and_is_redacted(application: Application) -> None:
    """The body's error is raised; the span fails with a text without credentials and without a stack trace."""
    with pytest.raises(KeyError), observed_span("order"):
        raise KeyError("password=hunter2")
    ended = application.span
    assert ended.status.status_code is trace.StatusCode.ERROR
    assert [dict(event.attributes or {}) for event in ended.events] == [
        {"exception.type": "KeyError", "exception.message": "'password=***"}
    ]


def test_the_scope_can_be_configured(application: Application) -> None:
    """Spans without a component are in the configured scope."""
    observability.configure_observability(observability.ObservabilityConfig(instrumentation_scope="shop"))
    with observed_span("order"):
        pass
    observability.configure_observability()
    assert application.span.instrumentation_scope is not None
    assert application.span.instrumentation_scope.name == "shop"


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_decision_is_a_span_and_a_line(application: Application, capsys: pytest.CaptureFixture[str]) -> None:
    """The span has the event's attributes, an unknown provider too; the line is of level debug."""
    handle = configure_logging(LoggingConfig(level="DEBUG"))
    with traced_decision(DECISION):
        pass
    handle.close()
    expected = {"domain": "adapter", "key": "cache", "provider": "unknown", "decision": "selected", "candidates": 2}
    assert (application.span.name, dict(application.span.attributes or {})) == ("resolver.decision", expected)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["decision"]) == ("resolver-decision", "debug", "selected")


def test_the_trace_context_is_put_into_headers(application: Application) -> None:
    """The headers that are given get the context of the current span, and are returned."""
    headers = {"accept": "*/*"}
    with observed_span("order"):
        assert inject_trace_context(headers) is headers
    assert application.span.context is not None
    assert format(application.span.context.trace_id, "032x") in headers["traceparent"]


def test_counts_go_to_the_meter_provider(application: Application) -> None:
    """Pauses, drains and swaps are recorded under the catalogue's names."""
    metrics.record_pause_state("adapter", True)
    metrics.record_drain_state("adapter", False)
    metrics.record_swap_duration("adapter", "cache", None, 12.0, success=False)
    swap = {"domain": "adapter", "key": "cache", "provider": "unknown", "outcome": "failed"}
    assert application.points() == {
        "oneiric_activity_pause_events_total": [({"domain": "adapter", "state": "paused"}, 1)],
        "oneiric_activity_drain_events_total": [({"domain": "adapter", "state": "cleared"}, 1)],
        "oneiric_lifecycle_swap_duration_ms": [(swap, 12.0)],
    }


def test_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenTelemetry is not installed, spans and counts take everything and keep nothing."""
    observability.configure_observability()
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with observed_span("order") as span, get_tracer("shop").start_as_current_span("inner"):
        span.set_attribute("id", 1)
    metrics.record_pause_state("adapter", True)
    metrics.record_swap_duration("adapter", "cache", "redis", 1.0, success=True)
    with pytest.raises(ValueError, match="sold out"), observed_span("order"):
        raise ValueError("sold out")
    assert (inject_trace_context({}), span.is_recording()) == ({}, False)
    observability.configure_observability()


def test_the_core_imports_no_telemetry() -> None:
    """The public paths in the core load no telemetry before a name is used."""
    program = (
        "import sys, oneiric.core.observability, oneiric.core.metrics; print('oneiric.observability' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"False\n"


@pytest.mark.parametrize("module", [observability, metrics])
def test_an_unknown_name_is_an_attribute_error(module: Any) -> None:
    """What is not published is refused as in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'record_all'"):
        module.record_all  # noqa: B018 - the access is the test
