"""The bridge of the service domain."""

from __future__ import annotations

from oneiric.domains.base import NamedBridge


class ServiceBridge(NamedBridge):
    """The services; see :class:`oneiric.domains.base.DomainBridge`."""

    name = "service"
