"""The manifest: its model, parsing, signatures and trust."""

from oneiric.remote.manifest.entries import VALID_DOMAINS, candidate_of, select_entries
from oneiric.remote.manifest.model import (
    CapabilityDescriptor,
    CapabilitySecurityProfile,
    ManifestSignature,
    RemoteManifest,
    RemoteManifestEntry,
    RemoteSyncResult,
)
from oneiric.remote.manifest.reading import read_manifest
from oneiric.remote.manifest.signatures import (
    ENV_TRUSTED_PUBLIC_KEYS,
    SignatureVerificationError,
    generate_signing_key,
    get_canonical_manifest_for_signing,
    load_trusted_public_keys,
    sanitize_filename,
    sign_manifest_for_publishing,
    verify_manifest_signature,
    verify_manifest_signatures,
)
from oneiric.remote.manifest.trust import Judge, Mark, latest

__all__ = [
    "ENV_TRUSTED_PUBLIC_KEYS",
    "VALID_DOMAINS",
    "CapabilityDescriptor",
    "CapabilitySecurityProfile",
    "Judge",
    "ManifestSignature",
    "Mark",
    "RemoteManifest",
    "RemoteManifestEntry",
    "RemoteSyncResult",
    "SignatureVerificationError",
    "candidate_of",
    "generate_signing_key",
    "get_canonical_manifest_for_signing",
    "latest",
    "load_trusted_public_keys",
    "read_manifest",
    "sanitize_filename",
    "select_entries",
    "sign_manifest_for_publishing",
    "verify_manifest_signature",
    "verify_manifest_signatures",
]
