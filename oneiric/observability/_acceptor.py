"""Accept connections in one thread and serve each in another, at most so many at once."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WAKE_SECONDS: Final = 1.0  # where shutting a listener down does not wake its accept(), as it does on Linux
_RETRY_SECONDS: Final = 1.0  # after a failure for want of descriptors or threads, which passes
_DISCARD_BYTES: Final = 65_536


class Acceptor:
    """Serve the connections of a listening socket from daemon threads until stopped; used once.

    Args:
        listener: The listening socket, owned from now on.
        serve: Called with each connection, in its own thread; the connection is closed afterwards. An OSError is the
            client's affair, anything else is handed to *failed*.
        refusal: Sent to a connection over the limit, which is then closed at once.
        limit: Connections served at once.
        failed: Told of errors; must not raise.
    """

    def __init__(
        self,
        listener: socket.socket,
        serve: Callable[[socket.socket], None],
        *,
        refusal: bytes,
        limit: int,
        failed: Callable[[BaseException], None],
    ) -> None:
        listener.settimeout(_WAKE_SECONDS)
        self._listener = listener
        self._serve = serve
        self._refusal = refusal
        self._limit = limit
        self._failed = failed
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._serving: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, name="oneiric-metrics", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self, *, wait: float) -> None:
        """Stop accepting, cut every connection off, and wait at most *wait* seconds for their threads.

        In a forked child, which has the sockets but not the threads, the parent's are left alone.
        """
        if os.getpid() != self._pid:
            self._listener.close()
            return
        deadline = time.monotonic() + wait
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(wait)
        self._listener.close()
        for thread in self._cut_off():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _cut_off(self) -> list[threading.Thread]:
        with self._lock:
            for connection in self._serving:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            return list(self._serving.values())

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                self._admit(self._listener.accept()[0])
            except (TimeoutError, ConnectionAbortedError):
                continue
            except Exception as error:  # noqa: BLE001 - isolation is the job: without this thread there are no metrics
                if not self._stopped.is_set():
                    self._failed(error)
                    self._stopped.wait(_RETRY_SECONDS)

    def _admit(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._run, args=(connection,), name="oneiric-metrics-request", daemon=True)
        with self._lock:
            admitted = len(self._serving) < self._limit
            if admitted:
                self._serving[connection] = thread
        if not admitted:
            self._refuse(connection)
            return
        try:
            thread.start()
        except BaseException:
            self._close(connection)
            raise

    def _refuse(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.setblocking(False)  # noqa: FBT003 - the signature of the standard library
            connection.send(self._refusal)
            connection.recv(_DISCARD_BYTES)  # closing with something unread would reset the connection

    def _run(self, connection: socket.socket) -> None:
        try:
            self._serve(connection)
        except OSError:
            pass  # the client went away or did not read in time
        except BaseException as error:  # noqa: BLE001 - isolation is the job: what leaves a thread is printed
            self._failed(error)
        finally:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        with self._lock:
            self._serving.pop(connection, None)
            connection.close()
