"""The public path of the watcher of selections; its home is :mod:`oneiric.domains.watching`, below every bridge."""

from __future__ import annotations

from oneiric.domains.watching import SelectionWatcher

__all__ = ["SelectionWatcher"]
