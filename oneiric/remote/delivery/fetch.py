"""Bring bytes from where they are: bounded in size and time, the credential going to one origin only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import httpx

from oneiric.remote.delivery.hosts import refuse_internal
from oneiric.remote.delivery.quiet_client import quiet_client
from oneiric.remote.errors import RemoteSyncError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_REDIRECTS = 5
"""Most redirects followed for one request."""

DNS_TIMEOUT = 30.0
"""Seconds to wait for the name service where the client sets no time to connect."""

ARTIFACT_DEADLINE_FACTOR = 20
"""How many times the configured timeout the download of one artifact may take in all."""

CHUNK_BYTES = 1024 * 1024
"""Size of the pieces that are handed on, in bytes."""

Sink: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes the next piece."""

Origin: TypeAlias = "tuple[str, str, int | None]"


class Fetcher:
    """Makes the requests of one synchronisation.

    Args:
        client: Makes single requests; must not follow redirects itself.
        origin: The URL whose scheme, host and port get *headers*; "" for none.
        headers: The credential.
        home: The host that is fine even if it is internal; "" for that of each location.
        allow_private_hosts: Whether every host is.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        origin: str = "",
        headers: Mapping[str, str] | None = None,
        home: str = "",
        allow_private_hosts: bool = False,
    ) -> None:
        self._client = client
        self._home = home
        self._allow_private_hosts = allow_private_hosts
        self._origin = origin_of(_url(origin)) if origin else None
        self._headers = dict(headers or {})

    async def fetch(self, location: str | Path, sink: Sink, *, max_bytes: int, deadline: float) -> None:
        """Hand the content of *location*, an HTTP URL or a file, to *sink* in pieces.

        Raises httpx's errors; RemoteSyncError with reason too_large beyond *max_bytes*; httpx.ReadTimeout if it takes
        longer than *deadline* seconds in all.
        """
        if not isinstance(location, str):
            await _read_file(location, _bounded(sink, max_bytes))
            return
        try:
            async with asyncio.timeout(deadline):
                with quiet_client():
                    await self._request(location, sink, max_bytes)
        except TimeoutError:
            raise httpx.ReadTimeout(f"{server_of(_url(location))}: no complete answer within {deadline:g} s") from None

    async def _request(self, url: str, sink: Sink, max_bytes: int) -> None:
        target = _url(url)
        home = self._home or target.host
        for _hop in range(MAX_REDIRECTS + 1):
            if target.host != home and not self._allow_private_hosts:
                await refuse_internal(target.host, timeout=self._client.timeout.connect or DNS_TIMEOUT)
            try:
                following = await self._hop(target, sink, max_bytes)
            except httpx.TransportError as error:
                raise type(error)(f"{server_of(target)}: {str(error) or type(error).__name__}") from error
            if following is None:
                return
            target = _checked_hop(target, following)
        raise httpx.TooManyRedirects(f"{server_of(_url(url))}: more than {MAX_REDIRECTS} redirects")

    async def _hop(self, target: httpx.URL, sink: Sink, max_bytes: int) -> httpx.URL | None:
        """Hand the content of *target* to *sink*, or return where it redirects to."""
        async with self._client.stream("GET", target, headers=self._headers_for(target)) as response:
            if response.next_request is not None:
                return response.next_request.url
            response.raise_for_status()
            await _receive(response, sink, max_bytes)
            return None

    def _headers_for(self, url: httpx.URL) -> dict[str, str]:
        # Without a coding, a size is what it says: no small answer can grow on the way to the disk.
        return {"Accept-Encoding": "identity", **(self._headers if origin_of(url) == self._origin else {})}


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port (None for the default one) of *url*: RFC 6454."""
    return url.scheme, url.host, url.port


def server_of(url: httpx.URL) -> str:
    """Return scheme, host and port of *url* for messages, without credentials and path."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


async def _receive(response: httpx.Response, sink: Sink, max_bytes: int) -> None:
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise RemoteSyncError(f"{server_of(response.url)} sent a content coding that was not asked for.")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes)
    take = _bounded(sink, max_bytes)
    async for chunk in response.aiter_bytes(CHUNK_BYTES):
        await take(chunk)


async def _read_file(path: Path, sink: Sink) -> None:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            await sink(chunk)


def _bounded(sink: Sink, max_bytes: int) -> Sink:
    taken = 0

    async def take(chunk: bytes) -> None:
        nonlocal taken
        taken += len(chunk)
        if taken > max_bytes:
            raise _too_large(max_bytes)
        await sink(chunk)

    return take


def _checked_hop(here: httpx.URL, target: httpx.URL) -> httpx.URL:
    if target.scheme not in {"http", "https"}:
        raise RemoteSyncError(
            f"{server_of(here)} redirects to the scheme {target.scheme[:16]!r}; only http and https are supported.",
            reason="path",
        )
    if here.scheme == "https" and target.scheme == "http":
        raise RemoteSyncError(f"{server_of(here)} redirects from https to http, which is refused.", reason="path")
    return target


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:  # whose text quotes parts of it
        raise RemoteSyncError(
            "The URL is invalid; http://HOST/PATH or https://HOST/PATH expected.", reason="path"
        ) from None


def _too_large(max_bytes: int) -> RemoteSyncError:
    return RemoteSyncError(f"The content is larger than the {max_bytes} bytes allowed.", reason="too_large")
