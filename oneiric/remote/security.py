"""Signatures of manifests; their home is :mod:`oneiric.remote.manifest`, and this path to them stays."""

from oneiric.remote.manifest import (
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

__all__ = [
    "ENV_TRUSTED_PUBLIC_KEYS",
    "SignatureVerificationError",
    "generate_signing_key",
    "get_canonical_manifest_for_signing",
    "load_trusted_public_keys",
    "sanitize_filename",
    "sign_manifest_for_publishing",
    "verify_manifest_signature",
    "verify_manifest_signatures",
]
