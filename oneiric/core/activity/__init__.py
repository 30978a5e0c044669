"""Which components are paused or draining, kept across restarts."""

from oneiric.core.activity.advice import ActivityStoreError
from oneiric.core.activity.database import Account
from oneiric.core.activity.kept import Suspicion
from oneiric.core.activity.memory import MAX_NOTE_CHARS, DomainActivity, MemoryActivityStore, Rows
from oneiric.core.activity.store import MAX_BUSY_TIMEOUT, DomainActivityStore

__all__ = [
    "MAX_BUSY_TIMEOUT",
    "MAX_NOTE_CHARS",
    "Account",
    "ActivityStoreError",
    "DomainActivity",
    "DomainActivityStore",
    "MemoryActivityStore",
    "Rows",
    "Suspicion",
]
