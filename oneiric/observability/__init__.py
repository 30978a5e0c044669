"""Every metric, log event and span, and what writes and serves them."""

from oneiric.observability._apps import asgi_app, wsgi_app
from oneiric.observability._attach import Telemetry, attach
from oneiric.observability._log_limits import LogLimits, LogRate
from oneiric.observability._server import MetricsServer
from oneiric.observability.exposition import Exposition

__all__ = ["Exposition", "LogLimits", "LogRate", "MetricsServer", "Telemetry", "asgi_app", "attach", "wsgi_app"]
