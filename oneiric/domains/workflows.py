"""The bridge of the workflow domain."""

from __future__ import annotations

from oneiric.domains.base import NamedBridge


class WorkflowBridge(NamedBridge):
    """The workflows; see :class:`oneiric.domains.base.DomainBridge`."""

    name = "workflow"
