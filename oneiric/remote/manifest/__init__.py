"""The manifest: its model, parsing, signatures and trust."""

from oneiric.remote.manifest.entries import VALID_DOMAINS, candidate_of, select_entries
from oneiric.remote.manifest.model import RemoteManifest, RemoteManifestEntry, RemoteSyncResult
from oneiric.remote.manifest.reading import read_manifest
from oneiric.remote.manifest.signatures import (
    ENV_TRUSTED_PUBLIC_KEYS,
    generate_signing_key,
    sign_manifest_for_publishing,
)
from oneiric.remote.manifest.trust import Judge, Mark, latest

__all__ = [
    "ENV_TRUSTED_PUBLIC_KEYS",
    "VALID_DOMAINS",
    "Judge",
    "Mark",
    "RemoteManifest",
    "RemoteManifestEntry",
    "RemoteSyncResult",
    "candidate_of",
    "generate_signing_key",
    "latest",
    "read_manifest",
    "select_entries",
    "sign_manifest_for_publishing",
]
