"""Daemon threads: one for a piece of work, and one that is there only while there is something to do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def start_thread(name: str, work: Callable[..., object], *args: object) -> threading.Thread:
    """Call *work* with *args* in a daemon thread, and return the thread.

    RuntimeError where none can be had: there are too many, or the interpreter ends.
    """
    thread = threading.Thread(target=work, args=args, name=name, daemon=True)
    thread.start()
    return thread


class BackgroundThread:
    """A daemon thread that is started when there is something to do, and ends by itself when there is nothing left.

    Its owner has a lock under which it adds what there is to do. It calls :meth:`claim` with that lock held, so that
    one thread is started, and :meth:`start` as a rule without it. Its loop calls :meth:`leave` under the lock, once it
    finds nothing left, so that whatever is added later starts another thread. A forked child does not inherit the
    thread: the owner makes this anew there.

    Attributes:
        thread: The thread that runs, or is about to be started; None for none.
    """

    __slots__ = ("_name", "thread")

    def __init__(self, name: str) -> None:
        self._name = name
        self.thread: threading.Thread | None = None

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this one."""
        return self.thread is threading.current_thread()

    def claim(self, work: Callable[..., object], *args: object) -> bool:
        """Return whether there was no thread: the caller has to :meth:`start` the one that will call *work*."""
        if self.thread is not None:
            return False
        self.thread = threading.Thread(target=work, args=args, name=self._name, daemon=True)
        return True

    def start(self) -> None:
        """Start what was claimed; RuntimeError, and no thread, where none can be had, as in :func:`start_thread`."""
        thread = self.thread
        if thread is None:  # whoever closed the owner was faster
            return
        try:
            thread.start()
        except BaseException:  # also an interrupt: a thread that did not start is none
            if thread.ident is None and self.thread is thread:
                self.thread = None
            raise

    def leave(self) -> threading.Thread | None:
        """Let the next claim start another thread; return the one that was there."""
        thread, self.thread = self.thread, None
        return thread
