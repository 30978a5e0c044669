"""Activity in memory: who is paused or draining, and which changes are reported."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from oneiric.core.activity.records import (
    MAX_DOCUMENT_BYTES,
    MAX_RECORD_BYTES,
    Records,
    checked_value,
    record_name,
    with_record,
)
from oneiric.core.concurrency import ForkSafeLock, InOrder
from oneiric.core.events import ActivityCount, DrainCleared, DrainStarted, Paused, Resumed
from oneiric.core.names import DOMAINS, validate_name
from oneiric.core.observers import Observers
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from oneiric.core.events import Event, State

MAX_NOTE_CHARS = 512
"""Longest note, in characters."""


@dataclass
class DomainActivity:
    """Whether one component is paused or draining, and what was noted about it."""

    paused: bool = False
    draining: bool = False
    note: str | None = None

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> DomainActivity:
        """Return the activity that :meth:`as_dict` gave; what is missing is the default."""
        note = mapping.get("note")
        return cls(bool(mapping.get("paused")), bool(mapping.get("draining")), None if note is None else str(note))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, fit for JSON."""
        return {"paused": self.paused, "draining": self.draining, "note": self.note}

    def is_default(self) -> bool:
        """Whether there is nothing to keep: not paused, not draining, no note."""
        return not (self.paused or self.draining or self.note)


class Row(NamedTuple):
    """What is kept of one component; ``paused_at`` is seconds since the epoch, None when not paused or not known."""

    paused: bool = False
    draining: bool = False
    note: str | None = None
    paused_at: float | None = None

    @property
    def is_default(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.paused or self.draining or self.note)


Rows = dict[tuple[str, str], Row]
"""By domain and key; without default rows."""


