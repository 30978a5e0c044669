"""What tests of remote manifests share: a real HTTP server on the loopback, and a publisher who signs."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from oneiric.core.config import RemoteSourceConfig
from oneiric.remote.manifest import generate_signing_key, sign_manifest_for_publishing

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
SIGNED_AT = "2027-01-15T07:00:00Z"  # an hour before NOW
FACTORY = "oneiric.remote.samples:demo_remote_adapter"


@dataclass
class Answer:
    """What the server says; while *hold* is not set it says nothing after the headers.

    With *drip*, it says one byte every so many seconds.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    chunked: bool = False
    drip: float = 0.0


@dataclass
class Request:
    """What the server was asked."""

    path: str
    headers: dict[str, str]


class Site:
    """A web site whose pages are set by hand; a page with several answers gives them in turn, the last for ever.

    Attributes:
        requests: What was asked.
        held: Lets go of answers that hold it.
        reached: Set once an answer is held.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.pages: dict[str, list[Answer]] = {}
        self.held = threading.Event()
        self.reached = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the site, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def put(self, path: str, *answers: Answer) -> str:
        """Let *path* give *answers* and return its URL."""
        self.pages[path] = list(answers)
        return self.url + path

    def artifact(self, path: str, body: bytes) -> dict[str, str]:
        """Put an artifact and return what a manifest's entry says of it."""
        return {"uri": self.put(path, Answer(body)), "sha256": hashlib.sha256(body).hexdigest()}

    def asked(self, path: str) -> list[Request]:
        """Return the requests for *path*."""
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        """Stop serving."""
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Publisher:
    """Somebody who signs manifests."""

    private: str = ""
    public: str = ""

    def __post_init__(self) -> None:
        """Make a pair of keys."""
        self.private, self.public = generate_signing_key()

    def sign(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return *manifest* with a signature."""
        return {**manifest, "signature": sign_manifest_for_publishing(manifest, self.private)}

    def document(self, **content: Any) -> Answer:
        """Return an answer with a signed manifest."""
        return page(self.sign(manifest(**content)))


def manifest(**content: Any) -> dict[str, Any]:
    """Return a manifest with one entry, changed and completed by *content*; None leaves a key out."""
    document = {"source": "demo", "signed_at": SIGNED_AT, "entries": [entry()]} | content
    return {key: value for key, value in document.items() if value is not None}


def entry(**content: Any) -> dict[str, Any]:
    """Return an entry of a manifest, changed and completed by *content*."""
    return {"domain": "adapter", "key": "demo", "provider": "remote", "factory": FACTORY} | content


def page(document: object) -> Answer:
    """Return an answer with *document* as JSON."""
    return Answer(json.dumps(document).encode())


def config(cache: Path, url: str | None, **settings: Any) -> RemoteSourceConfig:
    """Return the settings of a source that tries once, unless *settings* say otherwise."""
    defaults = {"enabled": True, "manifest_url": url, "cache_dir": str(cache), "timeout": 5.0, "max_retries": 1}
    return RemoteSourceConfig(**defaults | {"retry_base_delay": 0.0} | settings)


def leftovers(cache: Path) -> list[str]:
    """Return the names of unfinished files anywhere below *cache*."""
    return sorted(path.name for path in cache.rglob("*") if path.name.startswith(".part-") or path.suffix == ".tmp")


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            site.requests.append(Request(path, dict(self.headers)))
            answers = site.pages.get(path, [Answer(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            if not answer.chunked and "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if answer.hold is not None:
                site.reached.set()
                answer.hold.wait(timeout=120)
            step = 1 if answer.drip else max(1, len(answer.body))
            for start in range(0, len(answer.body), step):
                site.held.wait(answer.drip)
                self.wfile.write(answer.body[start : start + step])
            self.close_connection = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
            """Write nothing."""

    return Handler
