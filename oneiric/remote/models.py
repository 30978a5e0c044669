"""The model of a manifest; its home is :mod:`oneiric.remote.manifest`, and this path to it stays."""

from oneiric.remote.manifest import (
    CapabilityDescriptor,
    CapabilitySecurityProfile,
    ManifestSignature,
    RemoteManifest,
    RemoteManifestEntry,
    RemoteSyncResult,
)

__all__ = [
    "CapabilityDescriptor",
    "CapabilitySecurityProfile",
    "ManifestSignature",
    "RemoteManifest",
    "RemoteManifestEntry",
    "RemoteSyncResult",
]
