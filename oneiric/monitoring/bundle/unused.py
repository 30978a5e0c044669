"""Signals that no rule, panel or guide asks for, each with the reason; the check holds this list to the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.logql import log_of
from oneiric.observability import catalogue
from oneiric.observability import events as own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.events import Event
    from oneiric.observability.model import Metric, Phase

METRICS: Mapping[Metric, str] = {}
"""Why nothing asks for a metric."""

LOGS: Mapping[tuple[type[Event], Phase | None], str] = {
    (events.ArtifactCacheHit, None): f"of level debug: {catalogue.DOWNLOADS.name} counts them",
    (own.MetricsServerJoined, None): "where to look, for who starts several processes",
    (own.MetricsServerExposed, None): "a warning about the settings, for who starts a process",
}
"""Why nothing asks for the log event of an event, or of a phase of an operation."""

UNUSED: Mapping[str, str] = {
    **{metric.name: reason for metric, reason in METRICS.items()},
    **{log_of(event, phase)[1].name: reason for (event, phase), reason in LOGS.items()},
}
"""Why nothing asks for a signal, by its name in the catalogue."""
