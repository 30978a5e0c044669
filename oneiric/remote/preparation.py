"""Everything that is done before a manifest takes effect: fetch it, judge it, bring its artifacts, make candidates."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import httpx

from oneiric.core.events import EntryRejected, RetryScheduled
from oneiric.core.redaction import host_of
from oneiric.core.resiliency import run_with_retry
from oneiric.core.security import load_factory_allowlist
from oneiric.remote.delivery import ARTIFACT_DEADLINE_FACTOR, Fetcher, check_address
from oneiric.remote.errors import RemoteSyncError, may_pass
from oneiric.remote.locations import locate_artifact, locate_manifest, shown
from oneiric.remote.manifest import Judge, RemoteSyncResult, candidate_of, read_manifest, select_entries

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Candidate
    from oneiric.remote.delivery import ArtifactCache, Draft
    from oneiric.remote.manifest import Mark, RemoteManifest, RemoteManifestEntry
    from oneiric.remote.tally import Tally

MAX_CONCURRENT_DOWNLOADS = 4
"""Artifacts that are fetched at the same time."""

_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")


class Secrets(Protocol):
    """Where a credential is looked up."""

    async def get(self, secret_id: str, /) -> str | None:
        """Return the secret, None if nobody knows it."""


@dataclass(frozen=True)
class Prepared:
    """A manifest that was verified with everything it names, ready to take effect.

    Attributes:
        manifest: With the entries that are accepted.
        candidates: One for each entry.
        digests: Those of its artifacts.
        rejected: How many entries were refused.
        mark: What holds against replays once it is in effect.
        expires_at: Seconds since the epoch, None where it does not say.
    """

    manifest: RemoteManifest
    candidates: list[Candidate]
    digests: frozenset[str]
    rejected: int
    mark: Mark
    expires_at: float | None

    def result(self, *, duration: float) -> RemoteSyncResult:
        """Return what a synchronisation of *duration* seconds did that let it take effect."""
        return RemoteSyncResult(
            manifest=self.manifest,
            registered=len(self.candidates),
            duration_ms=duration * 1000,
            per_domain=dict(Counter(candidate.domain for candidate in self.candidates)),
            skipped=self.rejected,
        )


@dataclass(frozen=True)
class Preparation:
    """Prepares one manifest of one source; changes nothing but the cache.

    Attributes:
        claim: Called with the digests of the manifest's artifacts before the first one is fetched.
        tls: How servers are verified.
        transport: Makes the requests instead of the network.
    """

    config: RemoteSourceConfig
    cache: ArtifactCache
    observers: Observers
    secrets: Secrets | None
    claim: Callable[[Iterable[str]], None]
    tally: Tally
    tls: ssl.SSLContext
    transport: httpx.AsyncBaseTransport | None = None

    async def prepare(self, url: str, *, mark: Mark, now: float) -> Prepared:
        """Return the manifest at *url*; raise what makes it, or anything it names, unacceptable."""
        location = await asyncio.to_thread(self._locate_manifest, url)
        async with self._client() as client:
            origin = location if isinstance(location, str) else ""
            fetcher = Fetcher(
                client,
                origin=origin,
                headers=await self._credential() if origin else {},
                home=host_of(origin),
                allow_private_hosts=self.config.allow_private_hosts,
            )
            raw = await self._fetch_manifest(fetcher, location)
            unverified = await asyncio.to_thread(read_manifest, raw, max_entries=self.config.max_entries)
            judge = Judge(self.config, self.observers)
            new_mark = await asyncio.to_thread(judge.accept, unverified, mark=mark, now=now)
            entries, rejected = await asyncio.to_thread(self._select, unverified.entries, location)
            for rejection in rejected:
                self.observers.notify(rejection)
            await self._fetch_artifacts(fetcher, entries, location)
        return Prepared(
            manifest=unverified.manifest.model_copy(update={"entries": entries}),
            candidates=await asyncio.to_thread(self._candidates, entries),
            digests=_digests(entries),
            rejected=len(rejected),
            mark=new_mark,
            expires_at=unverified.expires_at,
        )

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self.tls, timeout=self.config.timeout, transport=self.transport, headers={"User-Agent": "oneiric"}
        )

    def _locate_manifest(self, url: str) -> str | Path:
        config = self.config
        return locate_manifest(url, allow_files=config.allow_file_uris, roots=config.allowed_file_uri_roots)

    def _locate_artifact(self, uri: str, manifest: str | Path) -> str | Path:
        """Find an artifact.

        A manifest from the network names files only where roots bound them, and no internal address but its own.
        """
        roots = self.config.allowed_file_uri_roots
        allow_files = self.config.allow_file_uris and (bool(roots) or isinstance(manifest, Path))
        location = locate_artifact(uri, allow_files=allow_files, roots=roots)
        if not self.config.allow_private_hosts and isinstance(location, str) and isinstance(manifest, str):
            host = host_of(location)
            if host != host_of(manifest):
                check_address(host, host)
        return location

    async def _credential(self) -> dict[str, str]:
        auth = self.config.auth
        if not (auth.token or auth.secret_id):
            return {}
        token = (auth.token or await self._secret(auth.secret_id) or "").strip()
        if not _HEADER_VALUE.fullmatch(token):
            raise RemoteSyncError("The credential is empty or holds characters that no HTTP header can carry.")
        return {auth.header_name: token}

    async def _secret(self, secret_id: str | None) -> str:
        timeout, name = self.config.timeout, f"The secret {secret_id!r:.80} with the credential"
        try:
            async with asyncio.timeout(timeout):
                value = await self.secrets.get(secret_id) if self.secrets and secret_id else None
        except TimeoutError:
            raise RemoteSyncError(f"{name} was not there within {timeout:g} s.", reason="timeout") from None
        if value is None:
            raise RemoteSyncError(f"{name} is not available.")
        return value

    async def _fetch_manifest(self, fetcher: Fetcher, location: str | Path) -> bytes:
        config, content = self.config, bytearray()

        async def take(chunk: bytes) -> None:
            content.extend(chunk)

        async def attempt() -> None:
            content.clear()
            await fetcher.fetch(location, take, max_bytes=config.max_manifest_bytes, deadline=config.timeout)

        await self._retrying("manifest", attempt)
        return bytes(content)

    def _select(self, raw: list[object], manifest: str | Path) -> tuple[list[RemoteManifestEntry], list[EntryRejected]]:
        return select_entries(
            raw,
            source=self.config.name,
            allowed_prefixes=load_factory_allowlist(),
            locate=lambda uri: self._locate_artifact(uri, manifest),
        )

    async def _fetch_artifacts(
        self, fetcher: Fetcher, entries: list[RemoteManifestEntry], manifest: str | Path
    ) -> None:
        uris = {entry.sha256: entry.uri for entry in entries if entry.uri and entry.sha256}
        self.claim(uris)
        slots = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)

        async def fetch(sha256: str, uri: str) -> None:
            async with slots:
                await self._fetch_artifact(fetcher, sha256, uri, manifest)

        try:
            async with asyncio.TaskGroup() as group:
                for sha256, uri in uris.items():
                    group.create_task(fetch(sha256, uri))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _fetch_artifact(self, fetcher: Fetcher, sha256: str, uri: str, manifest: str | Path) -> None:
        config = self.config
        location = self._locate_artifact(uri, manifest)
        deadline = config.timeout * ARTIFACT_DEADLINE_FACTOR

        async def download(draft: Draft) -> None:
            async def attempt() -> None:
                draft.restart()
                await fetcher.fetch(location, draft.write, max_bytes=config.max_artifact_bytes, deadline=deadline)

            await self._retrying("artifact", attempt)

        await self.cache.fetch(sha256, download, source=config.name, label=shown(uri), tally=self.tally)

    async def _retrying(
        self, operation: Literal["manifest", "artifact"], attempt: Callable[[], Awaitable[None]]
    ) -> None:
        config = self.config
        await run_with_retry(
            attempt,
            attempts=max(1, config.max_retries),
            base_delay=config.retry_base_delay,
            max_delay=config.retry_max_delay,
            jitter=config.retry_jitter,
            passing=may_pass,
            on_retry=lambda _error, _delay: self.observers.notify(
                RetryScheduled(source=config.name, operation=operation)
            ),
        )

    def _candidates(self, entries: list[RemoteManifestEntry]) -> list[Candidate]:
        return [
            candidate_of(entry, self.cache.path_of(entry.sha256) if entry.uri and entry.sha256 else None)
            for entry in entries
        ]


def _digests(entries: Iterable[RemoteManifestEntry]) -> frozenset[str]:
    return frozenset(entry.sha256 for entry in entries if entry.uri and entry.sha256)
