"""Fetch single artifacts, apart from any manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from oneiric.remote.cache import ArtifactCache
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.fetch import Fetcher
from oneiric.remote.locations import locate_artifact, shown
from oneiric.remote.preparation import ARTIFACT_DEADLINE_FACTOR

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from oneiric.core.observers import Observers
    from oneiric.remote.draft import Draft

DEFAULT_HTTP_TIMEOUT = 30.0
"""Seconds to wait for a server unless set otherwise."""

DEFAULT_MAX_ARTIFACT_BYTES = 256 * 1024**2
"""Size of an artifact beyond which it is refused, in bytes."""


class ArtifactManager:
    """Fetches artifacts into the cache of a directory.

    Args:
        cache_dir: The cache directory.
        verify_tls: Whether servers must show a valid certificate.
        timeout: Seconds to wait for a server.
        allow_file_uris: Whether file:// is accepted.
        allowed_file_uri_roots: Where files must be then; anywhere if there are none.
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
        observers: Observers | None = None,
    ) -> None:
        self._cache = ArtifactCache(cache_dir, observers=observers)
        self.cache_dir = self._cache.directory
        self.verify_tls = verify_tls
        self.timeout = timeout
        self._allow_file_uris = allow_file_uris
        self._roots = tuple(allowed_file_uri_roots or ())

    async def fetch(self, uri: str, sha256: str | None, headers: Mapping[str, str] | None = None) -> Path:
        """Return the artifact at *uri*, which must have the digest *sha256*, from the cache if it is there.

        *headers* go to the origin of *uri* only, not where that redirects to. RemoteSyncError, a ValueError, if the
        artifact is refused; httpx's errors if it cannot be had.
        """
        location = locate_artifact(uri, allow_files=self._allow_file_uris, roots=self._roots)
        if not sha256:
            raise RemoteSyncError(f"No sha256 for {shown(uri)}; what it names cannot be verified", reason="digest")

        async def download(draft: Draft) -> None:
            async with httpx.AsyncClient(verify=self.verify_tls, timeout=self.timeout) as client:
                fetcher = Fetcher(client, origin=uri if isinstance(location, str) else "", headers=headers)
                await fetcher.fetch(
                    location,
                    draft.write,
                    max_bytes=DEFAULT_MAX_ARTIFACT_BYTES,
                    deadline=self.timeout * ARTIFACT_DEADLINE_FACTOR,
                )

        return await self._cache.fetch(sha256, download, source="artifact", label=shown(uri))
