"""Capture the spans of operations: those of the tracing sink, or where there is no SDK records that equal them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from oneiric.testing.spans import SeamSpans

try:
    from oneiric.testing.sdk_spans import recording_sink
except ImportError:  # OpenTelemetry or its SDK is not installed
    recording_sink = SeamSpans  # type: ignore[assignment]

if TYPE_CHECKING:
    from oneiric.core.observers import Observer
    from oneiric.testing.kept import Kept
    from oneiric.testing.spans import SpanRecord

_DISABLED = "OTEL_SDK_DISABLED"  # makes every tracer of the SDK one that does nothing


def capturing_observer(spans: Kept[SpanRecord]) -> Observer:
    """Return the observer that puts the span of each operation into *spans*.

    Where the OpenTelemetry SDK is installed that is the production sink with a provider of its own, whose spans are
    current while the runtime works; where it is not, the same records are made of the events at the seam.
    """
    if os.environ.get(_DISABLED, "").strip().lower() == "true":
        return SeamSpans(spans)
    return recording_sink(spans)
