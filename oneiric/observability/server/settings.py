"""What the settings say of the metrics server, as its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.observability.server.access import ServerSecurity
from oneiric.observability.server.limits import ServerLimits

if TYPE_CHECKING:
    from oneiric.core.config import MetricsServerSettings


def server_limits_of(config: MetricsServerSettings) -> ServerLimits:
    """Return what bounds the metrics server."""
    return ServerLimits(**config.model_dump(include=set(ServerLimits.__slots__)))


def server_security_of(config: MetricsServerSettings) -> ServerSecurity:
    """Return what protects the metrics server."""
    return ServerSecurity(**config.model_dump(include=set(ServerSecurity.__slots__)))
