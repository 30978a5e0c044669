"""The entries of an accepted manifest: which are fit to be registered, and as which candidates."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from oneiric.core.events import EntryRejected
from oneiric.core.names import DOMAINS, MAX_NAME_CHARS
from oneiric.core.redaction import describe
from oneiric.core.resolution import Candidate, CandidateSource
from oneiric.core.security import (
    validate_factory_string,
    validate_key_format,
    validate_priority_bounds,
    validate_stack_level_bounds,
)
from oneiric.remote.errors import EntryError, RemoteSyncError
from oneiric.remote.locations import shown, walks_path
from oneiric.remote.manifest.model import RemoteManifestEntry
from oneiric.remote.manifest.reading import explain_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

VALID_DOMAINS = frozenset(DOMAINS)
"""The domains a manifest may register candidates in."""

Locate: TypeAlias = "Callable[[str], str | Path]"
"""Says where an artifact's URI leads, or raises RemoteSyncError."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COPIED = (
    "version",
    "owner",
    "requires_secrets",
    "settings_model",
    "side_effect_free",
    "timeout_seconds",
    "retry_policy",
    "requires",
    "conflicts_with",
    "python_version",
    "os_platform",
    "license",
    "documentation_url",
    "event_priority",
    "dag",
)
_RENAMED = {
    "topics": "event_topics",
    "max_concurrency": "event_max_concurrency",
    "filters": "event_filters",
    "fanout_policy": "event_fanout_policy",
}


def select_entries(
    raw: Iterable[object], *, source: str, allowed_prefixes: Sequence[str], locate: Locate
) -> tuple[list[RemoteManifestEntry], list[EntryRejected]]:
    """Return the entries of *raw* that may be registered, and why the others may not.

    Two entries for the same domain, key and provider are a RemoteSyncError: nobody could say which one is meant.
    Takes time in proportion to the number of entries: call it off the event loop.
    """
    accepted: list[RemoteManifestEntry] = []
    rejected: list[EntryRejected] = []
    seen: set[tuple[str, str, str]] = set()
    for item in raw:
        try:
            entry = _entry(item)
            _refuse_repeated(entry, seen)
            check_entry(entry, allowed_prefixes=allowed_prefixes, locate=locate)
        except EntryError as error:
            rejected.append(_rejection(item, error, source))
        else:
            accepted.append(entry)
    return accepted, rejected


def check_entry(entry: RemoteManifestEntry, *, allowed_prefixes: Sequence[str], locate: Locate) -> None:
    """Raise EntryError if *entry* is not fit to be registered; touches neither network nor artifacts."""
    if entry.domain not in VALID_DOMAINS:
        raise EntryError("unsupported-domain", f"unsupported domain {reprlib.repr(entry.domain)}")
    _check_name("key", entry.key)
    _check_name("provider", entry.provider)
    _check("factory", entry.factory and validate_factory_string(entry.factory, list(allowed_prefixes)))
    if entry.priority is not None:
        _check_bounds(validate_priority_bounds(entry.priority))
    if entry.stack_level is not None:
        _check_bounds(validate_stack_level_bounds(entry.stack_level))
    _check_artifact(entry, locate)


def candidate_of(entry: RemoteManifestEntry, artifact: Path | None) -> Candidate:
    """Return the candidate that *entry* offers, with its *artifact* in the cache."""
    known = {
        "remote_uri": entry.uri,
        "artifact_path": None if artifact is None else str(artifact),
        "source": "remote",
        "capabilities": entry.capability_names,
        "capability_descriptors": entry.capability_payloads(),
        **{name: getattr(entry, name) for name in _COPIED},
        **{name: getattr(entry, attribute) for name, attribute in _RENAMED.items()},
    }
    return Candidate(
        domain=entry.domain,
        key=entry.key,
        provider=entry.provider,
        priority=entry.priority,
        stack_level=entry.stack_level,
        factory=entry.factory,
        metadata={**entry.metadata, **{name: value for name, value in known.items() if value is not None}},
        source=CandidateSource.REMOTE_MANIFEST,
    )


def _entry(item: object) -> RemoteManifestEntry:
    try:
        return RemoteManifestEntry.model_validate(item)
    except ValidationError as error:
        raise EntryError("invalid-entry", explain_validation(error)) from None
    except TypeError as error:
        raise EntryError("invalid-entry", str(error)) from None


def _refuse_repeated(entry: RemoteManifestEntry, seen: set[tuple[str, str, str]]) -> None:
    identity = (entry.domain, entry.key, entry.provider)
    if identity in seen:
        named = "/".join(reprlib.repr(part) for part in identity)
        raise RemoteSyncError(f"Remote manifest has two entries for {named}.", reason="parse")
    seen.add(identity)


def _check_name(field: str, name: str) -> None:
    if len(name) > MAX_NAME_CHARS:
        raise EntryError(f"invalid-{field}", f"invalid {field}: longer than {MAX_NAME_CHARS} characters")
    _check(field, name and validate_key_format(name))


def _check(field: str, verdict: tuple[bool, str | None] | str) -> None:
    """Refuse an empty field, for which *verdict* is empty, and one that was found wrong."""
    if not verdict:
        raise EntryError(f"missing-{field}", f"missing {field}")
    if not verdict[0]:
        raise EntryError(f"invalid-{field}", f"invalid {field}: {verdict[1]}")


def _check_bounds(verdict: tuple[bool, str | None]) -> None:
    if not verdict[0]:
        raise EntryError("out-of-bounds", str(verdict[1]))


def _check_artifact(entry: RemoteManifestEntry, locate: Locate) -> None:
    if entry.sha256 is not None and not _DIGEST.fullmatch(entry.sha256):
        shown_digest = reprlib.repr(entry.sha256)
        raise EntryError("parse", f"invalid sha256 {shown_digest} (exactly 64 lower-case hexadecimal digits)")
    if entry.uri is None:
        return
    if walks_path(entry.uri):
        raise EntryError("path", f"URI contains path traversal: {shown(entry.uri)}")
    if entry.sha256 is None:
        raise EntryError("missing-digest", f"no sha256 for {shown(entry.uri)}; what it names cannot be verified")
    try:
        locate(entry.uri)
    except RemoteSyncError as error:
        raise EntryError("path", str(error)) from None


def _rejection(item: object, error: EntryError, source: str) -> EntryRejected:
    named: dict[str, Any] = item if isinstance(item, dict) else {}
    return EntryRejected(
        source=source,
        reason=error.slug,
        domain=_name(named.get("domain"), VALID_DOMAINS.__contains__),
        key=_name(named.get("key"), lambda name: validate_key_format(name)[0]),
        provider=_name(named.get("provider"), lambda name: validate_key_format(name)[0]),
        error=describe(error)[1],
    )


def _name(value: object, valid: Callable[[str], bool]) -> str:
    """Return *value* if it may stand in a record, else nothing: it comes from a manifest that is wrong."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME_CHARS and valid(value) else ""
