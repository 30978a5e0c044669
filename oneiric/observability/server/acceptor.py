"""Accept connections, keep them within bounds, and let go of those that keep others waiting."""

from __future__ import annotations

import errno
import time
from selectors import EVENT_READ
from typing import TYPE_CHECKING, Final

from oneiric.observability.server.connection import Connection, Stage
from oneiric.observability.server.descriptors import Allowance
from oneiric.observability.server.loop import Loop

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from oneiric.observability.exposition import Response
    from oneiric.observability.server.http import Request
    from oneiric.observability.server.limits import ServerLimits

ACCEPT_BUDGET: Final = 32
"""Connections accepted in one turn of the loop, so that those that are there get their turn too."""
MAX_RECEIVED_BYTES: Final = 4 * 1024 * 1024
"""Most that unfinished requests may hold in all."""
MAX_HELD_BYTES: Final = 8 * 1024 * 1024
"""Most that pages may hold in all that slow clients have not taken yet, the newest page aside."""

_TLS_COST: Final = 3  # a connection with TLS holds some 50 KiB
_TICK_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.05  # while there is no room for another connection
_STARVED_SECONDS: Final = 1.0  # while the operating system has none to give
_ANSWER_GRACE_SECONDS: Final = 1.0  # a client that waits for us is not sent away before that
_GONE: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EINTR})


