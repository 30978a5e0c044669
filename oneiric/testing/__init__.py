"""Expect telemetry in tests: what was counted, logged and traced, by the names of the catalogue.

With pytest nothing needs to be imported: the fixture ``oneiric_telemetry`` is there. What stands here is imported when
it is first used, so that a test run that does not use it pays nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric.testing.capture import TelemetryCapture
    from oneiric.testing.expectations import equals
    from oneiric.testing.lines import LogLine
    from oneiric.testing.names import UnknownSignalError
    from oneiric.testing.selectors import event, metric, span
    from oneiric.testing.service import ServiceTelemetry
    from oneiric.testing.spans import SpanRecord
    from oneiric.testing.window import Window

__all__ = [
    "LogLine",
    "ServiceTelemetry",
    "SpanRecord",
    "TelemetryCapture",
    "UnknownSignalError",
    "Window",
    "equals",
    "event",
    "metric",
    "span",
]

_HOMES = {
    "LogLine": "lines",
    "ServiceTelemetry": "service",
    "SpanRecord": "spans",
    "TelemetryCapture": "capture",
    "UnknownSignalError": "names",
    "Window": "window",
    "equals": "expectations",
    "event": "selectors",
    "metric": "selectors",
    "span": "selectors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
