"""What every shipper of log lines has in common: labels, metadata, and where the lines go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

METADATA = ("level", "logger", "trace_id", "span_id")
"""The fields of a line that are kept beside it, to be compared without reading the line: no stream for each value."""
TIMESTAMP = "timestamp"
TIMESTAMP_FORMAT = "RFC3339Nano"
FIELDS = {field: field for field in (TIMESTAMP, *METADATA)}
"""What is taken from each line, by the name it is known by then."""


def push_url(config: BundleConfig) -> str:
    """Return the address at which Loki takes lines."""
    return f"{config.loki_url}/loki/api/v1/push"
