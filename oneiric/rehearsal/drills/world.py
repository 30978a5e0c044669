"""What a sandbox has around it: a manifest server that can be damaged, and providers that can be unwell."""

from __future__ import annotations

import asyncio
import json
import mmap
from contextlib import suppress
from functools import partial
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

from oneiric.core.concurrency import start_thread
from oneiric.core.resolution import Candidate, CandidateSource
from oneiric.rehearsal.demo import HOST, VALIDITY, QuietHandler, QuietServer, manifest_of, signed
from oneiric.remote.manifest import generate_signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path

DOMAIN, KEY = "adapter", "cache"
STEADY, FRESH, FLAKY, SLOW = "steady", "fresh", "flaky", "slow"


class ManifestServer:
    """Serves a signed manifest and its artifacts below *directory*, until it is killed.

    Args:
        directory: For what is served.
        validity: How long a manifest is valid from its signature on.

    Attributes:
        public_key: What verifies the manifest, base64.
        url: Where the manifest is.
    """

    def __init__(self, directory: Path, *, validity: timedelta = VALIDITY) -> None:
        self._directory = directory
        self._validity = validity
        self._private, self.public_key = generate_signing_key()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.revive()
        self.url = f"http://{HOST}:{self._port}/manifest.json"
        self.publish()

    def publish(self, *, validity: timedelta | None = None, tampered: bool = False) -> None:
        """Publish the manifest anew, signed now, with another *validity* if given; tamper with it after that."""
        address = f"http://{HOST}:{self._port}"
        manifest = signed(manifest_of(self._directory, address, validity=validity or self._validity), self._private)
        if tampered:
            manifest["source"] = "somebody else"
        path = self._directory / "manifest.json"
        path.with_suffix(".new").write_text(json.dumps(manifest), encoding="utf-8")
        path.with_suffix(".new").replace(path)

    def kill(self) -> None:
        """Listen no longer; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def revive(self) -> None:
        """Listen again at the same address; idempotent."""
        if self._server is None:
            handler = partial(QuietHandler, directory=str(self._directory))
            self._server = QuietServer((HOST, self._port), handler)
            self._port = self._server.server_port
            serve = partial(self._server.serve_forever, poll_interval=0.05)
            start_thread("drill-manifests", serve)


class FaultInjection:
    """The faults of the providers of a sandbox, the same for all of them.

    Attributes:
        healthy: Whether they pass their health checks; the flaky one never does.
        sealed: Whether they refuse to give out secrets.
        start_seconds: How long the slow one takes to start.
        ballast_bytes: How much ballast new instances carry in memory.
    """

    def __init__(self) -> None:
        self.healthy = True
        self.sealed = False
        self.start_seconds = 0.0
        self.ballast_bytes = 0

    def candidates(self, key: str) -> Iterator[Candidate]:
        """Return the providers of *key*, the best last."""
        for priority, provider in enumerate((SLOW, FLAKY, FRESH, STEADY)):
            yield self.candidate(key, provider, priority=priority)

    def candidate(self, key: str, provider: str, *, priority: int = 0) -> Candidate:
        """Return *provider* of *key*."""
        return Candidate(
            domain=DOMAIN,
            key=key,
            provider=provider,
            priority=priority,
            factory=partial(self._make, provider),
            metadata={"capabilities": ["fast"]},
            source=CandidateSource.LOCAL_PKG,
        )

    async def _make(self, provider: str) -> Component:
        if provider == SLOW:
            await asyncio.sleep(self.start_seconds)
        return Component(self, provider)


class Component:
    """An instance of a provider of the sandbox."""

    def __init__(self, faults: FaultInjection, provider: str) -> None:
        self._faults = faults
        self._provider = provider
        self._ballast = _ballast(faults.ballast_bytes) if faults.ballast_bytes else None

    async def health(self) -> bool:
        """Whether it is well."""
        await asyncio.sleep(0)
        return self._faults.healthy and self._provider != FLAKY

    async def get_secret(self, secret_id: str) -> str:
        """Return a secret that is none; PermissionError while it is sealed."""
        if self._faults.sealed:
            raise PermissionError("sealed")
        return f"secret {secret_id}"

    async def close(self) -> None:
        """Let go of the ballast."""
        if self._ballast is not None:
            self._ballast.close()


def _ballast(size: int) -> mmap.mmap:
    """Return memory that is really taken, and really given back when it is closed."""
    memory = mmap.mmap(-1, size)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 1
    return memory


class StrangeServer:
    """Listens at an address and answers every request with metrics that are not Oneiric's."""

    def __init__(self, port: int) -> None:
        self._server = ThreadingHTTPServer((HOST, port), _StrangeHandler)
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        start_thread("drill-stranger", serve)

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


class _StrangeHandler(QuietHandler):
    def do_GET(self) -> None:  # noqa: N802 - the name is the base class's
        """Answer with one sample of somebody else."""
        body = b"stranger_up 1\n"
        with suppress(OSError):  # who asked may be gone
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
