"""Every metric, log event and span, and what writes and serves them."""

from oneiric.observability._access import ServerSecurity
from oneiric.observability._apps import asgi_app, wsgi_app
from oneiric.observability._limits import ServerLimits
from oneiric.observability._log_limits import LogLimits, LogRate
from oneiric.observability._otlp_options import OtlpOptions
from oneiric.observability._push import PushOptions, push, write_textfile
from oneiric.observability._server import MetricsServer
from oneiric.observability.exposition import Exposition
from oneiric.observability.metrics.shared import clear_shared_directory
from oneiric.observability.telemetry import Telemetry, attach

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
