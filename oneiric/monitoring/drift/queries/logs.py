"""Queries in LogQL: events, fields, values and stream labels that exist."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.loki import METADATA
from oneiric.monitoring.drift.findings import did_you_mean, one_of
from oneiric.monitoring.drift.queries.dialects import is_open
from oneiric.monitoring.drift.queries.judge import is_about_us
from oneiric.monitoring.drift.queries.log_lines import EVENT, LEVEL, STREAMS, Lines, looks_like_a_name
from oneiric.monitoring.drift.queries.values import UNKNOWN, Value
from oneiric.monitoring.notation import logql
from oneiric.monitoring.notation.logql import LogQLError, parse_all, walk
from oneiric.monitoring.notation.promql import has_variable
from oneiric.monitoring.notation.regex import alternatives, matches_any

if TYPE_CHECKING:
    from oneiric.monitoring.drift.findings import Level
    from oneiric.monitoring.drift.queries.judge import Context
    from oneiric.monitoring.notation.text import Piece

_GIVEN = frozenset({"service_name", "detected_level", "filename", "__error__", "__error_details__", "__stream_shard__"})
"""Labels that Loki and shippers give themselves."""
_LIKE_A_FIELD = 0.75
"""Applications have fields, too, which are a little like ours."""
_TEMPLATE = re.compile(r"\{\{[^}]*?\.(\w+)[^}]*\}\}")


def judge_logql(piece: Piece, context: Context, *, is_loaded: bool = False) -> Value:
    """Report what is wrong with the queries of *piece*, and return what is known of the result of the last.

    Of queries that are about others no more is reported than that they do not parse, where *is_loaded* by a server.
    """
    try:
        found = parse_all(piece.text)
    except LogQLError as error:
        if (is_about_us(piece.text, context) or is_loaded) and not is_open(piece.text):
            context.report.at(piece, error.offset, "ON008", f"not LogQL: {error.reason}")
        return UNKNOWN
    except RecursionError:
        context.report.at(piece, 0, "ON006", "nested too deeply")
        return UNKNOWN
    value = UNKNOWN
    for query in found:
        value = _judge(piece, context, query)
    return value


def _judge(piece: Piece, context: Context, query: logql.Query) -> Value:
    judges = {id(node): _LinesJudge(piece, context, node) for node in walk(query) if isinstance(node, logql.LogQuery)}
    for judge in judges.values():
        judge.run()
    for node in walk(query):
        if isinstance(node, logql.RangeAggregation | logql.VectorAggregation) and node.grouping is not None:
            _judge_grouping(node, judges)
    labels = _labels(query)
    return Value(labels=labels, exact=False) if labels is not None else UNKNOWN


def _judge_grouping(node: logql.RangeAggregation | logql.VectorAggregation, judges: dict[int, _LinesJudge]) -> None:
    inner = [judges[id(part)] for part in walk(node) if isinstance(part, logql.LogQuery)]
    for name in node.grouping.labels if node.grouping is not None else ():
        if inner and not any(judge.has(name.text) for judge in inner):
            inner[0].lacks(name)


def _labels(query: logql.Query) -> frozenset[str] | None:
    if isinstance(query, logql.Binary):
        return _labels(query.left)
    grouping = getattr(query, "grouping", None)
    if isinstance(query, logql.VectorAggregation) and grouping is None:
        return frozenset()
    if grouping is None or grouping.kind != "by":
        return None
    return frozenset(name.text for name in grouping.labels)


@dataclass
class _LinesJudge:
    """Follows one query for lines, stage by stage."""

    piece: Piece
    context: Context
    query: logql.LogQuery
    lines: Lines = field(init=False)
    streams: set[str] = field(init=False)
    labels: set[str] = field(init=False)
    is_parsed: bool = False
    is_open: bool = False
    is_ours: bool = False

    def __post_init__(self) -> None:
        self.lines = Lines.every(self.context.vocabulary.catalogue)
        given = self.context.vocabulary.target_labels | self.context.stream_labels
        self.streams = {*STREAMS, *_GIVEN, *given}
        self.labels = self.streams | {*METADATA}

    def find(self, at: int, code: str, message: str, hint: str = "", *, level: Level | None = None) -> None:
        self.context.report.at(self.piece, at, code, message, hint, level=level)

    def run(self) -> None:
        matchers = self.query.selector.matchers
        prefix = self.context.vocabulary.prefix
        for matcher in matchers:
            if matcher.name.text in STREAMS and self.context.vocabulary.is_nearly_us(matcher.value.value):
                message = f"{matcher.name.text} of our streams is hardly {matcher.value.value}"
                self.find(matcher.value.start + 1, "ON123", message, f"did you mean {prefix}?")
        self.is_ours = any(prefix in matcher.value.value.lower() for matcher in matchers)
        if not self.is_ours:
            return
        for matcher in matchers:
            if matcher.name.text not in self.streams:
                self._lacks_stream(matcher.name)
        for stage in self.query.stages:
            self._stage(stage)
        if self._is_about_events():
            self.context.usage.log_events.update(self.lines.names)

    def _lacks_stream(self, name: logql.Name) -> None:
        hint = did_you_mean(name.text, STREAMS)
        if name.text in self.lines.fields:
            hint = f'it is a field: | json | {name.text}="..."'
        is_sure = bool(hint) or self.context.has_streams
        level: Level | None = None if is_sure else "note"
        self.find(name.start, "ON124", f"no stream has a label {name.text}", hint or one_of(STREAMS), level=level)

    def _stage(self, stage: logql.Stage) -> None:
        if isinstance(stage, logql.LineFilter):
            self._line_filter(stage)
        elif isinstance(stage, logql.Parser):
            self._parser(stage)
        elif isinstance(stage, logql.LabelFilter):
            self._condition(stage.condition)
        elif isinstance(stage, logql.LabelFormat):
            self.labels |= {assignment.name.text for assignment in stage.assignments}
        elif isinstance(stage, logql.LineFormat):
            self._template(stage.template)
        elif isinstance(stage, logql.Unwrap):
            self._field(stage.label)

    def _line_filter(self, stage: logql.LineFilter) -> None:
        texts = [value for value in stage.values if isinstance(value, logql.Text) and not has_variable(value.value)]
        if stage.operator not in {"|=", "|~"} or len(texts) < len(stage.values):
            return
        found: list[Lines] = []
        for text in texts:
            for at, part in [(0, text.value)] if stage.operator == "|=" else alternatives(text.value):
                one = self.lines.named(part) if stage.operator == "|=" else self.lines.matching(part)
                if not one.of and looks_like_a_name(part):
                    self._misnamed(text.start + 1 + at, part)
                found.append(one)
        if all(one.of for one in found):
            self.lines = self.lines.among(found)

    def _misnamed(self, at: int, name: str) -> None:
        elsewhere = Lines.every(self.context.vocabulary.catalogue).named(name).names
        hint = did_you_mean(name, self.context.vocabulary.log_names)
        if hint and not elsewhere:
            self.find(at, "ON121", f"there is no log event {name}", hint)

    def _parser(self, stage: logql.Parser) -> None:
        if stage.kind != "json":
            self.is_open = True
            return
        self.is_parsed = self.is_parsed or not stage.extractions
        for extraction in stage.extractions:
            path = extraction.path.value if extraction.path is not None else extraction.name.text
            at = extraction.path.start + 1 if extraction.path is not None else extraction.name.start
            name = path.strip('[]"').replace(".", "_")
            if name not in self.lines.fields | STREAMS:
                hint = did_you_mean(name, self.lines.fields)
                self.find(at, "ON122", f"{self._about()} has no field {path}", hint, level=self._level(name))
            self.labels.add(extraction.name.text)

    def _condition(self, condition: logql.Condition) -> None:
        if isinstance(condition, logql.Both):
            self._condition(condition.left)
            self._condition(condition.right)
        elif self._field(condition.name) and isinstance(condition, logql.Matcher):
            self._value(condition)

    def has(self, name: str) -> bool:
        """Whether a line can have the label *name* here."""
        known = name in self.labels or (self.is_parsed and name in self.lines.fields)
        return known or self.is_open or not self.is_ours or has_variable(name)

    def lacks(self, name: logql.Name) -> None:
        """Report that no line has *name*."""
        if name.text in self.lines.fields and not self.is_parsed:
            self.find(name.start, "ON122", f"{name.text} is not read from the line here", "add: | json")
            return
        hint = did_you_mean(name.text, self.lines.fields | self.labels)
        self.find(name.start, "ON122", f"{self._about()} has no field {name.text}", hint, level=self._level(name.text))

    def _level(self, name: str) -> Level | None:
        """Return how grave it is to ask for *name*, which no line of ours has: an application has lines of its own."""
        is_near = did_you_mean(name, self.lines.fields | self.labels | self.lines.names, alike=_LIKE_A_FIELD)
        return None if is_near or self._is_about_events() else "note"

    def _is_about_events(self) -> bool:
        """Whether only lines of some log events of ours are asked for."""
        return len(self.lines.names) < len(self.context.vocabulary.log_names)

    def _field(self, name: logql.Name) -> bool:
        if self.has(name.text):
            return True
        self.lacks(name)
        return False

    def _about(self) -> str:
        return next(iter(self.lines.names)) if len(self.lines.names) == 1 else "no log event asked for"

    def _value(self, matcher: logql.Matcher) -> None:
        name, text = matcher.name.text, matcher.value.value
        if has_variable(text) or name in STREAMS or (name == LEVEL and not self._is_about_events()):
            return
        allowed = self.lines.values(name)
        is_pattern = matcher.operator in {"=~", "!~"}
        for at, part in alternatives(text) if is_pattern else [(0, text)]:
            if allowed and part and not (matches_any(part, allowed) if is_pattern else part in allowed):
                code, what = ("ON121", "there is no log event") if name == EVENT else ("ON123", f"{name} is never")
                level = self._level(part) if name == EVENT else None
                self.find(matcher.value.start + 1 + at, code, f"{what} {part}", one_of(allowed, part), level=level)
            elif name == "domain" and (near := self.context.vocabulary.near_domain(part)):
                self.find(matcher.value.start + 1 + at, "ON123", f"there is no domain {part}", f"did you mean {near}?")
        if matcher.operator == "=" and text in allowed:
            self.lines = self.lines.called(text) if name == EVENT else self.lines.having(name, text)

    def _template(self, template: logql.Text) -> None:
        raw = self.piece.text[template.start : template.end]
        for found in _TEMPLATE.finditer(raw):
            self._field(logql.Name(template.start + found.start(1), template.start + found.end(1), found[1]))
