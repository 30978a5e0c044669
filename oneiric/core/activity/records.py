"""What a store keeps beside pauses: small records, which its witness knows, and documents, which that does not."""

from __future__ import annotations

import base64
import binascii
import reprlib
from typing import TYPE_CHECKING, Any

from oneiric.core.names import is_valid_name, validate_name

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_RECORD_BYTES = 4096
"""Largest value of a record."""
MAX_RECORDS = 1024
"""Most records of one store."""
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Largest document."""

Records = dict[tuple[str, str], bytes]
"""By kind and name."""


def record_name(kind: str, name: str) -> tuple[str, str]:
    """Return what a record or a document is kept under; ValueError for what is no name."""
    return validate_name(kind, field="kind"), validate_name(name, field="name")


def checked_value(value: object, *, limit: int) -> bytes | None:
    """Return *value* unchanged; ValueError for one that is no bytes, or has more than *limit* of them."""
    if value is None or (isinstance(value, bytes) and len(value) <= limit):
        return value
    raise ValueError(f"{reprlib.repr(value)} cannot be kept: allowed are at most {limit} bytes")


def with_record(records: Records, name: tuple[str, str], value: bytes | None) -> Records:
    """Return *records* with *value* under *name*, without one for None; ValueError where those are too many."""
    changed = {one: kept for one, kept in (records | {name: value}).items() if kept is not None}
    if len(changed) > max(MAX_RECORDS, len(records)):
        raise ValueError(f"a store keeps at most {MAX_RECORDS} records; remove one that nobody needs any more")
    return changed


def has_lost(found: Records, before: Records) -> bool:
    """Whether *found* lacks a record of *before*, or has it with another value."""
    return any(found.get(name) != value for name, value in before.items())


def make_records(found: Iterable[Iterable[Any]]) -> Records:
    """Return the records of the columns *found*, without those that could never have been written."""
    records: Records = {}
    for kind, name, value in found:
        if is_valid_name(kind) and is_valid_name(name) and isinstance(value, bytes) and len(value) <= MAX_RECORD_BYTES:
            records[kind, name] = value
    return records


def records_as_json(records: Records) -> list[list[str]]:
    """Return *records*, fit for JSON."""
    return [[*name, base64.b64encode(value).decode()] for name, value in records.items()]


def records_from_json(data: Any) -> Records:
    """Return what :func:`records_as_json` gave; TypeError or ValueError for anything else."""
    try:
        return make_records((kind, name, base64.b64decode(text, validate=True)) for kind, name, text in data)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
