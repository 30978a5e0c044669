"""The credential: where it goes, where it does not, and that nothing tells it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from remote_support import Answer, Site, config, entry, manifest, page

from oneiric.core.events import CircuitOpened, RemoteSync
from oneiric.core.resiliency import CircuitBreakerOpen
from oneiric.remote.delivery.fetch import MAX_REDIRECTS
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.source import RemoteSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Recorder

    from oneiric.core.resolution import Resolver

    Make = Callable[..., RemoteSource]

TOKEN = "s3cr3t-t0k3n"
AUTH = {"header_name": "X-Access", "token": TOKEN}


class Vault:
    """Secrets by id."""

    def __init__(self, **secrets: str) -> None:
        self._secrets = secrets

    async def get(self, secret_id: str) -> str | None:
        """Return the secret."""
        return self._secrets.get(secret_id)


async def test_is_sent_to_the_manifests_own_origin(site: Site, source_for: Make) -> None:
    """Manifest and artifacts of the same origin are asked for with the credential."""
    url = site.put("/m", page(manifest(entries=[entry(**site.artifact("/a", b"x"))])))
    await source_for(url, auth=AUTH).sync()
    assert [request.headers.get("X-Access") for request in site.requests] == [TOKEN, TOKEN]


async def test_is_not_sent_to_artifacts_elsewhere(site: Site, other_site: Site, source_for: Make) -> None:
    """An artifact of another origin, even on the same host, is asked for without it."""
    url = site.put("/m", page(manifest(entries=[entry(**other_site.artifact("/a", b"x"))])))
    assert await source_for(url, auth=AUTH).sync() is not None
    assert [request.headers.get("X-Access") for request in other_site.requests] == [None]


async def test_is_not_carried_along_by_a_redirect(site: Site, other_site: Site, source_for: Make) -> None:
    """A redirect to another origin is followed without it, whatever the header's name."""
    target = other_site.put("/m", page(manifest()))
    url = site.put("/m", Answer(status=302, headers={"Location": target}))
    assert await source_for(url, auth=AUTH).sync() is not None
    assert await source_for(url, auth={"token": TOKEN}).sync() is not None
    assert [TOKEN in str(request.headers) for request in other_site.requests] == [False, False]


async def test_stays_with_a_redirect_within_the_origin(site: Site, source_for: Make) -> None:
    """A redirect within the origin keeps it."""
    site.put("/new", page(manifest()))
    url = site.put("/m", Answer(status=307, headers={"Location": "new"}))
    assert await source_for(url, auth=AUTH).sync() is not None
    assert [request.headers.get("X-Access") for request in site.requests] == [TOKEN, TOKEN]


@pytest.mark.parametrize(("hops", "accepted"), [(MAX_REDIRECTS, True), (MAX_REDIRECTS + 1, False)])
async def test_bounds_the_redirects(site: Site, source_for: Make, hops: int, accepted: bool) -> None:
    """Five redirects are followed, a sixth is a failure."""
    for hop in range(hops):
        site.put(f"/{hop}", Answer(status=302, headers={"Location": f"/{hop + 1}"}))
    site.put(f"/{hops}", page(manifest()))
    source = source_for(f"{site.url}/0")
    if accepted:
        assert await source.sync() is not None
    else:
        with pytest.raises(httpx.TooManyRedirects):
            await source.sync()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
async def test_follows_no_redirect_to_another_kind_of_place(site: Site, source_for: Make, target: str) -> None:
    """A redirect leads to a web site or nowhere."""
    url = site.put("/m", Answer(status=302, headers={"Location": target}))
    with pytest.raises(RemoteSyncError, match=r"^http://127\.0\.0\.1:\d+ redirects to the scheme ") as raised:
        await source_for(url).sync()
    assert raised.value.reason == "path"


async def test_follows_no_redirect_out_of_tls(resolver: Resolver, cache_dir: Path) -> None:
    """What was to be fetched over https is not fetched over http."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.scheme)
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/m"})

    settings = config(cache_dir, "https://127.0.0.1/m")
    source = RemoteSource(resolver, settings, transport=httpx.MockTransport(answer))
    with pytest.raises(
        RemoteSyncError, match=r"^https://127\.0\.0\.1 redirects from https to http, which is refused\.$"
    ):
        await source.sync()
    assert asked == ["https"]


async def test_a_redirect_to_what_is_no_url_is_a_failure(site: Site, source_for: Make) -> None:
    """A redirect that cannot be understood is the server's fault."""
    with pytest.raises(httpx.RemoteProtocolError):
        await source_for(site.put("/m", Answer(status=302, headers={"Location": "http://[::1/"}))).sync()


