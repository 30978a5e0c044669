"""Reading queries for lines: the selector and the stages of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql.conditions import OPERATORS, condition
from oneiric.monitoring.notation.logql.errors import LogQLError
from oneiric.monitoring.notation.logql.regular import compiled
from oneiric.monitoring.notation.logql.selectors import MATCH_OPERATORS, address, check_pattern, matcher_of, selector
from oneiric.monitoring.notation.logql.syntax import (
    Address,
    Assignment,
    Choice,
    Decolorize,
    Extraction,
    LabelFilter,
    LabelFormat,
    LineFilter,
    LineFormat,
    LogQuery,
    Parser,
    Unwrap,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.monitoring.notation.logql.cursor import Cursor
    from oneiric.monitoring.notation.logql.syntax import Matcher, Name, Stage, Text

LINE_OPERATORS = ("|=", "|~", "|>", "!=", "!~", "!>")
CONVERSIONS = ("bytes", "duration", "duration_seconds")
LOGFMT_FLAGS = ("--strict", "--keep-empty")


def log_query(cursor: Cursor) -> LogQuery:
    """Take a selector and the stages after it."""
    chosen = selector(cursor)
    found = stages(cursor)
    return LogQuery(chosen.start, cursor.last_end, chosen, found)


def stages(cursor: Cursor) -> tuple[Stage, ...]:
    """Take all stages that follow."""
    found: list[Stage] = []
    while cursor.at("|", *LINE_OPERATORS) and not _is_comparison(cursor):
        found.append(_line_filter(cursor) if cursor.at(*LINE_OPERATORS) else _stage(cursor))
    return tuple(found)


def _is_comparison(cursor: Cursor) -> bool:
    """Say whether ``!=`` here compares metrics: a line is only compared with a string or an address."""
    return cursor.at("!=") and cursor.following.kind != "string" and cursor.following.text != "ip"


def _line_filter(cursor: Cursor) -> LineFilter:
    operator = cursor.take()
    values = [_line_value(cursor)]
    while cursor.skip("or"):
        values.append(_line_value(cursor))
    if operator.text in {"|~", "!~"}:
        for value in values:
            if not isinstance(value, Address):
                check_pattern(value)
    return LineFilter(operator.start, cursor.last_end, operator.text, tuple(values))  # type: ignore[arg-type]


def _line_value(cursor: Cursor) -> Text | Address:
    return address(cursor) if cursor.at("ip") else cursor.text()


def _stage(cursor: Cursor) -> Stage:
    start = cursor.need("|").start
    word = cursor.token.text
    if word in _STAGES:
        cursor.take()
        return _STAGES[word](cursor, start)
    if cursor.token.kind not in {"word", "variable"} and not cursor.at("("):
        cursor.fail("a stage or a label's name after '|'", _STAGES)
    if cursor.token.kind == "word" and cursor.following.text not in OPERATORS:
        cursor.fail("a stage, or a label and what to compare it with, after '|'", _STAGES)
    found = condition(cursor)
    return LabelFilter(start, cursor.last_end, found)


def _json(cursor: Cursor, start: int) -> Parser:
    extractions = _extractions(cursor)
    return Parser(start, cursor.last_end, "json", None, extractions)


def _logfmt(cursor: Cursor, start: int) -> Parser:
    flags = []
    while cursor.token.kind == "flag":
        if cursor.token.text not in LOGFMT_FLAGS:
            cursor.fail(" or ".join(LOGFMT_FLAGS), LOGFMT_FLAGS)
        flags.append(cursor.take().text)
    return Parser(start, cursor.last_end, "logfmt", None, _extractions(cursor), tuple(flags))


def _extractions(cursor: Cursor) -> tuple[Extraction, ...]:
    is_next = cursor.at_name() and cursor.following.text not in {"(", "by", "without"}
    return cursor.several(lambda: _extraction(cursor)) if is_next else ()


def _extraction(cursor: Cursor) -> Extraction:
    name = cursor.name()
    path = cursor.text() if cursor.skip("=") else None
    return Extraction(name.start, cursor.last_end, name, path)


def _unpack(cursor: Cursor, start: int) -> Parser:
    return Parser(start, cursor.last_end, "unpack")


def _regexp(cursor: Cursor, start: int) -> Parser:
    pattern = cursor.text("a regular expression")
    check_pattern(pattern)
    found = compiled(pattern.value)
    if found is not None and not found.groupindex:
        raise LogQLError(pattern.start, "has no named group, (?P<label>...), and so makes no label")
    return Parser(start, cursor.last_end, "regexp", pattern)


def _pattern(cursor: Cursor, start: int) -> Parser:
    pattern = cursor.text("a pattern")
    if "<" not in pattern.value:
        raise LogQLError(pattern.start, "has no capture, <label>, and so makes no label")
    return Parser(start, cursor.last_end, "pattern", pattern)


def _line_format(cursor: Cursor, start: int) -> LineFormat:
    template = cursor.text("a template")
    return LineFormat(start, template.end, template)


def _label_format(cursor: Cursor, start: int) -> LabelFormat:
    assignments = cursor.several(lambda: _assignment(cursor))
    return LabelFormat(start, cursor.last_end, assignments)


def _assignment(cursor: Cursor) -> Assignment:
    name = cursor.name()
    cursor.need("=")
    value = cursor.text() if cursor.token.kind == "string" else cursor.name("another label's name or a template")
    return Assignment(name.start, value.end, name, value)


def _drop(cursor: Cursor, start: int) -> Choice:
    chosen = cursor.several(lambda: _choice(cursor))
    return Choice(start, cursor.last_end, "drop", chosen)


def _keep(cursor: Cursor, start: int) -> Choice:
    chosen = cursor.several(lambda: _choice(cursor))
    return Choice(start, cursor.last_end, "keep", chosen)


def _choice(cursor: Cursor) -> Name | Matcher:
    name = cursor.name()
    return matcher_of(cursor, name) if cursor.at(*MATCH_OPERATORS) else name


def _decolorize(cursor: Cursor, start: int) -> Decolorize:
    return Decolorize(start, cursor.last_end)


def _unwrap(cursor: Cursor, start: int) -> Unwrap:
    if cursor.following.text != "(":
        label = cursor.name()
        return Unwrap(start, label.end, label, "")
    if cursor.token.text not in CONVERSIONS:
        cursor.fail(" or ".join(CONVERSIONS), CONVERSIONS)
    conversion = cursor.take().text
    cursor.need("(")
    label = cursor.name()
    cursor.need(")")
    return Unwrap(start, cursor.last_end, label, conversion)  # type: ignore[arg-type]


_STAGES: dict[str, Callable[[Cursor, int], Stage]] = {
    "json": _json,
    "logfmt": _logfmt,
    "unpack": _unpack,
    "regexp": _regexp,
    "pattern": _pattern,
    "line_format": _line_format,
    "label_format": _label_format,
    "drop": _drop,
    "keep": _keep,
    "decolorize": _decolorize,
    "unwrap": _unwrap,
}
