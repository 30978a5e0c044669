"""Sign manifests, and find out whether keys that are trusted have signed them (Ed25519, RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from oneiric.remote.errors import RemoteSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ALGORITHM = "ed25519"
"""The one signature algorithm."""

ENV_TRUSTED_PUBLIC_KEYS = "ONEIRIC_TRUSTED_PUBLIC_KEYS"
"""Comma-separated base64 of the raw 32-byte public keys that may sign manifests."""

NO_TRUSTED_KEYS = f"No trusted public keys configured (set {ENV_TRUSTED_PUBLIC_KEYS})"
"""Why nothing that is signed can be accepted while no key is trusted."""

FINGERPRINT_DIGITS = 16
"""Hexadecimal digits in the fingerprint of a key."""

_UNSIGNED_FIELDS = frozenset({"signature", "signature_algorithm", "signatures"})
_SEPARATORS = re.compile(r"[/\\]+")


class SignatureVerificationError(RemoteSyncError):
    """A manifest is not signed as it must be."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="signature")


@dataclass(frozen=True)
class Verification:
    """Which signatures hold.

    Attributes:
        key_ids: For each distinct trusted key that signed, its fingerprint and the index of the signature.
        errors: For each signature that does not hold, why.
    """

    key_ids: Mapping[str, int] = field(default_factory=dict)
    errors: Sequence[str] = ()


def get_canonical_manifest_for_signing(manifest: Mapping[str, Any]) -> str:
    """Return the text that is signed: *manifest* without its signatures, as JSON in its one canonical form."""
    content = {key: value for key, value in manifest.items() if key not in _UNSIGNED_FIELDS}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sign_manifest_for_publishing(manifest: Mapping[str, Any], private_key_b64: str) -> str:
    """Return the base64 signature of *manifest* with the base64 of a raw 32-byte private key.

    Sign last: whatever is added to the manifest later, ``signed_at`` or ``expires_at`` say, is not signed.
    """
    key = Ed25519PrivateKey.from_private_bytes(_decode(private_key_b64))
    return base64.b64encode(key.sign(get_canonical_manifest_for_signing(manifest).encode())).decode()


def generate_signing_key() -> tuple[str, str]:
    """Make a key pair and return the base64 of its raw private and public halves."""
    key = Ed25519PrivateKey.generate()
    return (
        base64.b64encode(key.private_bytes_raw()).decode(),
        base64.b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """Return the first hexadecimal digits of the SHA-256 of the raw *key*: short, stable, no secret."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:FINGERPRINT_DIGITS]


def trust_is_configured() -> bool:
    """Whether the environment names trusted keys, be they usable or not."""
    return bool(os.environ.get(ENV_TRUSTED_PUBLIC_KEYS, "").strip(", \t\r\n"))


def load_trusted_public_keys(
    *, on_invalid: Callable[[ValueError], None] = lambda _error: None
) -> list[Ed25519PublicKey]:
    """Return the distinct public keys that the environment trusts; *on_invalid* is called with each unusable one."""
    keys = {}
    for number, item in enumerate(os.environ.get(ENV_TRUSTED_PUBLIC_KEYS, "").split(","), start=1):
        if not (text := item.strip()):
            continue
        try:
            raw = _decode(text)
            keys[raw] = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError as error:
            on_invalid(ValueError(f"invalid-public-key: {ENV_TRUSTED_PUBLIC_KEYS}, key {number}: {error}"))
    return list(keys.values())


def verify_signatures(text: str, signatures: Iterable[str], trusted_keys: Sequence[Ed25519PublicKey]) -> Verification:
    """Return which of *trusted_keys* made which of the base64 *signatures* of *text*; a key counts once."""
    data = text.encode()
    key_ids: dict[str, int] = {}
    errors = []
    for index, signature in enumerate(signatures):
        try:
            raw = _decode_signature(signature)
        except ValueError as error:
            errors.append(str(error))
            continue
        if signer := next((key for key in trusted_keys if _holds(key, raw, data)), None):
            key_ids.setdefault(fingerprint_of(signer), index)
        else:
            mismatches = "; ".join(f"key_{number}: signature mismatch" for number in range(len(trusted_keys)))
            errors.append(f"Signature verification failed with all {len(trusted_keys)} trusted keys: {mismatches}")
    return Verification(key_ids, errors)


def verify_manifest_signature(
    text: str, signature_b64: str, *, trusted_keys: Sequence[Ed25519PublicKey] | None = None
) -> tuple[bool, str | None]:
    """Return whether a trusted key, by default those of the environment, signed *text*, and why not."""
    keys = load_trusted_public_keys() if trusted_keys is None else trusted_keys
    if not keys:
        return False, NO_TRUSTED_KEYS
    verification = verify_signatures(text, [signature_b64], keys)
    return (False, verification.errors[0]) if verification.errors else (True, None)


def verify_manifest_signatures(
    text: str,
    signatures: Sequence[str],
    *,
    threshold: int = 1,
    trusted_keys: Sequence[Ed25519PublicKey] | None = None,
) -> tuple[bool, str | None, int]:
    """Return whether at least *threshold* distinct trusted keys signed *text*, why not, and how many did."""
    if threshold < 1:
        return False, "Signature threshold must be >= 1", 0
    keys = load_trusted_public_keys() if trusted_keys is None else trusted_keys
    if not keys:
        return False, NO_TRUSTED_KEYS, 0
    verification = verify_signatures(text, signatures, keys)
    count = len(verification.key_ids)
    if count >= threshold:
        return True, None, count
    return False, explain_shortfall(verification, threshold), count


def explain_shortfall(verification: Verification, threshold: int) -> str:
    """Return why *verification* does not reach *threshold* keys."""
    if threshold == 1 and len(verification.errors) == 1:
        return verification.errors[0]
    why = "; ".join(verification.errors) or "no further signature"
    return f"Signature threshold not met: {len(verification.key_ids)} of {threshold} distinct keys ({why})"


def sanitize_filename(name: str) -> str:
    """Return *name* as the name of a file in one directory: no NUL, no separator, no "." or ".." part."""
    parts = _SEPARATORS.split(name.replace("\0", ""))
    return "_".join(part for part in parts if part not in {"", ".", ".."}) or "sanitized_file"


def _holds(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _decode_signature(signature: str) -> bytes:
    if not signature.strip():
        raise ValueError("Signature is empty")
    try:
        return _decode(signature)
    except ValueError as error:
        raise ValueError(f"Invalid base64 signature: {error}") from None


def _decode(text: str) -> bytes:
    """Decode base64 in its one canonical form: RFC 4648, section 3.5, lets unused bits vary otherwise."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(str(error)) from None
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not in canonical form")
    return raw
