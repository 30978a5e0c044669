"""What a catalogue is made of: metrics, log events, spans, and the signals that bind them to event types."""

from oneiric.observability.events import Level
from oneiric.observability.model.catalogue import Catalogue
from oneiric.observability.model.metrics import OTHER, CatalogueError, Driver, Label, Metric, MetricType, Stability
from oneiric.observability.model.signals import (
    COMMON_FIELDS,
    COMPONENT_FIELDS,
    ENDED,
    ERROR_FIELDS,
    LINE_FIELDS,
    Count,
    Gone,
    Log,
    Observe,
    Phase,
    Read,
    Signal,
)

__all__ = [
    "COMMON_FIELDS",
    "COMPONENT_FIELDS",
    "ENDED",
    "ERROR_FIELDS",
    "LINE_FIELDS",
    "OTHER",
    "Catalogue",
    "CatalogueError",
    "Count",
    "Driver",
    "Gone",
    "Label",
    "Level",
    "Log",
    "Metric",
    "MetricType",
    "Observe",
    "Phase",
    "Read",
    "Signal",
    "Stability",
]
