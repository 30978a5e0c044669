"""The page of metrics: collected, written and negotiated, whoever asks for it."""

from oneiric.observability.exposition.applications import asgi_app, wsgi_app
from oneiric.observability.exposition.exposition import Exposition
from oneiric.observability.exposition.isolation import IsolatedCollector, own_registry
from oneiric.observability.exposition.rendering import (
    MAX_RESTRICTED,
    MIN_GZIP_BYTES,
    OPENMETRICS_CONTENT_TYPE,
    TEXT_CONTENT_TYPE,
    Page,
    Source,
    render,
)
from oneiric.observability.exposition.responses import (
    LANDING_PATH,
    LIVEZ_PATH,
    METRICS_PATH,
    METRICS_PATHS,
    READYZ_PATH,
    OwnMetricsMissingError,
    Response,
    error_response,
)
from oneiric.observability.exposition.text import text_of

__all__ = [
    "LANDING_PATH",
    "LIVEZ_PATH",
    "MAX_RESTRICTED",
    "METRICS_PATH",
    "METRICS_PATHS",
    "MIN_GZIP_BYTES",
    "OPENMETRICS_CONTENT_TYPE",
    "READYZ_PATH",
    "TEXT_CONTENT_TYPE",
    "Exposition",
    "IsolatedCollector",
    "OwnMetricsMissingError",
    "Page",
    "Response",
    "Source",
    "asgi_app",
    "error_response",
    "own_registry",
    "render",
    "text_of",
    "wsgi_app",
]
