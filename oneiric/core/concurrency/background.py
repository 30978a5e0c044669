"""Do what may take its time elsewhere, one thing after another."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from oneiric.core.concurrency.forks import renew_after_fork
from oneiric.core.concurrency.threads import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING: Final = 100


class Background:
    """Call functions in a daemon thread that is there only while there is something to do.

    Thread-safe. What is handed over while :data:`MAX_WAITING` calls wait is left out; what a call raises is too, as
    there is nobody to report it to. In a forked child nothing waits.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._renew()
        renew_after_fork(self._renew)

    def call(self, work: Callable[[], object]) -> None:
        """Have *work* called; never waits, never raises."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                return
            self._waiting.append(work)
            if not self._thread.claim(self._run):
                return
        try:
            self._thread.start()
        except RuntimeError:  # no thread to be had, at the end of the interpreter for instance
            self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._thread = BackgroundThread(self._name)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread.leave()
                    return
                work = self._waiting.popleft()
            with suppress(Exception):
                work()