class Acceptor:
    """Serve the connections of a listening socket in the thread that calls :meth:`run`; used once.

    Args:
        listener: The listening socket, not blocking, owned from now on.
        limits: The bounds.
        secure: Returns the TLS socket that wraps an accepted one; None where there is no TLS.
        answer: See :class:`Keeper`.
        failed: See :class:`Keeper`.
        report: Called with errors that are no client's; must neither raise nor wait.
        allowance: How many connections there may be.
        answer_timeout: Seconds after which an answer counts as failed.
        clock: Seconds that pass.
    """

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        listener: socket.socket,
        limits: ServerLimits,
        *,
        secure: Callable[[socket.socket], ssl.SSLSocket] | None,
        answer: Callable[[Request], Future[Response]],
        failed: Callable[[Request, BaseException], Response],
        report: Callable[[BaseException], object],
        answer_timeout: float,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop = Loop(tick=self._tick, failed=report)
        self.answer = answer
        self.failed = failed
        self._listener = listener
        self._limits = limits
        self._secure = secure
        self._report = report
        self._clock = clock
        most = limits.max_connections if secure is None else max(1, limits.max_connections // _TLS_COST)
        self._allowance = allowance or Allowance(most)
        self._patience = {
            Stage.RECEIVING: limits.header_timeout,
            Stage.ANSWERING: answer_timeout,
            Stage.SENDING: limits.write_timeout,
            Stage.LINGERING: limits.linger_timeout,
        }
        self._stages: dict[Stage, dict[Connection, None]] = {stage: {} for stage in Stage}  # each in order of time
        self._untaken: dict[Connection, None] = {}  # those that send to clients who took nothing yet, in order of time
        self._taking: dict[Connection, None] = {}  # the other ones that send, in order of when their clients took some
        self._received = 0
        self._next_look = 0.0
        self._resume_at: float | None = 0.0

    def run(self) -> None:
        """Serve until :meth:`stop`; then close every socket."""
        try:
            self.loop.run()
        finally:
            self._listener.close()
            for connection in self._connections():
                connection.close()
            self.loop.close()

    def stop(self) -> None:
        """Have :meth:`run` return soon, from any thread."""
        self.loop.call(self.loop.stop)

    def abandon(self) -> None:
        """Close what a forked child inherited; the parent's server is left alone."""
        self._listener.close()
        for connection in self._connections():
            connection.abandon()
        self.loop.close()

    def moved(self, connection: Connection, before: Stage | None, after: Stage | None) -> None:
        """Move *connection* from one stage to another, and note the time."""
        if before is not None:
            del self._stages[before][connection]
            self._untaken.pop(connection, None)
            self._taking.pop(connection, None)
        if after is Stage.SENDING:
            self._untaken[connection] = None
        if after is not None:
            connection.since = self._clock()
            self._stages[after][connection] = None

    def took(self, connection: Connection) -> None:
        """Take note that it is not one of those who ask for a page and do not read it."""
        self._untaken.pop(connection, None)
        self._taking.pop(connection, None)
        self._taking[connection] = None

    def received(self, count: int) -> None:
        """Keep unfinished requests from holding too much in all."""
        self._received += count
        if self._received > MAX_RECEIVED_BYTES and (oldest := self._oldest(Stage.RECEIVING)) is not None:
            oldest.close()

    def _connections(self) -> list[Connection]:
        return [connection for members in self._stages.values() for connection in members]

    def _count(self) -> int:
        return sum(map(len, self._stages.values()))

    def _oldest(self, *stages: Stage) -> Connection | None:
        return _oldest([self._stages[stage] for stage in stages])

    def _accept(self) -> None:
        for _ in range(ACCEPT_BUDGET):
            if not self._is_room():
                self._pause(_PAUSE_SECONDS)
                return
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _GONE and not self._sacrifice():
                    self._report(error)
                    self._pause(_STARVED_SECONDS)
                    return
                continue
            self._make_room(1)
            self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        try:
            accepted.setblocking(False)  # noqa: FBT003 - the signature of the standard library
            connected = accepted if self._secure is None else self._secure(accepted)
        except (OSError, ValueError):  # gone already
            accepted.close()
            return
        except BaseException:
            accepted.close()
            raise
        Connection(connected, self, max_header_bytes=self._limits.max_header_bytes).advance()

    def _is_room(self) -> bool:
        """Whether one more connection may be accepted; room is made only once it is there."""
        held = self._count()
        allowed = self._allowance.connections(held)
        return held < allowed or (allowed > 0 and self._victim() is not None)

    def _make_room(self, more: int) -> None:
        while (held := self._count()) + more > self._allowance.connections(held):
            if not self._sacrifice():
                return

    def _victim(self) -> Connection | None:
        """Return the connection that has waited longest for its client, else one that waits in vain for us.

        A client that is taking its answer comes after those who are not: a busy machine may keep him from it for longer
        than attackers take to fill all places.
        """
        victim = _oldest([self._stages[Stage.RECEIVING], self._stages[Stage.LINGERING], self._untaken])
        victim = victim or next(iter(self._taking), None)
        if victim is None:
            victim = self._oldest(Stage.ANSWERING)
            if victim is not None and self._clock() - victim.since < _ANSWER_GRACE_SECONDS:
                return None
        return victim

    def _sacrifice(self) -> bool:
        """Close a connection for its descriptor's sake, if there is one that may be."""
        victim = self._victim()
        if victim is not None:
            victim.close()
        return victim is not None

    def _pause(self, seconds: float) -> None:
        self._resume_at = self._clock() + seconds
        self.loop.forget(self._listener)

    def _tick(self) -> float | None:
        now = self._clock()
        if self._resume_at is not None and now >= self._resume_at:
            self._resume_at = None
            self.loop.watch(self._listener, EVENT_READ, self._accept)
        if now >= self._next_look:
            self._next_look = now + _TICK_SECONDS
            self._expire(now)
            self._let_go_of_pages()
            self._make_room(0)  # the host may have opened something meanwhile
        if self._resume_at is not None:
            return self._resume_at - now
        return _TICK_SECONDS if self._count() else None

    def _expire(self, now: float) -> None:
        for stage, members in self._stages.items():
            due = now - self._patience[stage]
            for connection in list(members):
                if connection.since > due:
                    break
                connection.expire()

    def _let_go_of_pages(self) -> None:
        """Close the slowest of those that hold pages which nobody else wants, until these hold no more than allowed."""
        held: dict[int, int] = {}
        for connection in reversed(list(self._stages[Stage.SENDING])):
            if not connection.outgoing:
                continue
            page = connection.outgoing[-1].obj
            if id(page) in held:
                continue
            size = memoryview(page).nbytes
            if held and sum(held.values()) + size > MAX_HELD_BYTES:
                connection.close()
            else:
                held[id(page)] = size


def _oldest(queues: Iterable[dict[Connection, None]]) -> Connection | None:
    firsts = [next(iter(members)) for members in queues if members]
    return min(firsts, key=lambda connection: connection.since, default=None)
