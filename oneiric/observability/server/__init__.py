"""The HTTP server of the metrics."""

from oneiric.observability.server.access import ServerSecurity
from oneiric.observability.server.limits import ServerLimits
from oneiric.observability.server.server import MetricsServer

__all__ = [
    "MetricsServer",
    "ServerLimits",
    "ServerSecurity",
]
