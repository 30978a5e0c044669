"""Threads, locks and forks: what several threads or a forked child may share, written once."""

from oneiric.core.concurrency.background import Background
from oneiric.core.concurrency.forks import renew_after_fork
from oneiric.core.concurrency.ordered import InOrder

__all__ = [
    "Background",
    "InOrder",
    "renew_after_fork",
]
