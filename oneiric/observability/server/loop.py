"""A loop over sockets that are ready, run by one thread.

An event loop of asyncio is not used because it cannot be given up in a forked child: closing it there unregisters its
sockets from the selector that the child shares with its parent.
"""

from __future__ import annotations

import selectors
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAIN_BYTES: Final = 4096
_READ: Final = selectors.EVENT_READ

Ready: TypeAlias = "Callable[[], object]"


class HasDescriptor(Protocol):
    """Whatever the operating system can wait for."""

    def fileno(self) -> int:
        """Return its descriptor."""


class Loop:
    """Call what was asked for when a socket is ready; everything but :meth:`call` belongs to the thread that runs it.

    Args:
        tick: Called at every turn; returns the seconds after which there is something to do even if nothing is ready,
            or None.
        failed: Called with whatever a call raises; must not raise.
    """

    def __init__(self, *, tick: Callable[[], float | None], failed: Callable[[BaseException], object]) -> None:
        self._tick = tick
        self._failed = failed
        self._calls: deque[Ready] = deque()
        self._woken = self._stopping = False
        self._selector = selectors.DefaultSelector()
        try:
            self._waking, self._waker = socket.socketpair()
        except OSError:
            self._selector.close()
            raise
        for end in (self._waking, self._waker):
            end.setblocking(False)  # noqa: FBT003 - the signature of the standard library
        self._selector.register(self._waking, _READ, self._drain)

    def call(self, work: Ready) -> None:
        """Have *work* called soon, from any thread; after the loop's end it is not called."""
        self._calls.append(work)
        if not self._woken:
            self._woken = True
            with suppress(OSError):  # full: it wakes anyway; closed: it has ended
                self._waker.send(b"\0")

    def watch(self, what: HasDescriptor, events: int, ready: Ready) -> None:
        """Call *ready* whenever one of *events* is possible on *what*, which is not watched yet."""
        self._selector.register(what, events, ready)

    def change(self, what: HasDescriptor, events: int, ready: Ready) -> None:
        """Watch *what* for other *events*."""
        self._selector.modify(what, events, ready)

    def forget(self, what: HasDescriptor) -> None:
        """Watch *what* no more."""
        self._selector.unregister(what)

    def run(self) -> None:
        """Turn until stopped."""
        while not self._stopping:
            wait = self._guarded(self._tick)
            for key, _ in self._selector.select(wait):
                self._guarded(key.data)
            self._woken = False
            for _ in range(len(self._calls)):
                self._guarded(self._calls.popleft())

    def stop(self) -> None:
        """Have :meth:`run` return after this turn."""
        self._stopping = True

    def close(self) -> None:
        """Close its own descriptors, in a forked child too: nothing of the parent's is touched."""
        self._selector.close()
        self._waking.close()
        self._waker.close()

    def _guarded(self, work: Callable[[], object]) -> float | None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - isolation is the job: without this thread there are no metrics
            self._failed(error)
            return 1.0
        return result if isinstance(result, float) else None

    def _drain(self) -> None:
        self._waking.recv(_DRAIN_BYTES)
