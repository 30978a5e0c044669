"""The records that resolution makes of what it did, with every value fit to be a label."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, NamedTuple

from oneiric.core.events import Registered, ResolutionFailed, Resolved, Unregistered
from oneiric.core.names import DOMAINS, invalid_name, is_valid_name
from oneiric.core.redaction import describe, redact

if TYPE_CHECKING:
    from oneiric.core.events import Miss, SelectionFailure
    from oneiric.core.resolution.ranking import Entry, Ranking

NO_PROVIDER = "none"
"""What a record says where a candidate has no provider."""

OTHER = "_other"
"""What a record says for a domain that does not exist, and for one more key that was never registered."""

INVALID_KEY = "_invalid"
"""What a record says for a key that does not exist and does not look like one."""


class Attempt(NamedTuple):
    """A resolution that selected nothing: what was asked for, anything at all, and what it took."""

    domain: object
    key: object
    provider: object
    candidates: int
    duration: float

    def missed(self, miss: Miss, reported: tuple[str, str]) -> ResolutionFailed:
        """Return that there is no such candidate; domain and key are *reported* so."""
        return self._failed(miss, reported, error=redact(_explain(self, miss, *reported)))

    def broken(self, error: Exception, reported: tuple[str, str]) -> ResolutionFailed:
        """Return that *error* was raised; domain and key are *reported* so."""
        error_type, text = describe(error)
        return self._failed("error", reported, error_type=error_type, error=text)

    def _failed(
        self, reason: SelectionFailure, reported: tuple[str, str], *, error: str, error_type: str = ""
    ) -> ResolutionFailed:
        domain, key = reported
        return ResolutionFailed(
            domain=domain,
            key=key,
            reason=reason,
            duration=self.duration,
            candidates=self.candidates,
            shadowed=max(self.candidates - 1, 0),
            error_type=error_type,
            error=error,
        )


def resolved(entry: Entry, candidates: int, duration: float) -> Resolved:
    """Return that *entry* was selected among *candidates* in *duration* seconds."""
    return Resolved(
        domain=entry.domain,
        key=entry.key,
        provider=entry.provider or NO_PROVIDER,
        duration=duration,
        candidates=candidates,
        shadowed=candidates - 1,
    )


def registered(entry: Entry) -> Registered:
    """Return that *entry* was registered."""
    return Registered(
        domain=entry.domain,
        key=entry.key,
        provider=entry.provider or NO_PROVIDER,
        origin=entry.candidate.source.value,
        priority=entry.priority,
        stack_level=entry.stack_level,
    )


def unregistered(entry: Entry, left: Ranking) -> Unregistered:
    """Return that *entry* was removed and *left* is the ranking of its key."""
    return Unregistered(
        domain=entry.domain,
        key=entry.key,
        provider=entry.provider or NO_PROVIDER,
        provider_gone=entry.provider not in left.best,
        key_gone=not left.entries,
    )


def _explain(attempt: Attempt, miss: Miss, domain: str, key: str) -> str:
    if miss == "provider_not_found":
        return f"provider {reprlib.repr(attempt.provider)} is not registered for the key"
    if miss == "capability_mismatch":
        return "no candidate has the requested capabilities"
    if attempt.domain != domain:
        return f"domain {reprlib.repr(attempt.domain)} is none of {', '.join(DOMAINS)} and never had a candidate"
    if not is_valid_name(attempt.key):
        return str(invalid_name(attempt.key, field="key"))
    return "" if attempt.key == key else f"key {reprlib.repr(attempt.key)} was never registered"
