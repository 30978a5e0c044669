"""Where a manifest from the network may lead: not into the network of whoever reads it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from remote_support import NOW, Answer, Site, config, entry, manifest, page

from oneiric.core.events import EntryRejected, RemoteSync
from oneiric.remote.delivery import ArtifactManager
from oneiric.remote.delivery.hosts import is_internal
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.source import RemoteSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Recorder

    from oneiric.core.resolution import Resolver

    Make = Callable[..., RemoteSource]

INTERNAL = [
    "10.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "224.0.0.1",
    "0.0.0.0",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:224.0.0.1",
]
BODY = b"artifact"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("address", INTERNAL)
def test_an_address_that_is_not_public_is_internal(address: str) -> None:
    """Private, loopback, link-local, multicast and unspecified addresses are internal, written in either way."""
    assert is_internal(address)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "example.org", ""])
def test_a_public_address_or_a_name_is_not_internal(host: str) -> None:
    """Names are looked up elsewhere."""
    assert not is_internal(host)


class Web:
    """A transport that serves pages by host and remembers which hosts were asked."""

    def __init__(self, **pages: httpx.Response) -> None:
        self.asked: list[str] = []
        self._pages = pages

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.asked.append(request.url.host)
        return self._pages.get(request.url.host.replace(".", "_"), httpx.Response(200, content=BODY))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Addresses by name, in place of the name service; a name that is not there is unknown."""
    addresses: dict[str, str] = {}

    async def look_up(_loop: object, host: str, *_arguments: object, **_options: object) -> list[Any]:
        if host not in addresses:
            raise OSError("unknown name")
        return [(None, None, None, "", (addresses[host], 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    return addresses


@pytest.fixture
def source_in(resolver: Resolver, cache_dir: Path) -> Callable[..., RemoteSource]:
    """Make a source whose manifest is at pub.example in a web."""

    def make(web: Web, **settings: Any) -> RemoteSource:
        configured = config(cache_dir, "http://pub.example/m", **settings)
        return RemoteSource(resolver, configured, transport=httpx.MockTransport(web), clock=lambda: NOW)

    return make


def offering(host: str) -> httpx.Response:
    """Return a manifest with an artifact at *host*."""
    return httpx.Response(200, json=manifest(entries=[entry(uri=f"http://{host}/a", sha256=DIGEST)]))


def moved(host: str) -> httpx.Response:
    """Return a redirect to *host*."""
    return httpx.Response(302, headers={"Location": f"http://{host}/x"})


@pytest.mark.parametrize("address", ["10.0.0.1", "[::1]", "169.254.169.254"])
async def test_skips_an_entry_with_an_internal_address(
    source_in: Callable[..., RemoteSource], recorder: Recorder, address: str
) -> None:
    """An artifact at an internal address of another host than the manifest's is refused before anything is asked."""
    web = Web(pub_example=offering(address))
    result = await source_in(web).sync()
    assert result is not None
    assert (result.registered, web.asked) == (0, ["pub.example"])
    assert [event.reason for event in recorder.of(EntryRejected)] == ["path"]


@pytest.mark.parametrize("host", ["inside.example", "2130706433"])
async def test_asks_no_name_that_stands_for_an_internal_address(
    source_in: Callable[..., RemoteSource], names: dict[str, str], recorder: Recorder, host: str
) -> None:
    """A name is looked up before it is asked; an unusual form of an address is a name."""
    names[host] = "127.0.0.1"
    web = Web(pub_example=offering(host))
    with pytest.raises(RemoteSyncError, match=r"is an internal address"):
        await source_in(web).sync()
    assert web.asked == ["pub.example"]
    assert recorder.endings(RemoteSync)[-1].reason == "path"


@pytest.mark.parametrize("host", ["169.254.169.254", "inside.example"])
async def test_follows_no_redirect_to_an_internal_address(
    source_in: Callable[..., RemoteSource], names: dict[str, str], recorder: Recorder, host: str
) -> None:
    """A redirect leads to no internal address, be it the manifest's or an artifact's."""
    names["inside.example"], names["cdn.example"] = "10.0.0.1", "8.8.8.8"
    for web in (Web(pub_example=moved(host)), Web(pub_example=offering("cdn.example"), cdn_example=moved(host))):
        with pytest.raises(RemoteSyncError, match=r"is an internal address"):
            await source_in(web).sync()
        assert host not in web.asked
    assert {end.reason for end in recorder.endings(RemoteSync)} == {"path"}


@pytest.mark.parametrize("host", ["cdn.example", "unknown.example"])
async def test_asks_public_names_and_leaves_unknown_ones_to_the_request(
    source_in: Callable[..., RemoteSource], names: dict[str, str], host: str
) -> None:
    """What has a public address is asked; what has none here may have one for a proxy."""
    names["cdn.example"] = "8.8.8.8"
    web = Web(pub_example=offering(host))
    assert await source_in(web).sync() is not None
    assert web.asked == ["pub.example", host]


async def test_leads_into_the_network_where_that_is_allowed(
    source_in: Callable[..., RemoteSource], names: dict[str, str]
) -> None:
    """A setting lets manifests name internal hosts."""
    names["inside.example"] = "10.0.0.1"
    web = Web(pub_example=offering("10.0.0.1"), **{"10_0_0_1": moved("inside.example")})
    result = await source_in(web, allow_private_hosts=True).sync()
    assert result is not None
    assert (result.registered, web.asked) == (1, ["pub.example", "10.0.0.1", "inside.example"])


async def test_an_internal_manifest_names_its_own_host_only(site: Site, source_for: Make) -> None:
    """The manifest's own host is always fine; the same machine under another name is another host."""
    site.artifact("/a", BODY)
    port = site.url.rpartition(":")[2]
    own = site.put("/own", page(manifest(entries=[entry(uri=f"{site.url}/a", sha256=DIGEST)])))
    assert await source_for(own).sync() is not None
    other = entry(uri=f"http://localhost:{port}/a", sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(RemoteSyncError, match=r"is an internal address"):
        await source_for(site.put("/other", page(manifest(entries=[other])))).sync()


async def test_a_manifest_in_a_file_may_name_any_host(site: Site, source_for: Make, tmp_path: Path) -> None:
    """Whoever put the file there knows the network; a redirect from what it names is refused all the same."""
    file = tmp_path / "m.json"
    file.write_text(json.dumps(manifest(entries=[entry(**site.artifact("/a", BODY))])))
    source = source_for(str(file), allow_file_uris=True)
    assert await source.sync() is not None
    port = site.url.rpartition(":")[2]
    moved_to = Answer(status=302, headers={"Location": f"http://localhost:{port}/a"})
    file.write_text(json.dumps(manifest(entries=[entry(uri=site.put("/b", moved_to), sha256="a" * 64)])))
    with pytest.raises(RemoteSyncError, match=r"is an internal address"):
        await source.sync()


async def test_a_single_artifact_is_not_redirected_into_the_network(site: Site, cache_dir: Path) -> None:
    """The host that the caller names is fine, an internal one that it redirects to is not unless allowed."""
    site.put("/a", Answer(BODY))
    port = site.url.rpartition(":")[2]
    uri = site.put("/b", Answer(status=302, headers={"Location": f"http://localhost:{port}/a"}))
    with pytest.raises(RemoteSyncError, match=r"is an internal address"):
        await ArtifactManager(cache_dir).fetch(uri, DIGEST)
    path = await ArtifactManager(cache_dir, allow_private_hosts=True).fetch(uri, DIGEST)
    assert path.read_bytes() == BODY


async def test_a_look_up_that_takes_too_long_is_a_timeout(
    source_in: Callable[..., RemoteSource], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name service that does not answer is waited for as long as a server."""

    async def hang(*_arguments: object, **_options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", hang)
    with pytest.raises(httpx.ConnectTimeout):
        await source_in(Web(pub_example=offering("slow.example")), timeout=0.2).sync()
    assert recorder.endings(RemoteSync)[-1].reason == "timeout"
