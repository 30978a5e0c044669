"""Signals that no rule, panel or guide asks for, each with the reason; the check holds this list to the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.logql import log_of
from oneiric.observability import events as own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.events import Event


def _lines_of(event: type[Event]) -> str:
    _, log = log_of(event)
    return log.name


UNUSED: Mapping[str, str] = {
    _lines_of(events.ArtifactCacheHit): "it tells of what is normal; the metric of downloads counts it",
    _lines_of(own.MetricsServerExposed): "it warns whoever starts the process, once",
}
"""Why nothing asks for a signal, by its name: that of a catalogue's metric or log event, or of a recording rule."""
