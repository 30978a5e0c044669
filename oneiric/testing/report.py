"""Say why a block was not as expected: what was expected, what came, and what came near."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from oneiric.observability.catalogue import LOG_EVENTS, LOG_EVENTS_SUPPRESSED
from oneiric.observability.model import LINE_FIELDS
from oneiric.testing.expectations import signed
from oneiric.testing.names import samples
from oneiric.testing.selectors import EventSelector, MetricSelector, SpanSelector, shown
from oneiric.testing.spans import SPAN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric.testing.expectations import Expectation, Verdict
    from oneiric.testing.selectors import Selector
    from oneiric.testing.window import Labels, Window

MAX_ROWS = 10
"""Rows of what came near, and of what else came, that a report shows."""
MAX_VALUE_CHARS = 80

_BACKGROUND = {LOG_EVENTS.name, LOG_EVENTS_SUPPRESSED.name}  # counts of lines, which are looked at themselves
_UNSAID = {*LINE_FIELDS} - {"suppressed"}
_TIMES = {"duration_ms", "down_seconds"}  # no two runs have the same
_FIRST = ("status", "domain", "key", "provider", "source", "reason")


def report(expected: Sequence[Expectation], window: Window, *, exactly: bool) -> str:
    """Return the report of the *expected* signals missing in *window*, or "" if all is as expected.

    With *exactly* whatever else came is not as expected either: counters and histograms that changed, log events but
    for the counts of them, and spans. Gauges show a state, not what happened.
    """
    verdicts = [(expectation.selector, expectation.verdict(window)) for expectation in expected]
    failed = [_failure(selector, verdict, window) for selector, verdict in verdicts if not verdict.held]
    if exactly:
        failed += _surplus([selector for selector, _ in verdicts], window)
    if not failed:
        return ""
    held = sum(verdict.held for _, verdict in verdicts)
    head = f"telemetry is not as expected ({held} of {len(verdicts)} expectations held)"
    if window.lost:
        failed.append([f"{window.lost} of the first lines and spans of the block were let go: there were too many"])
    return "\n".join([head, *(line for lines in failed for line in ("", *lines))])


def _failure(selector: Selector, verdict: Verdict, window: Window) -> list[str]:
    kind, near = _near(selector, window)
    rows = [f"    {line}" for line in near]
    return [f"{kind} {selector}", f"    expected  {verdict.expected}", f"    actual    {verdict.actual}", *rows]


def _near(selector: Selector, window: Window) -> tuple[str, list[str]]:
    if isinstance(selector, MetricSelector):
        return "metric", _near_series(selector, window)
    if isinstance(selector, EventSelector):
        lines = [(line["event"], line) for line in window.events()]
        return "event", _near_records(selector, lines, "log events that came")
    spans = [(span.name, span.facts) for span in window.spans()]
    return "span", _near_records(selector, spans, "spans that ended")


def _near_series(selector: MetricSelector, window: Window) -> list[str]:
    changed = window.changes(selector.sample)
    if changed:
        ranked = sorted(changed, key=lambda labels: len(selector.differing(dict(labels))))
        rows = [_row(window, selector.sample, labels, selector) for labels in ranked]
        return ["series of it that changed:", *_table([("before", "after", "change", "labels"), *rows])]
    others = [(name, labels) for name, found in _changed(window).items() for labels in found]
    if not others:
        return ["nothing was counted or observed"]
    others.sort(key=lambda pair: -SequenceMatcher(None, pair[0], selector.sample).ratio())
    rows = [(*_row(window, name, labels, None)[:3], f"{name}{{{_pairs(labels)}}}") for name, labels in others]
    return ["no series of it changed; these did:", *_table([("before", "after", "change", "series"), *rows])]


def _near_records(selector: Selector, records: Sequence[tuple[str, Mapping[str, object]]], title: str) -> list[str]:
    if not records:
        return [f"{title}: none"]
    same = [(name, facts) for name, facts in records if name == selector.name]
    same.sort(key=lambda record: len(selector.differing(record[1])))
    others = [(name, facts) for name, facts in records if name != selector.name]
    others.sort(key=lambda record: -SequenceMatcher(None, record[0], selector.name).ratio())
    rows = [(name, _facts(facts, selector)) for name, facts in same]
    rows += [(name, _facts(facts, None)) for name, facts in others]
    return [f"{title}:", *_table(rows, right=0)]


def _row(window: Window, sample: str, labels: Labels, selector: Selector | None) -> tuple[str, ...]:
    before, after = window.before.get(sample, {}).get(labels), window.after.get(sample, {}).get(labels)
    numbers = ["-" if value is None else f"{value:g}" for value in (before, after)]
    return (*numbers, signed(window.changes(sample)[labels]), _facts(dict(labels), selector))


def _facts(facts: Mapping[str, object], selector: Selector | None) -> str:
    """Return *facts* on one line, those that *selector* asks for first and marked where they differ."""
    plain, wanted = _plain(facts), _plain(selector.wanted) if selector else {}
    differing = _plain(dict.fromkeys(selector.differing(facts))) if selector else {}
    parts = []
    for name in dict.fromkeys([*wanted, *_FIRST, *plain]):
        if name in plain and (name in wanted or name not in _UNSAID):
            text = f"{name}={_cut(plain[name])}"
        elif name in wanted:
            text = f"{name} is missing"
        else:
            continue
        parts.append(f">> {text} (not {_cut(wanted[name])}) <<" if name in differing else text)
    return "  ".join(parts)


def _surplus(selectors: Sequence[Selector], window: Window) -> list[list[str]]:
    rows = [
        f"metric({shown(name)}{_arguments(dict(labels))}), {signed(delta)}"
        for name, found in _changed(window).items()
        for labels, delta in found.items()
        if not any(_covers(selector, name, labels) for selector in selectors)
    ]
    rows += [
        f"event({shown(line['event'])}{_arguments(line)})"
        for line in window.events()
        if not any(isinstance(selector, EventSelector) and selector.matches(line) for selector in selectors)
    ]
    rows += [
        f"span({shown(span.name)}{_arguments(span.facts)})"
        for span in window.spans()
        if not any(isinstance(selector, SpanSelector) and selector.matches(span) for selector in selectors)
    ]
    return [["nothing else was expected, but there came", *(f"    {row}" for row in _bounded(rows))]] if rows else []


def _covers(selector: Selector, sample: str, labels: Labels) -> bool:
    """Whether *selector* names the metric of *sample*; of a histogram any of its samples speaks for all."""
    if not isinstance(selector, MetricSelector) or selector.metric is not samples()[sample][0]:
        return False
    return not set(selector.differing(dict(labels))) - {"le"}


def _changed(window: Window) -> dict[str, dict[Labels, float]]:
    """Return the changed counts and observations, without the sums and buckets of a histogram."""
    names = [
        name
        for name, (metric, part) in samples().items()
        if metric.name not in _BACKGROUND
        and ((metric.type == "counter") or (metric.type == "histogram" and part == "count"))
    ]
    return {name: changes for name in names if (changes := window.changes(name))}


def _arguments(facts: Mapping[str, object]) -> str:
    said = {name: value for name, value in _plain(facts).items() if name not in _UNSAID | _TIMES}
    return "".join(f", {name}={_cut(value)}" for name, value in said.items())


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    """Return *facts* by the names that a test writes; a line has some of them a second time with the prefix."""
    return {name.removeprefix(SPAN_PREFIX): value for name, value in facts.items()}


def _pairs(labels: Labels) -> str:
    return ", ".join(f"{key}={_cut(value)}" for key, value in labels)


def _cut(value: object) -> str:
    text = shown(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[: MAX_VALUE_CHARS - 1]}…"


def _table(rows: Sequence[tuple[str, ...]], *, right: int = 3) -> list[str]:
    """Return *rows* with their columns aligned, the first *right* of them to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for *cells, last in rows:
        padded = [
            cell.rjust(width) if column < right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("    " + "  ".join([*padded, last]).rstrip())
    return _bounded(lines)


def _bounded(rows: list[str]) -> list[str]:
    left = len(rows) - MAX_ROWS
    return rows if left <= 1 else [*rows[:MAX_ROWS], f"... and {left} more"]
