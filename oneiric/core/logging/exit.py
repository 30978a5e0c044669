"""The end of the process: what waits is written first, for a bounded time."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from oneiric.core.concurrency import start_thread
from oneiric.core.limits import FLUSH_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType

    from oneiric.core.logging.handlers import SinkHandler


class Ending:
    """Writes what the handlers in force hold before the process ends.

    That is: at exit, in a child of :mod:`multiprocessing` too, and on SIGTERM where nobody else handles it. The signal
    then ends the process as it would have done at once: what was queued before is written first, for at most *timeout*
    seconds, and a second signal does not wait.
    """

    def __init__(self) -> None:
        self._handlers: tuple[SinkHandler, ...] = ()
        self._timeout = FLUSH_TIMEOUT

    def take(self, handlers: Sequence[SinkHandler], *, timeout: float, on_sigterm: bool) -> None:
        """Answer for *handlers* from now on, and for no others."""
        self._handlers, self._timeout = tuple(handlers), timeout
        atexit.unregister(self.at_exit)
        if handlers:
            atexit.register(self.at_exit)
        self._handle_sigterm(on_sigterm and bool(handlers))

    def at_exit(self) -> None:
        """Close the handlers; what is logged later is written by whoever logs it, as far as it is taken at once."""
        close_all(self._handlers, self._timeout)
        for handler in self._handlers:
            handler.queue.end()

    def _handle_sigterm(self, wanted: bool) -> None:  # noqa: FBT001 - a state, not a choice
        if threading.current_thread() is not threading.main_thread():
            return
        present = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(ValueError):  # a subinterpreter has no signals
            if wanted and present is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminate)
            elif not wanted and present == self._terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if any(handler.queue.entered for handler in self._handlers):
            # This thread was interrupted where the writer needs it to go on, so that another one does the waiting.
            with contextlib.suppress(RuntimeError):
                start_thread("log-flush", self._flush_and_end, number)
                return
        self._flush_and_end(number)

    def _flush_and_end(self, number: int) -> None:
        flush_all(self._handlers, self._timeout)
        os.kill(os.getpid(), number)


def flush_all(handlers: Iterable[SinkHandler], timeout: float) -> bool:
    """Wait at most *timeout* seconds until what *handlers* hold is written; return whether all of it is."""
    deadline = time.monotonic() + timeout
    done = [handler.queue.flush(max(0.0, deadline - time.monotonic())) for handler in handlers]  # each of them
    return all(done)


def close_all(handlers: Iterable[SinkHandler], timeout: float) -> bool:
    """Do the same, and let go of files and threads."""
    deadline = time.monotonic() + timeout
    done = [handler.finish(max(0.0, deadline - time.monotonic())) for handler in handlers]  # each of them
    return all(done)
