"""What is kept of the activity, and whether it can be what was kept last."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from oneiric.core.activity.memory import Row, Rows
from oneiric.core.activity.records import (
    MAX_RECORD_BYTES,
    Records,
    checked_value,
    has_lost,
    records_as_json,
    records_from_json,
    with_record,
)
from oneiric.core.names import is_valid_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneiric.core.events import SuspectReason

Account: TypeAlias = Literal["database", "witness"]
"""Whose account of the state is right."""


class NothingToDecideError(Exception):
    """There is no suspicion, or not the account of the state that was asked for."""


@dataclass(frozen=True)
class Suspicion:
    """Why the state is not known for certain, until somebody decides.

    Attributes:
        reason: What happened to the file.
        since: When that was noticed, in seconds since the epoch.
        quarantine: The name that the file has now, "" where there was none.
        database: What the file held; None: it could not be read.
        witness: What was known to be kept before.
    """

    reason: SuspectReason
    since: float
    quarantine: str
    database: Rows | None
    witness: Rows


@dataclass(frozen=True)
class Kept:
    """All that is kept.

    Attributes:
        identity: Names the store, whichever files it has had.
        generation: How many changes were made, and so which of two copies is the newer one.
        rows: Of every component with any activity.
        suspicion: Why that is not certain, None where it is.
        records: The small records.
    """

    identity: str
    generation: int
    rows: Rows
    suspicion: Suspicion | None = None
    records: Records = field(default_factory=dict)


class Update(NamedTuple):
    """A row before and after a change, and all that is to be kept then; None where nothing changes."""

    before: Row
    after: Row
    kept: Kept | None


def updated(kept: Kept, name: tuple[str, str], decide: Callable[[Row], Row]) -> Update:
    """Return what becomes of *kept* where *decide* makes another row of the one called *name*."""
    before = kept.rows.get(name, Row())
    after = decide(before)
    if after == before:
        return Update(before, after, None)
    rows = {one: row for one, row in (kept.rows | {name: after}).items() if not row.is_default}
    return Update(before, after, replace(kept, generation=kept.generation + 1, rows=rows))


def updated_record(
    kept: Kept, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]
) -> tuple[bytes | None, Kept | None]:
    """Return the record called *name* as *decide* makes it, and all that is to be kept then; None: nothing changes."""
    before = kept.records.get(name)
    after = checked_value(decide(before), limit=MAX_RECORD_BYTES)
    if after == before:
        return after, None
    records = with_record(kept.records, name, after)
    return after, replace(kept, generation=kept.generation + 1, records=records)


def recovered(kept: Kept, account: Account) -> Kept:
    """Return what is to be kept where *account* is right; NothingToDecideError where there is no such account.

    The records stay as they are in any case.
    """
    if kept.suspicion is None:
        raise NothingToDecideError("nothing is suspect: there is nothing to recover")
    chosen = getattr(kept.suspicion, account)
    if chosen is None:
        raise NothingToDecideError("the database could not be read; recover from the witness")
    rows = decided(kept.rows, kept.suspicion, chosen)
    return replace(kept, generation=kept.generation + 1, rows=rows, suspicion=None)


def newer(one: Kept | None, other: Kept | None) -> Kept | None:
    """Return which of two accounts of a store is the newer one, *one* where that cannot be told."""
    if one is None or other is None:
        return one or other
    return other if other.identity == one.identity and other.generation > one.generation else one


def contradiction(found: Kept, before: Kept) -> SuspectReason | None:
    """Return why *found* cannot come after *before*, None where it can.

    A pause or drain that is new without a change of the generation, as another program writes it, is believed.
    """
    if found.identity != before.identity:
        return "replaced"
    if found.generation < before.generation:
        return "restored"
    if found.generation == before.generation and (
        held(before.rows) - held(found.rows) or has_lost(found.records, before.records)
    ):
        return "rows_lost"
    return None


def repaired(
    found: Kept | None, before: Kept | None, reason: SuspectReason, *, now: float
) -> tuple[Kept, Suspicion | None]:
    """Return what a new file is to hold instead of one with *reason* that held *found*, and what is suspect about it.

    Nothing is, where nothing was held back and no record kept: a suspicion of before then stays. Of two values of one
    record that of the newer account holds, and that of *before* where nobody can tell which one that is.
    """
    known = before or Kept("", 0, {})
    rows = merged(known.rows, found.rows if found else {})
    records = (found.records if found else {}) | known.records
    if found is not None and newer(known, found) is found:
        records = known.records | found.records
    suspicion = None
    if held(rows) or records or before is None:
        suspicion = Suspicion(reason, now, "", None if found is None else found.rows, known.rows)
    generation = max(known.generation, found.generation if found else 0) + 1
    return Kept(known.identity or new_identity(), generation, rows, suspicion or known.suspicion, records), suspicion


def new_identity() -> str:
    """Return the name of a new store."""
    return uuid.uuid4().hex


def held(rows: Rows) -> set[tuple[str, str, str]]:
    """Return what holds work back: domain, key and which flag."""
    return {(*name, flag) for name, row in rows.items() for flag in ("paused", "draining") if getattr(row, flag)}


def merged(*known: Rows) -> Rows:
    """Return what is so by any of *known*: paused wins over running."""
    names = dict.fromkeys(name for rows in known for name in rows)
    return {name: _merged([rows[name] for rows in known if name in rows]) for name in names}


def decided(rows: Rows, suspicion: Suspicion, chosen: Rows) -> Rows:
    """Return what is to be kept where *chosen* is right; what was changed since the suspicion stays as it is."""
    then = merged(suspicion.database or {}, suspicion.witness)
    names = dict.fromkeys((*rows, *chosen))
    after = {name: (chosen if rows.get(name) == then.get(name) else rows).get(name) for name in names}
    return {name: row for name, row in after.items() if row is not None}


def make_row(paused: object, draining: object, note: object, paused_at: object) -> Row:
    """Return the row of these columns, whatever another program wrote into them."""
    return Row(
        bool(paused),
        bool(draining),
        note if isinstance(note, str) and note else None,
        float(paused_at) if paused and isinstance(paused_at, (int, float)) else None,
    )


def make_rows(found: Iterable[Iterable[Any]]) -> Rows:
    """Return the rows of the columns *found*, without those that name no component or say nothing."""
    rows: Rows = {}
    for domain, key, *columns in found:
        row = make_row(*columns)
        if is_valid_name(domain) and is_valid_name(key) and not row.is_default:
            rows[str(domain), str(key)] = row
    return rows


def as_json(kept: Kept) -> dict[str, Any]:
    """Return *kept*, fit for JSON."""
    suspicion = suspicion_as_json(kept.suspicion)
    return {
        "identity": kept.identity,
        "generation": kept.generation,
        "rows": _listed(kept.rows),
        "suspicion": suspicion,
        "records": records_as_json(kept.records),
    }


def from_json(data: Any) -> Kept:
    """Return what :func:`as_json` gave; ValueError for anything else."""
    try:
        suspicion = suspicion_from_json(data["suspicion"])
        records = records_from_json(data.get("records", []))  # of an older program there are none
        return Kept(str(data["identity"]), int(data["generation"]), make_rows(data["rows"]), suspicion, records)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not what was kept: {type(error).__name__} {error}") from error


def suspicion_as_json(suspicion: Suspicion | None) -> dict[str, Any] | None:
    """Return *suspicion*, fit for JSON."""
    if suspicion is None:
        return None
    return {
        "reason": suspicion.reason,
        "since": suspicion.since,
        "quarantine": suspicion.quarantine,
        "database": None if suspicion.database is None else _listed(suspicion.database),
        "witness": _listed(suspicion.witness),
    }


def suspicion_from_json(data: Any) -> Suspicion | None:
    """Return what :func:`suspicion_as_json` gave; KeyError, TypeError or ValueError for anything else."""
    if data is None:
        return None
    database = data["database"]
    return Suspicion(
        data["reason"],
        float(data["since"]),
        str(data["quarantine"]),
        None if database is None else make_rows(database),
        make_rows(data["witness"]),
    )


def _listed(rows: Rows) -> list[list[Any]]:
    return [[*name, *row] for name, row in rows.items()]


def _merged(rows: list[Row]) -> Row:
    return Row(
        any(row.paused for row in rows),
        any(row.draining for row in rows),
        next((row.note for row in rows if row.note), None),
        min((row.paused_at for row in rows if row.paused_at is not None), default=None),
    )
