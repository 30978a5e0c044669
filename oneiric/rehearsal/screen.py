"""Print without being held up or ended by whoever should read it, and end at a signal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from oneiric.core.concurrency import Background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

DRAIN_SECONDS = 0.5
"""How long the end waits for what is still to be printed."""
END_SECONDS = 4.5
"""How long a command may take to end once a signal asked for it, before it is ended."""


class Screen:
    """Prints on *console* in a thread of its own, in order; what nobody takes, or cannot be written, is left out."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printing = Background("oneiric-screen")

    def print(self, renderable: Any) -> None:
        """Have *renderable* printed; never waits, never raises."""
        self._printing.call(partial(self._console.print, renderable))

    def drain(self) -> bool:
        """Wait a little for what is still to be printed; return whether standard output is not in anybody's way now."""
        done = threading.Event()
        self._printing.call(done.set)
        if not done.wait(DRAIN_SECONDS):
            return False
        let_go_of_unwritable_output()
        return True


@contextmanager
def signals_handled(stop: Callable[[], None]) -> Iterator[None]:
    """Call *stop* at SIGINT and SIGTERM, even within a call that waits, and end the process if it does not end then."""

    def handle(_number: int, _frame: object) -> None:
        # It needs no thread and no lock, and ends a process that waits in a write.
        signal.setitimer(signal.ITIMER_REAL, END_SECONDS)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def let_go_of_unwritable_output() -> None:
    """Turn standard output to the null device if what it holds cannot be written: to exit would try that again."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
