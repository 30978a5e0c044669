"""The command's end of the control socket; it imports little, as every command waits for that."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import h11

from oneiric.runtime.control.ownership import owner_of
from oneiric.runtime.control.protocol import (
    API_HEADER,
    API_VERSION,
    MAX_HEAD_BYTES,
    RELEASE_HEADER,
    UNKNOWN,
    path_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SILENCE_SECONDS = 5.0
"""After so long without a sign of life, a service does not answer."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Largest answer that is taken."""

_CHUNK_BYTES = 256 * 1024


class ServiceError(Exception):
    """Why a command was not done; ``hint`` says what to do next.

    Attributes:
        hint: The next step, or "".
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotRunningError(ServiceError):
    """Nothing listens, and nobody owns the socket."""


class NotAllowedError(ServiceError):
    """This user may not connect."""


class NotAnsweringError(ServiceError):
    """A service owns the socket and gives no sign of life."""


class RefusedError(ServiceError):
    """The service answered with an error.

    Attributes:
        code: One of the protocol's codes.
        details: The whole error.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message", "no reason given")), str(error.get("hint", "")))
        self.code = str(error.get("code", ""))
        self.details = dict(error)


class ServiceClient:
    """Asks the service whose control socket is at *path*; a connection for each request.

    Args:
        path: The socket.
        silence: Seconds without a sign of life after which it does not answer; None: :data:`SILENCE_SECONDS`.

    Attributes:
        release: The version of the service that answered last, or "".
        api: Its API version, or "".
    """

    def __init__(self, path: str | Path, *, silence: float | None = None) -> None:
        self.path = str(path)
        self.release = self.api = ""
        self._silence = SILENCE_SECONDS if silence is None else silence

    def read(self, name: str, **fields: str) -> Any:
        """Return the answer of the command *name*, which changes nothing; ServiceError where there is none."""
        query = urlencode(fields)
        return self._ask("GET", f"{path_of(name)}?{query}" if query else path_of(name), b"")

    def change(self, name: str, **fields: object) -> Any:
        """Return the answer of the command *name*, which changes something; ServiceError where it is not done."""
        return self._ask("POST", path_of(name), json.dumps(fields).encode())

    def _ask(self, method: str, target: str, body: bytes) -> Any:
        with self._connected() as connection:
            try:
                status, content = self._exchange(connection, method, target, body)
            except TimeoutError:
                raise self._silent() from None
            except (OSError, h11.ProtocolError) as error:
                raise NotAnsweringError(
                    f"the service at {self.path} broke off: {error}", "oneiric health shows whether it still runs"
                ) from error
        try:
            answer = json.loads(content)
        except ValueError:
            raise NotAnsweringError(f"what answers at {self.path} is no service of Oneiric") from None
        if status != 200:  # noqa: PLR2004 - OK
            raise self._refused(answer.get("error", {}) if isinstance(answer, dict) else {})
        return answer

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.settimeout(self._silence)
        try:
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            raise self._unreachable(error) from None
        return connection

    def _exchange(self, connection: socket.socket, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        headers = [("Host", "oneiric"), (API_HEADER, API_VERSION)]
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        message = http.send(h11.Request(method=method, target=target, headers=headers)) or b""
        connection.sendall(message + (http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
        status, content = 0, bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(connection.recv(_CHUNK_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
                found = {key.decode(): value.decode("ascii", "replace") for key, value in event.headers}
                self.api, self.release = found.get(API_HEADER.lower(), ""), found.get(RELEASE_HEADER.lower(), "")
            elif isinstance(event, h11.Data):
                content += event.data
                if len(content) > MAX_ANSWER_BYTES:
                    raise OSError(f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return status, bytes(content)

    def _unreachable(self, error: OSError) -> ServiceError:
        if isinstance(error, PermissionError):
            return NotAllowedError(
                f"permission denied: {self.path} cannot be connected to by this user",
                "run the command as root or as the user of the service, or join the group of control.group",
            )
        if isinstance(error, TimeoutError | BlockingIOError):  # its queue is full
            return self._silent()
        try:
            owner = owner_of(self.path)
        except PermissionError:
            return NotAllowedError(f"permission denied: {self.path} cannot be seen by this user")
        if owner is not None:
            return self._silent(owner)
        return NotRunningError(f"no service listens at {self.path}", "start one with: oneiric orchestrate")

    def _silent(self, owner: int | None = None) -> NotAnsweringError:
        if owner is None:
            try:
                owner = owner_of(self.path)
            except OSError:
                owner = None
        who = f"process {owner}" if owner else "the service"
        return NotAnsweringError(
            f"{who} owns {self.path} and does not answer",
            f"it starts, hangs or is stopped: look at its log, and at /proc/{owner or 'PID'}/status",
        )

    def _refused(self, error: Mapping[str, Any]) -> RefusedError:
        refused = RefusedError(error)
        if refused.code == UNKNOWN:
            from oneiric._version import __version__  # noqa: PLC0415 - reads the installation's metadata

            refused.hint = (
                f"the running service is version {self.release} (API {self.api}), this command {__version__} (API "
                f"{API_VERSION}): restart the service after an upgrade, or use the command of its version"
            )
        return refused
