"""The bridge of the event domain."""

from __future__ import annotations

from oneiric.domains.base import NamedBridge


class EventBridge(NamedBridge):
    """The events; see :class:`oneiric.domains.base.DomainBridge`."""

    name = "event"
