"""A new signal needs an event class and an entry of the catalogue, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CollectorRegistry, generate_latest

from oneiric.core.events import Event
from oneiric.core.observers import Observers
from oneiric.monitoring.bundle.reference import reference_page
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.drift.documents.rulebook import RuleBook
from oneiric.monitoring.drift.findings import Report
from oneiric.monitoring.drift.queries import Context, Lines, Vocabulary, judge_promql
from oneiric.monitoring.notation.text import Piece, Source
from oneiric.observability.catalogue import CATALOGUE, DOMAIN, DRAINS
from oneiric.observability.logs import LogSink
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.model import Catalogue, Count, Label, Log, Metric, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoteRejected(Event, frozen=True, kw_only=True, gc=False):
    """A note was refused."""

    domain: str
    key: str
    reason: Literal["too_long", "no_text"]


ENTRY = Signal(
    NoteRejected,
    area="activity",
    metrics=(
        Count(
            Metric(
                "oneiric_activity_notes_rejected_total",
                "counter",
                "Notes refused.",
                (DOMAIN, Label.of(NoteRejected, "reason")),
                part_of=DRAINS,
                moved_by="sync",
                unused="a refusal is reported to its caller",
            )
        ),
    ),
    logs=(Log("note-rejected", "warning", ("reason",), unused="a refusal is reported to its caller"),),
    known=("domain",),
)
"""The one entry."""

EXTENDED = Catalogue((*CATALOGUE.signals, ENTRY))
METRIC = ENTRY.metrics[0].metric
REFUSED = NoteRejected(domain="adapter", key="cache", reason="too_long")


class KeptLines:
    """A logger that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Mapping[str, Any]]] = []

    def warning(self, event: str, **fields: Any) -> None:
        """Keep a line."""
        self.written.append((event, fields))


def codes_of(query: str) -> list[str]:
    """Return the codes of what the drift check finds in *query*."""
    context = Context(Vocabulary(EXTENDED), Report(), RuleBook())
    judge_promql(Piece.whole(Source("a.md", query)), context, "document")
    return [finding.code for finding in context.report]


def test_it_is_counted_and_exposed() -> None:
    """The counter starts at 0 where its labels are known beforehand, and the event adds 1."""
    observers, registry = Observers(), CollectorRegistry()
    sink = PrometheusSink(EXTENDED, observers, version="1")
    observers.add(sink)
    registry.register(sink)
    observers.notify(REFUSED)
    text = generate_latest(registry).decode()
    assert f"# HELP {METRIC.name} Notes refused." in text
    assert f'{METRIC.name}{{domain="adapter",reason="too_long"}} 1.0' in text
    assert f'{METRIC.name}{{domain="adapter",reason="no_text"}} 0.0' in text


def test_it_is_logged() -> None:
    """The line has the fields of every line that the event has values for, and those of the entry."""
    observers, lines = Observers(), KeptLines()
    observers.add(LogSink(EXTENDED, observers, logger=lambda _: lines))
    observers.notify(REFUSED)
    assert lines.written == [("note-rejected", {"domain": "adapter", "key": "cache", "reason": "too_long"})]


def test_its_names_and_values_are_known_to_the_drift_check() -> None:
    """A query for it is clean; one for a value or field that the event never has is not."""
    assert codes_of(f'sum(rate({METRIC.name}{{reason="too_long"}}[5m]))') == []
    assert codes_of(f'sum(rate({METRIC.name}{{reason="too_wide"}}[5m]))') == ["ON105"]
    lines = Lines.every(EXTENDED).called("note-rejected")
    assert lines.values("reason") == {"too_long", "no_text"}


def test_what_it_is_part_of_and_what_moves_it_are_known_to_the_drift_check() -> None:
    """A share of its whole is never above 1, and a window below the interval of what moves it holds nothing."""
    assert codes_of(f"sum(increase({METRIC.name}[1h])) / sum(increase({DRAINS.name}[1h])) > 2") == ["ON305"]
    assert codes_of(f"sum(rate({METRIC.name}[2m]))") == ["ON303"]


def test_it_says_why_nothing_asks_for_it() -> None:
    """The check for completeness takes the reasons from the entry."""
    reason = "a refusal is reported to its caller"
    assert EXTENDED.unused == {**CATALOGUE.unused, METRIC.name: reason, "note-rejected": reason}


def test_it_is_in_the_reference() -> None:
    """The generated reference has the metric with its values, and the log event with the meaning of the event."""
    page = reference_page(EXTENDED, BundleConfig())
    assert f"### `{METRIC.name}`\n\nNotes refused." in page
    assert "label `reason`: `too_long`, `no_text`" in page
    assert "warning, logger `oneiric.activity`: A note was refused; fields `reason`" in page


def test_the_metrics_before_it_keep_their_order() -> None:
    """A catalogue that is extended has the metrics that it had, in their order, and then the new one."""
    assert EXTENDED.metrics == (*CATALOGUE.metrics, METRIC)
