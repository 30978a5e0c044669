"""All that a catalogue promises, as a file to compare."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric.observability.model import Catalogue, Count, Metric, Observe, Read, Signal


def golden(catalogue: Catalogue) -> str:
    """Return all that *catalogue* promises as JSON text; it changes when, and only when, a signal does."""
    document = {
        "metrics": {metric.name: _metric(metric) for metric in catalogue.metrics},
        "signals": {signal.event.__name__: _signal(signal) for signal in catalogue.signals},
    }
    return json.dumps(document, indent=1) + "\n"


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "type": metric.type,
        "stability": metric.stability,
        "labels": {label.name: {"values": list(label.values), "open": label.open} for label in metric.labels},
        "buckets": list(metric.buckets),
        "fold": metric.fold,
        "merge": metric.merge,
    }


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "metrics": [_binding(binding) for binding in signal.metrics],
        "logs": [_plain(log) for log in signal.logs],
        "span": signal.span,
        "logger": signal.area,
        "known": list(signal.known),
        "gone": [_plain(gone) for gone in signal.gone],
    }


def _binding(binding: Count | Observe | Read) -> dict[str, Any]:
    return _plain(binding) | {"metric": binding.metric.name, "is": type(binding).__name__}


def _plain(record: Any) -> dict[str, Any]:
    # why nothing asks for a signal is no promise
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "unused"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
