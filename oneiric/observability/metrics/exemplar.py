"""One observation, and the trace that it belongs to."""

from __future__ import annotations

from typing import NamedTuple


class Exemplar(NamedTuple):
    """One observation and the trace that it was made in; ``timestamp`` is seconds since the Unix epoch."""

    trace_id: str
    span_id: str
    value: float
    timestamp: float
