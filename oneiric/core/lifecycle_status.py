"""The status of one component; its home is :mod:`oneiric.core.lifecycle`, and this path to it stays."""

from oneiric.core.lifecycle import LifecycleStatus, State, read_statuses

__all__ = ["LifecycleStatus", "State", "read_statuses"]
