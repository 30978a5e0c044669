"""The bridge of the action domain."""

from __future__ import annotations

from oneiric.domains.base import NamedBridge


class ActionBridge(NamedBridge):
    """The actions; see :class:`oneiric.domains.base.DomainBridge`."""

    name = "action"
