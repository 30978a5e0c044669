"""Every metric, log event and span, and what writes and serves them."""

from oneiric.observability.attaching import attach
from oneiric.observability.export import OtlpOptions, PushOptions, push, write_textfile
from oneiric.observability.exposition import Exposition, asgi_app, wsgi_app
from oneiric.observability.logs import LogLimits, LogRate
from oneiric.observability.metrics.shared import clear_shared_directory
from oneiric.observability.server import MetricsServer, ServerLimits, ServerSecurity
from oneiric.observability.telemetry import Telemetry

__all__ = [
    "Exposition",
    "LogLimits",
    "LogRate",
    "MetricsServer",
    "OtlpOptions",
    "PushOptions",
    "ServerLimits",
    "ServerSecurity",
    "Telemetry",
    "asgi_app",
    "attach",
    "clear_shared_directory",
    "push",
    "write_textfile",
    "wsgi_app",
]