class MemoryActivityStore:
    """The activity of every component, in memory only.

    Thread-safe; transitions are reported in the order in which they are made.

    Args:
        observers: Notified of transitions.
        clock: Seconds since the epoch.
    """

    def __init__(self, *, observers: Observers | None = None, clock: Callable[[], float] = time.time) -> None:
        self.observers = observers if observers is not None else Observers()
        self._clock = clock
        self._lock = ForkSafeLock()  # guards replacing the rows
        self._changes: InOrder[Event] = InOrder()
        self._rows: Rows = {}  # replaced, never changed
        self._records: Records = {}  # likewise
        self._documents: Records = {}

    @property
    def problem(self) -> str | None:
        """Why what is kept cannot be read at the moment; None where it can, or where nobody else could tell it."""
        return None

    @property
    def refuses(self) -> bool:
        """Whether all work is held back because it is not known what is paused; never, of what is on this machine."""
        return False

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return the activity of a component; the default for one that nothing is kept of."""
        return _activity(self._known().get((domain, key), Row()))

    def all_for_domain(self, domain: str) -> dict[str, DomainActivity]:
        """Return the activities kept of *domain*, by key."""
        return {key: _activity(row) for (at, key), row in self._known().items() if at == domain}

    def snapshot(self) -> dict[str, dict[str, DomainActivity]]:
        """Return all activities kept, by domain and key."""
        activities: defaultdict[str, dict[str, DomainActivity]] = defaultdict(dict)
        for (domain, key), row in self._known().items():
            activities[domain][key] = _activity(row)
        return dict(activities)

    def set(self, domain: str, key: str, state: DomainActivity) -> None:
        """Replace the activity of a component and report the transitions; a default one is not kept.

        A note is cut and cleaned as by :meth:`change`. Raises ValueError for a wrong name, or a note that is no text.
        """
        _validate(domain, key)
        wanted = Row(state.paused, state.draining, _clean(state.note))
        self._update(domain, key, lambda _: wanted)

    def change(
        self,
        domain: str,
        key: str,
        *,
        paused: bool | None = None,
        draining: bool | None = None,
        note: str | None = None,
    ) -> DomainActivity:
        """Change what is given of a component's activity and return all of it; report transitions, never repeats.

        None keeps the value, an empty *note* removes it; of a longer one than 512 characters the end is cut off, and
        what cannot be printed is replaced. No change made meanwhile by anybody else is lost. Raises ValueError for a
        wrong name, or a note that is no text.
        """
        _validate(domain, key)
        cleaned = _clean(note)
        return _activity(self._update(domain, key, lambda row: _changed(row, paused, draining, cleaned)))

    def read_record(self, kind: str, name: str) -> bytes | None:
        """Return the record of this *kind* and *name*, None where there is none."""
        at = record_name(kind, name)
        self._known()
        return self._records.get(at)

    def records(self, kind: str) -> dict[str, bytes]:
        """Return the records of this *kind*, by name."""
        self._known()
        return {name: value for (one, name), value in self._records.items() if one == kind}

    def change_record(self, kind: str, name: str, decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        """Have *decide* make another value of the record, None for none, and return that; nothing is lost meanwhile.

        What *decide* raises leaves the record as it is. ValueError for a wrong name, more than 4,096 bytes, or more
        than 1,024 records.
        """
        at = record_name(kind, name)
        return self._write_record(at, lambda before: checked_value(decide(before), limit=MAX_RECORD_BYTES))

    def write_record(self, kind: str, name: str, value: bytes | None) -> None:
        """Keep *value* as the record of this *kind* and *name*, None for none."""
        self.change_record(kind, name, lambda _: value)

    def read_document(self, kind: str, name: str) -> bytes | None:
        """Return the document of this *kind* and *name*, None where there is none."""
        return self._read_document(record_name(kind, name))

    def write_document(self, kind: str, name: str, value: bytes | None) -> None:
        """Keep *value*, of at most 64 MiB, as the document of this *kind* and *name*, None for none.

        The witness does not know it: whoever reads a document verifies it.
        """
        self._write_document(record_name(kind, name), checked_value(value, limit=MAX_DOCUMENT_BYTES))

    def states(self) -> Iterator[State]:
        """Yield the counts of the usual domains, and of every other one that has any activity."""
        by_domain: dict[str, list[Row]] = {domain: [] for domain in DOMAINS}
        for (domain, _), row in self._rows.items():
            by_domain.setdefault(domain, []).append(row)
        return (_count(domain, rows) for domain, rows in by_domain.items())

    def _known(self) -> Rows:
        return self._rows

    def _update(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        after = self._write(domain, key, lambda row: _dated(decide(row), row, self._clock()))
        self._changes.hand_on(self.observers.notify)
        return after

    def _write(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        with self._lock.held:
            before = self._rows.get((domain, key), Row())
            after = decide(before)
            self._remember(domain, key, before, after)
        return after

    def _write_record(self, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        with self._lock.held:
            after = decide(self._records.get(name))
            self._records = with_record(self._records, name, after)
        return after

    def _read_document(self, name: tuple[str, str]) -> bytes | None:
        return self._documents.get(name)

    def _write_document(self, name: tuple[str, str], value: bytes | None) -> None:
        with self._lock.held:
            documents = {one: kept for one, kept in (self._documents | {name: value}).items() if kept is not None}
            self._documents = documents

    def _remember(self, domain: str, key: str, before: Row, after: Row) -> None:
        rows = self._rows | {(domain, key): after}
        if after.is_default:
            del rows[domain, key]
        self._rows = rows
        self._changes.put(transitions(domain, key, before, after))


def _validate(domain: str, key: str) -> None:
    validate_name(domain, field="domain")
    validate_name(key, field="key")


def _clean(note: object) -> str | None:
    if note is None:
        return None
    if not isinstance(note, str):
        raise ValueError(f"note {note!r:.80} is not valid: it must be a string")  # noqa: TRY004 - one error for all that is wrong
    cut = note if len(note) <= MAX_NOTE_CHARS else note[: MAX_NOTE_CHARS - 1] + "…"
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _stand_in(letter) for letter in cut)


def _stand_in(letter: str) -> str:
    return " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"


def _changed(row: Row, paused: bool | None, draining: bool | None, note: str | None) -> Row:  # noqa: FBT001 - as given
    return Row(
        row.paused if paused is None else paused,
        row.draining if draining is None else draining,
        row.note if note is None else note,
        row.paused_at,
    )


def _dated(row: Row, before: Row, now: float) -> Row:
    paused_at = (before.paused_at or now) if row.paused else None
    return Row(bool(row.paused), bool(row.draining), row.note or None, paused_at)


def _activity(row: Row) -> DomainActivity:
    return DomainActivity(row.paused, row.draining, row.note)


def transitions(domain: str, key: str, before: Row, after: Row) -> Iterator[Event]:
    """Yield the events of a change of the row of a component."""
    note = redact(" ".join((after.note or "").split()))
    if before.paused != after.paused:
        yield (Paused if after.paused else Resumed)(domain=domain, key=key, note=note)
    if before.draining != after.draining:
        yield (DrainStarted if after.draining else DrainCleared)(domain=domain, key=key, note=note)


def _count(domain: str, rows: list[Row]) -> ActivityCount:
    paused = [row for row in rows if row.paused]
    return ActivityCount(
        domain=domain,
        paused=len(paused),
        draining=sum(row.draining for row in rows),
        oldest_pause=min((row.paused_at or 0.0 for row in paused), default=0.0),
    )
