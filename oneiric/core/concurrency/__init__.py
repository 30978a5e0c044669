"""Threads, locks and forks: what several threads or a forked child may share, written once."""

from oneiric.core.concurrency.background import Background
from oneiric.core.concurrency.forks import renew_after_fork
from oneiric.core.concurrency.locks import ForkSafeLock
from oneiric.core.concurrency.ordered import InOrder
from oneiric.core.concurrency.slots import ThreadSlots
from oneiric.core.concurrency.threads import BackgroundThread, start_thread
from oneiric.core.concurrency.turn import FREE, NOBODY, TAKEN, Turn

__all__ = [
    "FREE",
    "NOBODY",
    "TAKEN",
    "Background",
    "BackgroundThread",
    "ForkSafeLock",
    "InOrder",
    "ThreadSlots",
    "Turn",
    "renew_after_fork",
    "start_thread",
]
