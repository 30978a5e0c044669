"""Which components are paused or draining; kept in :mod:`oneiric.core.activity`, because bridges use it too."""

from __future__ import annotations

from oneiric.core.activity import ActivityStoreError, DomainActivity, DomainActivityStore, MemoryActivityStore

__all__ = ["ActivityStoreError", "DomainActivity", "DomainActivityStore", "MemoryActivityStore"]
