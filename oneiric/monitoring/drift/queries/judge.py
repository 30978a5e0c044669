"""What a query is judged with: where it stands, what exists, and where findings go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from oneiric.monitoring.drift.findings import NOTHING_ASKED, Policy, Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.drift.findings import Level
    from oneiric.monitoring.drift.queries.known_rule import KnownRule
    from oneiric.monitoring.drift.queries.values import Value
    from oneiric.monitoring.drift.queries.vocabulary import Vocabulary
    from oneiric.monitoring.notation.text import Piece, Place

_RECORDED = re.compile(r"[a-zA-Z_]\w*:[\w:]*")

Role = Literal["alert", "record", "panel", "document"]


class Records(Protocol):
    """Knows the recording rules and alerts among the checked files."""

    def value(self, name: str) -> Value | None:
        """Return the value of the rule that records *name*, or None where there is none."""

    def names(self) -> Iterable[str]:
        """Return the names of recording rules."""

    def alert_names(self) -> Iterable[str]:
        """Return the names of the alerts."""

    def first(self, rule: KnownRule) -> Place:
        """Return where the first rule beside *rule* is that has its name and labels."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds: scrapes, synchronisations, health probes, scans of the cache."""

    scrape: float = 15.0
    sync: float = 300.0
    probe: float = 30.0
    scan: float = 60.0

    def of(self, driver: str) -> float:
        """Return the interval of *driver*: sync, probe or scan."""
        return {"sync": self.sync, "probe": self.probe, "scan": self.scan}[driver]


USUAL = Pace()
"""The defaults of the bundle's scrape configuration and of the runtime's settings."""


@dataclass(slots=True)
class Usage:
    """What queries ask for: names of metrics, each with its first place, of log events and of recording rules."""

    metrics: set[str] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)
    log_events: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Context:
    """What every query of a run shares."""

    vocabulary: Vocabulary
    report: Report
    records: Records
    pace: Pace = USUAL
    usage: Usage = field(default_factory=Usage)
    stream_labels: frozenset[str] = frozenset()
    has_streams: bool = True
    policy: Policy = NOTHING_ASKED


def discarding(context: Context) -> Context:
    """Return *context* with a report and a usage that are thrown away."""
    return replace(context, report=Report(), usage=Usage())


def is_about_us(text: str, context: Context) -> bool:
    """Whether the query *text* has a name of ours in it, a value such as a job's, or what is recorded of ours."""
    if context.vocabulary.is_about_us(text):
        return True
    recorded = (context.records.value(name) for name in {*_RECORDED.findall(text)})
    return any(value is not None and value.ours for value in recorded)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges one query, and reports its findings.

    Attributes:
        piece: The text of the query.
        context: What every query of the run shares.
        role: What the query is for.
        grown: The metrics whose new series the query counts whole.
        in_quantile: Whether the part in hand stands in histogram_quantile(), which reports itself what it needs.
    """

    piece: Piece
    context: Context
    role: Role
    grown: frozenset[str] = frozenset()
    in_quantile: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        """What exists."""
        return self.context.vocabulary

    def find(self, at: int, code: str, message: str, hint: str = "", *, level: Level | None = None) -> None:
        """Report a finding at the character *at*."""
        self.context.report.at(self.piece, at, code, message, hint, level=level)