async def test_is_looked_up_by_its_id(site: Site, source_for: Make) -> None:
    """A secret's id stands for the token; the line break at the end of a mounted file is no part of it."""
    source = source_for(
        site.put("/m", page(manifest())), secrets=Vault(ci=f"Bearer {TOKEN}\n"), auth={"secret_id": "ci"}
    )
    await source.sync()
    assert [request.headers.get("Authorization") for request in site.requests] == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("secrets", "auth", "text"),
    [
        (None, {"secret_id": "ci"}, "The secret 'ci' with the credential is not available."),
        (Vault(), {"secret_id": "ci"}, "The secret 'ci' with the credential is not available."),
        (Vault(ci=""), {"secret_id": "ci"}, "The credential is empty or holds characters"),
        (None, {"token": f"{TOKEN}\nX-Other: 1"}, "The credential is empty or holds characters"),
        (None, {"token": f"{TOKEN}é"}, "The credential is empty or holds characters"),
    ],
)
async def test_an_unusable_one_is_named_without_being_shown(
    site: Site, source_for: Make, *, secrets: Any, auth: dict[str, str], text: str
) -> None:
    """A credential that cannot be had or sent fails before anything is asked, and is not quoted."""
    source = source_for(site.put("/m", page(manifest())), secrets=secrets, auth=auth)
    with pytest.raises(RemoteSyncError) as raised:
        await source.sync()
    assert str(raised.value).startswith(text)
    assert TOKEN not in str(raised.value)
    assert site.requests == []


class Stuck:
    """A provider of secrets that cannot answer."""

    async def get(self, _secret_id: str) -> str | None:
        """Wait for ever."""
        await asyncio.Event().wait()
        return None


class Open:
    """A provider of secrets that refuses, because its own circuit is open."""

    async def get(self, _secret_id: str) -> str | None:
        """Refuse."""
        raise CircuitBreakerOpen("vault", 5.0)


async def test_is_not_waited_for_longer_than_for_a_server(site: Site, source_for: Make, recorder: Recorder) -> None:
    """A provider that does not answer is a failure after the configured timeout."""
    source = source_for(site.put("/m", page(manifest())), secrets=Stuck(), auth={"secret_id": "ci"}, timeout=0.05)
    async with asyncio.timeout(120):
        with pytest.raises(
            RemoteSyncError, match=r"^The secret 'ci' with the credential was not there within 0\.05 s\.$"
        ):
            await source.sync()
    assert [(end.outcome, end.reason) for end in recorder.endings(RemoteSync)] == [("failed", "timeout")]


async def test_a_provider_that_refuses_makes_a_failure(site: Site, source_for: Make, recorder: Recorder) -> None:
    """Somebody else's open circuit is not the source's own: nothing is skipped."""
    source = source_for(site.put("/m", page(manifest())), secrets=Open(), auth={"secret_id": "ci"})
    with pytest.raises(CircuitBreakerOpen):
        await source.sync()
    assert [(end.outcome, end.reason) for end in recorder.endings(RemoteSync)] == [("failed", "other")]
    assert recorder.of(CircuitOpened) == []


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(status=404)],
        [Answer(status=500)],
        [Answer(b"[]")],
        [Answer(b"{", headers={"Content-Length": "9"})],
        [page(manifest(entries=[entry(uri=f"/x?token={TOKEN}"), entry(key="b", uri=f"ftp://u:{TOKEN}@h/?k={TOKEN}")]))],
        [page(manifest(entries=[entry(uri=f"http://u:{TOKEN}@127.0.0.1:1/?sig={TOKEN}", sha256="a" * 64)]))],
    ],
)
async def test_nothing_that_is_told_or_remembered_holds_it(
    site: Site, source_for: Make, recorder: Recorder, cache_dir: Path, answers: list[Answer]
) -> None:
    """Neither events nor the status file hold the token, the URL's query or its password."""
    site.put("/m", *answers)
    url = f"{site.url.replace('://', f'://user:{TOKEN}@')}/m?sig={TOKEN}"
    source = source_for(url, auth=AUTH, max_retries=2, circuit_breaker_threshold=1)
    for _round in range(2):
        try:
            await source.sync()
        except (ValueError, httpx.HTTPError):
            continue
    told = json.dumps(msgspec.to_builtins([*recorder.told, *recorder.ended, *source.states()]))
    assert TOKEN not in told
    assert "sig=" not in told
    assert TOKEN not in (cache_dir / "remote_status.json").read_text()


async def test_the_http_client_logs_no_url_of_ours(
    site: Site, source_for: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """At any level nothing is logged that holds a URL's query; requests of somebody else are logged as ever."""
    caplog.set_level("DEBUG")
    url = site.put("/m", page(manifest()))
    await source_for(f"{url}?token={TOKEN}").sync()
    assert TOKEN not in caplog.text
    async with httpx.AsyncClient() as client:
        await client.get(f"{url}?mine")
    assert f"{url}?mine" in caplog.text
