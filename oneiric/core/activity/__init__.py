"""Which components are paused or draining, kept across restarts."""

from oneiric.core.activity.memory import MAX_NOTE_CHARS, DomainActivity, MemoryActivityStore
from oneiric.core.activity.store import MAX_BUSY_TIMEOUT, ActivityStoreError, DomainActivityStore

__all__ = [
    "MAX_BUSY_TIMEOUT",
    "MAX_NOTE_CHARS",
    "ActivityStoreError",
    "DomainActivity",
    "DomainActivityStore",
    "MemoryActivityStore",
]
