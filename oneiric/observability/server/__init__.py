"""The HTTP server of the metrics."""

from oneiric.observability.server.access import ServerSecurity
from oneiric.observability.server.limits import ServerLimits
from oneiric.observability.server.server import MetricsServer
from oneiric.observability.server.settings import server_limits_of, server_security_of

__all__ = [
    "MetricsServer",
    "ServerLimits",
    "ServerSecurity",
    "server_limits_of",
    "server_security_of",
]
