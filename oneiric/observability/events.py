"""What the telemetry reports of itself, through the same seam as the runtime."""

from __future__ import annotations

from typing import Literal

from oneiric.core.events import Event, State

Level = Literal["debug", "info", "warning", "error"]
"""How grave a log event is."""

SpanLoss = Literal["queue_full", "refused", "invalid", "stopped"]
"""Why an ended span is not exported."""


class Attached(Event, frozen=True, kw_only=True, gc=False):
    """A sink was attached to a seam."""

    sink: str


class MetricsServerStarted(Event, frozen=True, kw_only=True, gc=False):
    """The metrics server listens on ``address`` and ``port``."""

    address: str
    port: int


class MetricsServerFailed(Event, frozen=True, kw_only=True, gc=False):
    """The metrics server could not listen; the host goes on without it."""

    address: str
    port: int
    error_type: str
    error: str


class MetricsServerJoined(Event, frozen=True, kw_only=True, gc=False):
    """Another process of the service serves the metrics at ``address`` and ``port``; ``hint`` says what it shows."""

    address: str
    port: int
    hint: str


class MetricsServerExposed(Event, frozen=True, kw_only=True, gc=False):
    """Others may reach the metrics server without what is ``missing``: tls, authentication or both."""

    address: str
    port: int
    missing: str


class LogWritten(Event, frozen=True, kw_only=True, gc=False):
    """A log event of the catalogue was handed to the logging set-up; ``event`` is its name."""

    event: str
    level: Level


class LogSuppressed(Event, frozen=True, kw_only=True, gc=False):
    """A log event was dropped by its rate limit."""

    event: str


class SeriesFolded(Event, frozen=True, kw_only=True, gc=False):
    """Samples of ``metric`` went into the folded series, their own label sets being over the budget."""

    metric: str
    samples: int


class SeriesLimitReached(Event, frozen=True, kw_only=True, gc=False):
    """``metric`` reached its series budget; reported once."""

    metric: str


class ScrapeFailed(Event, frozen=True, kw_only=True, gc=False):
    """A collector failed in a scrape; the others were exposed."""

    collector: str
    error_type: str
    error: str


class SpansLost(Event, frozen=True, kw_only=True, gc=False):
    """So many ended spans will never be exported."""

    spans: int
    reason: SpanLoss


class BuildState(State, frozen=True, kw_only=True, gc=False):
    """What runs here."""

    version: str
    python: str
    implementation: str


class ScrapeState(State, frozen=True, kw_only=True, gc=False):
    """The last scrape; ``duration`` is seconds, None before the first."""

    duration: float | None = None


class SeriesCount(State, frozen=True, kw_only=True, gc=False):
    """How many label sets a metric has."""

    metric: str
    count: int
