"""The log pipeline: Loki, Alloy and Promtail, and the queries over it."""

from oneiric.monitoring.bundle.loki.guide import with_queries
from oneiric.monitoring.bundle.loki.pipeline import pipeline_files
from oneiric.monitoring.bundle.loki.shipping import METADATA

__all__ = [
    "METADATA",
    "pipeline_files",
    "with_queries",
]
