"""The parts that a LogQL query consists of, each with where it stands in the text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

MatchOperator = Literal["=", "!=", "=~", "!~"]
CompareOperator = Literal["=", "==", "!=", ">", ">=", "<", "<="]
LineOperator = Literal["|=", "!=", "|~", "!~", "|>", "!>"]


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of a query: the characters from *start* up to, but without, *end*."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A label's name, or a variable of Grafana's in its place, such as ``$field``."""

    text: str


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A quoted string; *value* is what it means, escapes read."""

    value: str


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """A time with its unit, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Size(Node):
    """A size with its unit, in bytes."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """A variable that Grafana replaces before it asks, such as ``$__auto`` or ``${window}``; *text* is as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Address(Node):
    """``ip("...")``: an address, a range of them or a network, in the place of a string."""

    value: str


@dataclass(frozen=True, slots=True)
class Matcher(Node):
    """A label compared with a string; regular expressions are of Go's syntax and match the whole value."""

    name: Name
    operator: MatchOperator
    value: Text


@dataclass(frozen=True, slots=True)
class Selector(Node):
    """Which streams: those that all matchers fit."""

    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class LineFilter(Node):
    """Keeps lines with one of *values* in them, or without any of them where the operator begins with ``!``."""

    operator: LineOperator
    values: tuple[Text | Address, ...]


@dataclass(frozen=True, slots=True)
class Extraction(Node):
    """``name="path"`` after ``json`` or ``logfmt``; a name alone is its own path."""

    name: Name
    path: Text | None


@dataclass(frozen=True, slots=True)
class Parser(Node):
    """Makes labels of what a line says.

    Attributes:
        kind: How the line is read.
        pattern: The pattern or regular expression of those two.
        extractions: The labels to make, of ``json`` and ``logfmt``; () for all.
        flags: ``--strict`` and ``--keep-empty`` of ``logfmt``.
    """

    kind: Literal["json", "logfmt", "pattern", "regexp", "unpack"]
    pattern: Text | None = None
    extractions: tuple[Extraction, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """A label compared with a number, a time, a size, an address or a variable."""

    name: Name
    operator: CompareOperator
    value: Number | Duration | Size | Address | Variable


@dataclass(frozen=True, slots=True)
class Both(Node):
    """Two conditions combined; a comma and two side by side mean ``and``."""

    left: Condition
    operator: Literal["and", "or"]
    right: Condition


Condition: TypeAlias = Matcher | Comparison | Both


@dataclass(frozen=True, slots=True)
class LabelFilter(Node):
    """Keeps lines whose labels fit *condition*."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class LineFormat(Node):
    """Writes the line anew from a template."""

    template: Text


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """One label of ``label_format``: of another's value, or from a template."""

    name: Name
    value: Name | Text


@dataclass(frozen=True, slots=True)
class LabelFormat(Node):
    """Makes labels of others."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """``drop`` or ``keep``: which labels go or stay, by name or by name and value."""

    kind: Literal["drop", "keep"]
    labels: tuple[Name | Matcher, ...]


@dataclass(frozen=True, slots=True)
class Decolorize(Node):
    """Takes colour codes out of the line."""


@dataclass(frozen=True, slots=True)
class Unwrap(Node):
    """Takes a label's value as the sample of the line, converted as *conversion* says ("": a number)."""

    label: Name
    conversion: Literal["", "bytes", "duration", "duration_seconds"]


Stage: TypeAlias = LineFilter | Parser | LabelFilter | LineFormat | LabelFormat | Choice | Decolorize | Unwrap


@dataclass(frozen=True, slots=True)
class LogQuery(Node):
    """A query for lines."""

    selector: Selector
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Range(Node):
    """The lines of a query over the time before each point, that far back as *offset* says."""

    query: LogQuery
    duration: Duration | Variable
    offset: Duration | Variable | None


@dataclass(frozen=True, slots=True)
class Grouping(Node):
    """Which labels stay (by) or go (without)."""

    kind: Literal["by", "without"]
    labels: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class RangeAggregation(Node):
    """Makes one sample of the lines in a range, for each set of labels."""

    function: str
    parameter: Number | None
    operand: Range
    grouping: Grouping | None


@dataclass(frozen=True, slots=True)
class VectorAggregation(Node):
    """Makes one sample of several, or picks some."""

    function: str
    parameter: Number | None
    operand: MetricQuery
    grouping: Grouping | None


@dataclass(frozen=True, slots=True)
class Matching(Node):
    """Which labels two sides of an operator must share; *many* has several samples for one of the other."""

    kind: Literal["on", "ignoring"]
    labels: tuple[Name, ...]
    many: Literal["", "left", "right"]
    include: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two metric queries and an operator between them; *returns_bool* makes a comparison answer 0 or 1."""

    left: MetricQuery
    operator: str
    right: MetricQuery
    matching: Matching | None
    returns_bool: bool


@dataclass(frozen=True, slots=True)
class VectorOf(Node):
    """``vector(1)``: a sample without labels."""

    value: Number


@dataclass(frozen=True, slots=True)
class LabelReplace(Node):
    """``label_replace``: sets *target* from *replacement* where *pattern* matches the label *source*."""

    operand: MetricQuery
    target: Text
    replacement: Text
    source: Text
    pattern: Text


MetricQuery: TypeAlias = RangeAggregation | VectorAggregation | Binary | Number | VectorOf | LabelReplace
Query: TypeAlias = LogQuery | MetricQuery


def walk(node: Node) -> Iterator[Node]:
    """Yield *node* and every part below it, as they stand in the text."""
    yield node
    for field in fields(node):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node):
                yield from walk(part)
