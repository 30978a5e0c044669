"""Answering queries for lines: which of some lines Loki would return, and with which labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logql.extraction import extract
from logql.filters import amount, holds, keeps_line, matches, number, time
from logql.lines import ERROR, Entry

from oneiric.monitoring.notation.logql import (
    Choice,
    Decolorize,
    LabelFilter,
    LabelFormat,
    LineFilter,
    LineFormat,
    LogQLError,
    Matcher,
    Parser,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from logql.lines import Line

    from oneiric.monitoring.notation.logql import LogQuery, Stage, Unwrap

_ACTION = re.compile(r"{{-?\s*(.*?)\s*-?}}", re.DOTALL)
_FIELD = re.compile(r"\.(\w+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONVERSIONS: dict[str, Callable[[str], float]] = {
    "": number,
    "bytes": amount,
    "duration": time,
    "duration_seconds": time,
}


def select(query: LogQuery, lines: Iterable[Line]) -> list[Entry]:
    """Return the entries that *query* makes of *lines*, in their order.

    Raises:
        LogQLError: It needs what only Loki itself can answer: functions in templates, variables that nobody replaced.
    """
    return [entry for line in lines if (entry := _through(query, line)) is not None]


def _through(query: LogQuery, line: Line) -> Entry | None:
    if not all(matches(matcher, line.stream.get(matcher.name.text, "")) for matcher in query.selector.matchers):
        return None
    entry = Entry(line)
    return entry if all(_pass(stage, entry) for stage in query.stages) else None


def _pass(stage: Stage, entry: Entry) -> bool:
    """Apply *stage*, and say whether the line goes on."""
    if isinstance(stage, LineFilter):
        return keeps_line(stage, entry.text)
    if isinstance(stage, LabelFilter):
        return holds(stage.condition, entry)
    if isinstance(stage, Parser):
        extract(stage, entry)
    elif isinstance(stage, LineFormat):
        entry.text = _filled(stage.template, entry)
    elif isinstance(stage, Decolorize):
        entry.text = _COLOUR.sub("", entry.text)
    elif isinstance(stage, LabelFormat):
        _format(stage, entry)
    elif isinstance(stage, Choice):
        _choose(stage, entry)
    else:
        return _unwrap(stage, entry)
    return True


def _filled(template: Text, entry: Entry) -> str:
    def value(action: re.Match[str]) -> str:
        if action[1] in {"__line__", ". __line__"}:
            return entry.text
        field = _FIELD.fullmatch(action[1])
        if field is None:
            raise LogQLError(template.start, f"{action[0]}: functions of templates are for Loki itself to answer")
        return entry.find(field[1]) or ""

    return _ACTION.sub(value, template.value)


def _format(stage: LabelFormat, entry: Entry) -> None:
    for assignment in stage.assignments:
        if isinstance(assignment.value, Text):
            entry.assign(assignment.name.text, _filled(assignment.value, entry))
        elif (value := entry.find(assignment.value.text)) is not None:
            entry.remove([assignment.value.text])
            entry.assign(assignment.name.text, value)


def _choose(stage: Choice, entry: Entry) -> None:
    labels = entry.labels
    chosen = {
        name
        for choice in stage.labels
        for name in [choice.name.text if isinstance(choice, Matcher) else choice.text]
        if not isinstance(choice, Matcher) or matches(choice, labels.get(name, ""))
    }
    # keep never takes the error away: it would hide that a line was not read.
    entry.remove(chosen if stage.kind == "drop" else labels.keys() - chosen - {ERROR})


def _unwrap(stage: Unwrap, entry: Entry) -> bool:
    found = entry.find(stage.label.text)
    if found is None:
        return False
    entry.remove([stage.label.text])
    try:
        entry.value = _CONVERSIONS[stage.conversion](found)
    except ValueError:
        entry.fail("SampleExtractionErr")
    return True
