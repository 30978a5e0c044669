"""Fetch single artifacts, apart from any manifest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import httpx

from oneiric.core.files import make_private_directory
from oneiric.remote.delivery.cache import ArtifactCache
from oneiric.remote.delivery.fetch import ARTIFACT_DEADLINE_FACTOR, Fetcher
from oneiric.remote.locations import locate_artifact, shown

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from oneiric.core.observers import Observers
    from oneiric.remote.delivery.draft import Draft

DEFAULT_HTTP_TIMEOUT = 30.0
"""Seconds to wait for a server unless set otherwise."""

DEFAULT_MAX_ARTIFACT_BYTES = 256 * 1024**2
"""Size of an artifact beyond which it is refused, in bytes."""

_SOURCE = "artifact"


class ArtifactManager:
    """Fetches artifacts into the cache of a directory.

    OSError where the directory cannot be made.

    Args:
        cache_dir: The cache directory; made for its owner only where it is missing.
        verify_tls: Whether servers must show a valid certificate.
        timeout: Seconds to wait for a server.
        allow_file_uris: Whether file:// is accepted.
        allowed_file_uri_roots: Where files must be then; anywhere if there are none.
        allow_private_hosts: Whether an artifact may be redirected to a private address of another host.
        observers: The seam to report through.
    """

    def __init__(  # noqa: PLR0913 - published signature
        self,
        cache_dir: str | os.PathLike[str],
        verify_tls: bool = True,  # noqa: FBT001, FBT002 - published signature
        timeout: float = DEFAULT_HTTP_TIMEOUT,
        *,
        allow_file_uris: bool = False,
        allowed_file_uri_roots: Sequence[str] | None = None,
        allow_private_hosts: bool = False,
        observers: Observers | None = None,
    ) -> None:
        self._cache = ArtifactCache(cache_dir, observers=observers)
        self.cache_dir = self._cache.directory
        make_private_directory(self.cache_dir)
        self.verify_tls = verify_tls
        self.timeout = timeout
        self._allow_file_uris = allow_file_uris
        self._allow_private_hosts = allow_private_hosts
        self._roots = tuple(allowed_file_uri_roots or ())

    async def fetch(self, uri: str, sha256: str | None, headers: Mapping[str, str] | None = None) -> Path:
        """Return the artifact at *uri*, which must have the digest *sha256*, from the cache if it is there.

        Without *sha256* it is fetched each time, as no copy could be told from a damaged or outdated one. *headers* go
        to the origin of *uri* only, not where that redirects to. RemoteSyncError, a ValueError, if the artifact is
        refused; httpx's errors if it cannot be had.
        """
        location = locate_artifact(uri, allow_files=self._allow_file_uris, roots=self._roots)

        async def download(draft: Draft) -> None:
            async with httpx.AsyncClient(verify=self.verify_tls, timeout=self.timeout) as client:
                fetcher = Fetcher(
                    client,
                    origin=uri if isinstance(location, str) else "",
                    headers=headers,
                    allow_private_hosts=self._allow_private_hosts,
                )
                await fetcher.fetch(
                    location,
                    draft.write,
                    max_bytes=DEFAULT_MAX_ARTIFACT_BYTES,
                    deadline=self.timeout * ARTIFACT_DEADLINE_FACTOR,
                )

        if sha256 is None:
            name = hashlib.sha256(uri.encode()).hexdigest()
            return await self._cache.fetch_unverified(name, download, source=_SOURCE)
        return await self._cache.fetch(sha256.lower(), download, source=_SOURCE, label=shown(uri))
