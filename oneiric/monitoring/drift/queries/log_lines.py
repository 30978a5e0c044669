"""Which log events a query is about, and the fields and values that their lines can have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from oneiric.monitoring.logql import COMMON_FIELDS, STREAM_LABELS, field_label, field_values
from oneiric.monitoring.notation.regex import alternatives, matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.observability.model import Catalogue, Log, Signal

EVENT = "event"
LEVEL = "level"
_OF_APPLICATIONS = frozenset({"critical"})
"""Levels that no log event has, but lines of an application in the same stream."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@dataclass(frozen=True)
class Lines:
    """The log events of *of* that a query can still be about."""

    of: tuple[tuple[Signal, Log], ...]

    @classmethod
    def every(cls, catalogue: Catalogue) -> Lines:
        """Return all log events."""
        return cls(catalogue.log_events)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the events."""
        return frozenset(log.name for _, log in self.of)

    @cached_property
    def fields(self) -> frozenset[str]:
        """Every field that one of the events can have, as ``| json`` names it."""
        own = {field for _, log in self.of for field in (*log.fields, *log.const)}
        return frozenset(map(field_label, own | COMMON_FIELDS))

    def named(self, text: str) -> Lines:
        """Return the events whose names *text* is part of."""
        return Lines(tuple(one for one in self.of if text in one[1].name))

    def matching(self, pattern: str) -> Lines:
        """Return the events whose names hold a match of *pattern*."""
        parts = [text for _, text in alternatives(pattern)]
        return Lines(tuple(one for one in self.of if any(_holds(text, one[1].name) for text in parts)))

    def among(self, found: Iterable[Lines]) -> Lines:
        """Return the events that are in one of *found*."""
        kept = {id(log) for lines in found for _, log in lines.of}
        return Lines(tuple(one for one in self.of if id(one[1]) in kept))

    def called(self, name: str) -> Lines:
        """Return the events whose name is *name*."""
        return Lines(tuple(one for one in self.of if one[1].name == name))

    def having(self, field: str, value: str) -> Lines:
        """Return the events whose *field* can be *value*."""
        return Lines(tuple(one for one in self.of if value in (_fixed(*one, field) or (value,))))

    def values(self, field: str) -> frozenset[str]:
        """Return every value that *field* can have in one of the events; empty where that is not known."""
        values: set[str] = {*_OF_APPLICATIONS} if field == LEVEL and len(self.names) > 1 else set()
        for signal, log in self.of:
            known = _fixed(signal, log, field)
            if not known and field in {*map(field_label, (*log.fields, *log.const, *COMMON_FIELDS))}:
                return frozenset()
            values |= {*known}
        return frozenset(values)


def _fixed(signal: Signal, log: Log, field: str) -> tuple[str, ...]:
    """Return all values that *field* has in lines of *log*, () where they are not known."""
    if field == EVENT:
        return (log.name,)
    if field == LEVEL:
        return (log.level,)
    if field in log.const:
        return (log.const[field],)
    return field_values(signal, field) if field in log.fields else ()


def _holds(pattern: str, name: str) -> bool:
    return bool(pattern) and matches_any(f".*(?:{pattern}).*", (name,))


def looks_like_a_name(text: str) -> bool:
    """Whether *text* could be meant as the name of a log event."""
    return _NAME.fullmatch(text) is not None


STREAMS = frozenset(STREAM_LABELS)
"""The labels that the bundle's shippers give to streams."""
