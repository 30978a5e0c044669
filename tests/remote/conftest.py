"""Fixtures for remote manifests: a web site, a publisher who is trusted, and a source between them and a resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from remote_support import NOW, Publisher, Site, config
from support import Clock

from oneiric.core.resolution import Resolver
from oneiric.remote.manifest import ENV_TRUSTED_PUBLIC_KEYS
from oneiric.remote.source import RemoteSource

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(ENV_TRUSTED_PUBLIC_KEYS, raising=False)
    monkeypatch.delenv("ONEIRIC_FACTORY_ALLOWLIST", raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site on a free port."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def other_site() -> Iterator[Site]:
    """A web site of another origin."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """The one publisher who is trusted."""
    publisher = Publisher()
    monkeypatch.setenv(ENV_TRUSTED_PUBLIC_KEYS, publisher.public)
    return publisher


@pytest.fixture
def wall() -> Clock:
    """The time of day, set by hand."""
    return Clock(NOW)


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """Where artifacts and the status are kept."""
    return tmp_path / "cache"


@pytest.fixture
def resolver(observers: Observers, recorder: Recorder) -> Resolver:  # noqa: ARG001 - recorder is attached first
    """A resolver that holds nothing yet."""
    return Resolver(observers=observers)


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """What a source makes once and keeps: shared here, because making it takes longer than most tests."""
    return httpx.create_ssl_context()


@pytest.fixture
def source_for(resolver: Resolver, cache_dir: Path, wall: Clock, tls: ssl.SSLContext) -> Callable[..., RemoteSource]:
    """Make a source for a URL, with further settings."""

    def make(url: str | None, *, secrets: Any = None, **settings: Any) -> RemoteSource:
        source = RemoteSource(resolver, config(cache_dir, url, **settings), secrets=secrets, clock=wall)
        source._tls = tls
        return source

    return make
