"""The server on the control socket: it lets in who may come in, and has the work done and reported."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from oneiric.core.events import ControlDenied, ControlRequest
from oneiric.core.redaction import describe
from oneiric.runtime.control.connection import Exchange
from oneiric.runtime.control.errors import ControlError, wrong_use
from oneiric.runtime.control.peers import Peer
from oneiric.runtime.control.protocol import BUSY, FAILED, UNKNOWN, path_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from oneiric.core.config import ControlConfig
    from oneiric.core.events import ControlCommand
    from oneiric.core.observers import Observers
    from oneiric.runtime.commands import Command
    from oneiric.runtime.control.connection import Request
    from oneiric.runtime.control.listening import ControlSocket
    from oneiric.runtime.control.peers import Rights

CHECK_SECONDS = 1.0
"""How often it is looked whether the socket is still in its place."""
_KEEPS_SOCKET: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""The socket's file is :class:`ControlSocket`'s to remove; asyncio would look for it where it was bound, a descriptor
that may be another file's by now."""
_FORGOTTEN = 2.0  # seconds that the end waits for answers that nobody takes


class ControlServer:
    """Answers *commands* on *socket*; one event loop.

    Args:
        socket: The socket, which is opened and closed with the server.
        commands: What can be asked, by name.
        rights: Who may ask.
        settings: Its bounds.
        observers: Notified of every request that changes something, and of every one that is denied.
        release: The version of the service.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        socket: ControlSocket,
        commands: Mapping[str, Command],
        *,
        rights: Rights,
        settings: ControlConfig,
        observers: Observers,
        release: str,
    ) -> None:
        self._socket = socket
        self._commands = {path_of(name): command for name, command in commands.items()}
        self._rights = rights
        self._settings = settings
        self._observers = observers
        self._release = release
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Own the socket and listen; SettingsError where that cannot be."""
        await self._listen(self._socket.open())
        self._watch = asyncio.create_task(self._keep(), name="oneiric-control")

    async def stop(self) -> None:
        """Listen no more, let requests under way end or cancel them, and remove the socket; idempotent."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        await self._close_server()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_FORGOTTEN)
        self._socket.close()

    async def _listen(self, listener: socket.socket) -> None:
        await self._close_server()
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, **_KEEPS_SOCKET)

    async def _close_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _keep(self) -> None:
        """Make the socket anew where somebody deleted it."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                if (listener := self._socket.reopen_if_gone()) is not None:
                    await self._listen(listener)
            except OSError as error:
                self._observers.hook_failed("control", error)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio calls this in a task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the server stops
        except Exception as error:  # noqa: BLE001 - one connection must not end the others
            self._observers.hook_failed("control", error)
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(Exception):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = Exchange(reader, writer, release=self._release, max_body=self._settings.max_body_bytes)
        await self._answer(exchange, Peer.of(writer.get_extra_info("socket")))
        await exchange.finish()

    async def _answer(self, exchange: Exchange, peer: Peer) -> None:
        try:
            request = await self._request(exchange)
            if request is None:
                return
            name, command = self._command(request)
            self._require(peer, name, command)
        except ControlError as error:
            await exchange.refuse(error)
            return
        await exchange.answer(self._done(peer, name, command, request.fields))

    async def _request(self, exchange: Exchange) -> Request | None:
        if len(self._connections) > self._settings.max_connections:
            raise ControlError(BUSY, "too many commands at once, see control.max_connections", "try again")
        try:
            return await asyncio.wait_for(exchange.request(), self._settings.request_timeout)
        except TimeoutError:
            raise wrong_use("the request did not arrive in time, see control.request_timeout") from None

    def _command(self, request: Request) -> tuple[ControlCommand, Command]:
        command = self._commands.get(request.path)
        name = request.path.rpartition("/")[2]
        if command is None:
            raise ControlError(UNKNOWN, f"this service ({self._release}) knows no command {name!r:.80}")
        if (request.method == "GET") != (command.right == "read"):
            raise wrong_use(f"{name} {'reads: use GET' if command.right == 'read' else 'changes something: use POST'}")
        return cast("ControlCommand", name), command

    def _require(self, peer: Peer, name: ControlCommand, command: Command) -> None:
        try:
            self._rights.require(peer, command.right)
        except ControlError:
            self._observers.notify(ControlDenied(command=name, uid=peer.uid, pid=peer.pid, right=command.right))
            raise

    async def _done(self, peer: Peer, name: ControlCommand, command: Command, fields: Mapping[str, Any]) -> Any:
        """Return the answer; what changes something is reported with who asked for it."""
        if command.right == "read":
            return await self._run(command, fields)
        subject = command.subject(fields)
        asked = ControlRequest(command=name, uid=peer.uid, pid=peer.pid, **subject)
        with self._observers.operation(asked) as running:
            try:
                return await self._run(command, fields)
            except ControlError as error:
                running.fail("refused" if error.code != FAILED else "failed", error)
                raise

    async def _run(self, command: Command, fields: Mapping[str, Any]) -> Any:
        try:
            return await command.run(fields)
        except ControlError:
            raise
        except Exception as error:
            error_type, text = describe(error)
            raise ControlError(FAILED, text or error_type, "the log of the service has more") from error
