"""The server on the control socket, in this process: its bounds, and what it makes of reused descriptors."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.config import ControlConfig
from oneiric.runtime.commands import Command
from oneiric.runtime.control.listening import ControlSocket
from oneiric.runtime.control.peers import Rights
from oneiric.runtime.control.server import ControlServer

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oneiric.core.observers import Observers

GREET = b"GET /v1/list HTTP/1.1\r\nHost: x\r\n\r\n"


class CrowdedSocket(ControlSocket):
    """A socket in a process that opens files right after it was bound, which get the numbers that were in use then."""

    def __init__(self, path: Path, files: ExitStack) -> None:
        super().__init__(path, Rights(os.geteuid(), None, "read"))
        self._files = files

    def open(self) -> socket.socket:
        """Listen, and open files."""
        listener = super().open()
        for _ in range(32):
            self._files.callback(os.close, os.open(__file__, os.O_RDONLY))
        return listener


@asynccontextmanager
async def served(path: Path, observers: Observers, **settings: Any) -> AsyncIterator[None]:
    """Serve one command on *path*."""

    async def listed(_: object) -> dict[str, Any]:
        return {"domains": []}

    with ExitStack() as files:
        server = ControlServer(
            CrowdedSocket(path, files),
            {"list": Command("read", listed)},
            rights=Rights(os.geteuid(), None, "read"),
            settings=ControlConfig(**settings),
            observers=observers,
            release="1.2.3",
        )
        await server.start()
        try:
            yield
        finally:
            await server.stop()


async def asked(path: Path, request: bytes = GREET) -> tuple[int, Any]:
    """Return the status and the body of the answer to *request*."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


async def test_descriptors_that_are_reused_do_no_harm(tmp_path: Path, observers: Observers) -> None:
    """Files that the process opens while it begins to listen do not keep it from listening, nor from its end."""
    path = tmp_path / "run" / "control.sock"
    async with served(path, observers):
        assert await asked(path) == (200, {"domains": []})
    assert not path.exists()


@pytest.mark.parametrize(("others", "status"), [(1, 200), (2, 503)])
async def test_connections_are_bounded(tmp_path: Path, observers: Observers, others: int, status: int) -> None:
    """Up to ``max_connections`` at once are answered, and one more is refused with the setting's name."""
    path = tmp_path / "run" / "control.sock"
    async with served(path, observers, max_connections=2):
        waiting = [await asyncio.open_unix_connection(str(path)) for _ in range(others)]
        found, body = await asked(path)
        for _, writer in waiting:
            writer.close()
    assert found == status
    if status == 503:
        assert "control.max_connections" in body["error"]["message"]
