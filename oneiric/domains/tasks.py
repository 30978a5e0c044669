"""The bridge of the task domain."""

from __future__ import annotations

from oneiric.domains.base import NamedBridge


class TaskBridge(NamedBridge):
    """The tasks; see :class:`oneiric.domains.base.DomainBridge`."""

    name = "task"
