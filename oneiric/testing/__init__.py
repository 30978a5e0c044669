"""Expect telemetry in tests: what was counted, logged and traced, by the names of the catalogue.

With pytest nothing needs to be imported: the fixture ``oneiric_telemetry`` is there. What stands here is imported when
it is first used, so that a test run that does not use it pays nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric.testing._capture import TelemetryCapture
    from oneiric.testing._expectations import equals
    from oneiric.testing._lines import LogLine
    from oneiric.testing._names import UnknownSignalError
    from oneiric.testing._selectors import event, metric, span
    from oneiric.testing._spans import SpanRecord
    from oneiric.testing._window import Window

__all__ = [
    "LogLine",
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
    "LogLine": "_lines",
    "SpanRecord": "_spans",
    "TelemetryCapture": "_capture",
    "UnknownSignalError": "_names",
    "Window": "_window",
    "equals": "_expectations",
    "event": "_selectors",
    "metric": "_selectors",
    "span": "_selectors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
