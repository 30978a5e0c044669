"""The outside world of the demonstration: signed manifests and artifacts on loopback HTTP, and a host that is down."""

from __future__ import annotations

import copy
import hashlib
import json
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from oneiric.core.concurrency import start_thread
from oneiric.core.config import RemoteSourceConfig
from oneiric.remote.manifest import generate_signing_key, sign_manifest_for_publishing

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

HOST = "127.0.0.1"
VALIDITY = timedelta(days=7)
COMPONENTS = {
    ("adapter", "greeting"): "demo_remote_adapter",
    ("service", "status"): "demo_remote_service",
    ("task", "nothing"): "demo_remote_task",
    ("event", "echo"): "demo_remote_event_handler",
    ("workflow", "at-once"): "demo_remote_workflow",
}
"""What the manifest brings: the factory of each domain and key."""


class DemoWorld:
    """Write and sign the manifests below *directory* and serve them until closed.

    Attributes:
        public_key: What verifies the manifests, base64.
        sources: The remote sources, by name, one of them good and, with *faults*, each other bad in its own way.
    """

    def __init__(self, directory: Path, *, faults: bool = True) -> None:
        private, self.public_key = generate_signing_key()
        self._server = QuietServer((HOST, 0), partial(QuietHandler, directory=str(directory)))
        address = f"http://{HOST}:{self._server.server_port}"
        good = manifest_of(directory, address)
        tampered = signed(good, private) | {"source": "somebody else"}
        mislabelled = copy.deepcopy(good)
        mislabelled["entries"][-1]["sha256"] = hashlib.sha256(b"something else").hexdigest()
        manifests = {
            "main": signed(good, private),
            "tampered": tampered,
            "mislabelled": signed(mislabelled, private),
        }
        for name, manifest in manifests.items():
            (directory / f"{name}.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        urls = {name: f"{address}/{name}.json" for name in manifests}
        urls["unreachable"] = f"http://{HOST}:{_closed_port()}/main.json"
        self.sources = {name: _source(name, url) for name, url in urls.items() if faults or name == "main"}

    def __enter__(self) -> Self:
        """Serve."""
        self._thread = start_thread("demo-manifests", self._server.serve_forever)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class QuietServer(ThreadingHTTPServer):
    """Keeps silent about clients that hang up, as the runtime does when it stops."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep silent."""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves the directory and keeps silent about it."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Keep silent."""


def manifest_of(directory: Path, address: str, *, validity: timedelta = VALIDITY) -> dict[str, Any]:
    """Return a manifest, not yet signed, and write its artifacts below *directory*, which is served at *address*."""
    (directory / "artifacts").mkdir(exist_ok=True)
    now = datetime.now(UTC)
    return {
        "source": "demo",
        "signed_at": now.isoformat(),
        "expires_at": (now + validity).isoformat(),
        "entries": [_entry(directory, address, domain, key) for domain, key in COMPONENTS],
    }


def _entry(directory: Path, address: str, domain: str, key: str) -> dict[str, Any]:
    content = f"settings of {domain} {key}\n".encode() * 64
    name = f"artifacts/{domain}-{key}.txt"
    (directory / name).write_bytes(content)
    return {
        "domain": domain,
        "key": key,
        "provider": "remote",
        "factory": f"oneiric.remote.samples:{COMPONENTS[domain, key]}",
        "uri": f"{address}/{name}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "version": "1.0.0",
    }


def signed(manifest: dict[str, Any], private_key: str) -> dict[str, Any]:
    """Return *manifest* with its signature."""
    return manifest | {"signature": sign_manifest_for_publishing(manifest, private_key)}


def _source(name: str, url: str) -> RemoteSourceConfig:
    return RemoteSourceConfig(
        name=name,
        enabled=True,
        manifest_url=url,
        refresh_interval=None if name != "main" else 5.0,
        signature_required=True,
        max_retries=1,
        retry_base_delay=0.05,
        timeout=2.0,
        circuit_breaker_reset=10.0,
    )


def _closed_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port
