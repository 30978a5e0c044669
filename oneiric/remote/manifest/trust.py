"""Decide whether a manifest is accepted: its signatures, its validity, and that it is no replay of an older one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from oneiric.core.events import ManifestUnsigned, SignatureExpired, SignatureInvalid, SignatureVerified
from oneiric.core.redaction import describe
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.manifest.signatures import (
    ALGORITHM,
    NO_TRUSTED_KEYS,
    SignatureVerificationError,
    explain_shortfall,
    load_trusted_public_keys,
    trust_is_configured,
    verify_signatures,
)

if TYPE_CHECKING:
    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.observers import Observers
    from oneiric.remote.manifest.reading import UnverifiedManifest

MAX_CLOCK_SKEW = 300.0
"""Seconds by which a publisher's clock may be ahead of ours."""

T = TypeVar("T", int, float)
_KEY_ID = re.compile(r"[A-Za-z0-9._:@-]{1,64}")


@dataclass(frozen=True)
class Mark:
    """How far a source has got: the highest serial and signing time accepted from it, None where none was."""

    serial: int | None = None
    signed_at: float | None = None


@dataclass(frozen=True)
class Judge:
    """Applies the policy of one source, and reports what it finds.

    A manifest must be signed where keys are trusted or ``signature_required`` is set; a signature that is there must
    verify in any case. Only a signed manifest moves the mark against replays: anybody could push the mark of an
    unsigned one out of reach. One signed more than :data:`MAX_CLOCK_SKEW` ahead of now is not valid yet, which counts
    as expired.
    """

    config: RemoteSourceConfig
    observers: Observers

    def accept(self, manifest: UnverifiedManifest, *, mark: Mark, now: float) -> Mark:
        """Return the mark that holds once *manifest* is in effect; RemoteSyncError says why it is refused."""
        key_id = self._verify(manifest)
        try:
            self._check_validity(manifest, now)
        except RemoteSyncError as error:
            if key_id is not None:
                self._expired(key_id, error)
            raise
        if key_id is None:
            return mark
        self.observers.notify(SignatureVerified(source=self.config.name, algorithm=ALGORITHM, key_id=key_id))
        return advance(mark, serial=manifest.manifest.serial, signed_at=manifest.signed_at)

    def _verify(self, manifest: UnverifiedManifest) -> str | None:
        """Return the id of the first key that signed *manifest*, None for an unsigned one that is accepted."""
        if not manifest.signatures:
            self.observers.notify(ManifestUnsigned(source=self.config.name))
            if self.config.signature_required or trust_is_configured():
                raise SignatureVerificationError("Manifest signature required but not provided.")
            return None
        try:
            return self._signer(manifest)
        except SignatureVerificationError as error:
            self._invalid(manifest, error)
            raise

    def _signer(self, manifest: UnverifiedManifest) -> str:
        if any(signature.algorithm != ALGORITHM for signature in manifest.signatures):
            raise SignatureVerificationError("Unsupported signature algorithm in manifest.")
        keys = load_trusted_public_keys(on_invalid=lambda error: self.observers.hook_failed("trusted_keys", error))
        if not keys:
            raise SignatureVerificationError(NO_TRUSTED_KEYS)
        found = verify_signatures(manifest.canonical, [item.signature for item in manifest.signatures], keys)
        if len(found.key_ids) < self.config.signature_threshold:
            raise SignatureVerificationError(explain_shortfall(found, self.config.signature_threshold))
        fingerprint, index = next(iter(found.key_ids.items()))
        return _key_id(manifest.signatures[index].key_id) or fingerprint

    def _check_validity(self, manifest: UnverifiedManifest, now: float) -> None:
        signed_at, max_age = manifest.signed_at, self.config.signature_max_age_seconds
        if manifest.expires_at is None and self.config.signature_require_expiry:
            raise _expired("Manifest missing expires_at while expiry is required.")
        if manifest.expires_at is not None and manifest.expires_at <= now:
            raise _expired("Manifest signature has expired.")
        if signed_at is not None and signed_at > now + MAX_CLOCK_SKEW:
            raise _expired(f"Manifest was signed {signed_at - now:.0f} s in the future; check both clocks.")
        if max_age is None:
            return
        if signed_at is None:
            raise _expired("Manifest missing signed_at for age enforcement.")
        if now - signed_at > max_age:
            raise _expired("Manifest signature exceeds maximum age.")

    def _invalid(self, manifest: UnverifiedManifest, error: SignatureVerificationError) -> None:
        error_type, text = describe(error)
        algorithm = ALGORITHM if manifest.signatures[0].algorithm == ALGORITHM else "unsupported"
        key_id = _key_id(manifest.signatures[0].key_id)
        self.observers.notify(
            SignatureInvalid(
                source=self.config.name, algorithm=algorithm, key_id=key_id, error_type=error_type, error=text
            )
        )

    def _expired(self, key_id: str, error: RemoteSyncError) -> None:
        error_type, text = describe(error)
        self.observers.notify(
            SignatureExpired(
                source=self.config.name, algorithm=ALGORITHM, key_id=key_id, error_type=error_type, error=text
            )
        )


def advance(mark: Mark, *, serial: int | None, signed_at: float | None) -> Mark:
    """Return *mark* moved on to a manifest's *serial* and *signed_at*; RemoteSyncError if that would be a step back.

    Serials decide where both have one, signing times otherwise. A manifest that carries neither, although an earlier
    one did, is a step back too.
    """
    if serial is not None and mark.serial is not None:
        if serial < mark.serial:
            raise _replay(f"serial {serial} is lower than {mark.serial}, accepted before")
    elif mark.signed_at is not None:
        if signed_at is None or signed_at < mark.signed_at:
            raise _replay("it was signed earlier than the one accepted before, and no serials say otherwise")
    elif mark.serial is not None:
        raise _replay(f"it has no serial, but {mark.serial} was accepted before")
    return Mark(serial=latest(mark.serial, serial), signed_at=latest(mark.signed_at, signed_at))


def latest(first: T | None, second: T | None) -> T | None:
    """Return the larger of *first* and *second*, None if both are."""
    return max((value for value in (first, second) if value is not None), default=None)


def _key_id(text: str | None) -> str:
    """Return the publisher's name of a key, which no signature covers, if it is fit to be shown."""
    return text if text and _KEY_ID.fullmatch(text) else ""


def _expired(message: str) -> RemoteSyncError:
    return RemoteSyncError(message, reason="expired")


def _replay(message: str) -> RemoteSyncError:
    return RemoteSyncError(f"Manifest is a replay: {message}.", reason="replay")
