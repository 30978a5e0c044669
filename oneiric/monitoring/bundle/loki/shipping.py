"""What every shipper of log lines has in common: labels, metadata, and where the lines go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

METADATA = ("level", "logger", "trace_id", "span_id")
"""The fields of a line that are kept beside it, to be compared without reading the line: no stream for each value."""
TIMESTAMP = "timestamp"
FIELDS = {field: field for field in (TIMESTAMP, *METADATA)}
"""What is taken from each line, by the name it is known by then."""


def timestamp(*, timed: bool) -> dict[str, str]:
    """Return how the time of a line is read.

    A line without one, as of a traceback, gets the time of the line before it, so that the two stay together. With
    *timed* it keeps the time that the journal or the container gave it: the line before may be hours old.
    """
    # Said, as Alloy's default is not what its documentation says in every version.
    return {"source": TIMESTAMP, "format": "RFC3339Nano", "action_on_failure": "skip" if timed else "fudge"}


def push_url(config: BundleConfig) -> str:
    """Return the address at which Loki takes lines."""
    return f"{config.loki_url}/loki/api/v1/push"
