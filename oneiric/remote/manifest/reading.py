"""A manifest as it was read: what was signed, by whom it says, for how long it holds, and its entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.manifest.model import ManifestSignature, RemoteManifest
from oneiric.remote.manifest.parsing import parse_manifest
from oneiric.remote.manifest.signatures import get_canonical_manifest_for_signing

MAX_SIGNATURES = 32
"""Most signatures a manifest may carry."""

MAX_SERIAL = 2**63 - 1
"""Largest serial number of a manifest; the smallest is 0."""


@dataclass(frozen=True)
class UnverifiedManifest:
    """A manifest that nobody has vouched for yet.

    Attributes:
        manifest: What it says, without its entries.
        entries: The entries, not looked at.
        canonical: The text that is signed.
        signatures: The signatures it carries.
        signed_at: Seconds since the epoch, None where it does not say.
        expires_at: Likewise.
    """

    manifest: RemoteManifest
    entries: list[Any]
    canonical: str
    signatures: tuple[ManifestSignature, ...]
    signed_at: float | None
    expires_at: float | None


def read_manifest(raw: bytes, *, max_entries: int) -> UnverifiedManifest:
    """Return what *raw* says; RemoteSyncError says what is wrong with it.

    Takes time in proportion to the size of *raw*: call it off the event loop.
    """
    content = parse_manifest(raw)
    entries = _entries(content, max_entries)
    _check_serial(content.get("serial"))
    signed_at, expires_at = (timestamp_of(content.get(name)) for name in ("signed_at", "expires_at"))
    manifest = _manifest({key: value for key, value in content.items() if key != "entries"})
    return UnverifiedManifest(
        manifest=manifest,
        entries=entries,
        canonical=get_canonical_manifest_for_signing(content),
        signatures=_signatures(manifest),
        signed_at=signed_at,
        expires_at=expires_at,
    )


def timestamp_of(value: object) -> float | None:
    """Return the seconds since the epoch of an ISO 8601 *value*, UTC where it names no zone; None for None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refused(f"Invalid timestamp value of type {type(value).__name__} (an ISO 8601 string is expected)")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _refused(f"Invalid ISO timestamp {value[:64]!r} (2030-01-31T12:00:00Z, for instance)") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def explain_validation(error: ValidationError) -> str:
    """Return what is wrong, and where, without the values, which are not ours to show."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))[:64]}: {problem['msg']}" for problem in problems[:5])


def _entries(content: dict[str, Any], max_entries: int) -> list[Any]:
    entries = content.get("entries")
    if not isinstance(entries, list):
        raise _refused("Remote manifest has no list of 'entries' (an empty one must be written out).")
    if len(entries) > max_entries:
        raise RemoteSyncError(
            f"Remote manifest has {len(entries)} entries, more than the {max_entries} allowed.", reason="too_large"
        )
    return entries


def _check_serial(serial: object) -> None:
    if serial is None:
        return
    if isinstance(serial, bool) or not isinstance(serial, int) or not 0 <= serial <= MAX_SERIAL:
        raise _refused(f"Remote manifest has an invalid serial (an integer from 0 to {MAX_SERIAL} is expected).")


def _manifest(content: dict[str, Any]) -> RemoteManifest:
    try:
        return RemoteManifest.model_validate(content)
    except ValidationError as error:
        raise _refused(f"Remote manifest is invalid: {explain_validation(error)}") from None


def _signatures(manifest: RemoteManifest) -> tuple[ManifestSignature, ...]:
    first = []
    if manifest.signature is not None:
        first.append(ManifestSignature(signature=manifest.signature, algorithm=manifest.signature_algorithm))
    signatures = (*first, *manifest.signatures)
    if len(signatures) > MAX_SIGNATURES:
        raise _refused(f"Remote manifest has {len(signatures)} signatures, more than the {MAX_SIGNATURES} allowed.")
    return signatures


def _refused(message: str) -> RemoteSyncError:
    return RemoteSyncError(message, reason="parse")
