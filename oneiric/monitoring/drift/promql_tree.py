"""PromQL as a tree whose every part knows where it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """A name, or a value, and where it begins."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Matcher:
    """``label operator "value"``; *value* is where the first character of the value stands."""

    label: Word
    operator: str
    value: Word


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    at: int
    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A string."""

    at: int
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and matchers."""

    at: int
    name: Word
    matchers: tuple[Matcher, ...]
    shifted: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """An expression over a window of seconds, None for a variable one; a subquery where it is no selector."""

    at: int
    inner: Node
    window: float | None
    window_at: int
    is_subquery: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments."""

    at: int
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregation; *grouping* is by, without or ""."""

    at: int
    operator: str
    inner: Node
    parameter: Node | None
    grouping: str
    labels: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; *matching* is on, ignoring or "", *group* is left, right or ""."""

    at: int
    operator: str
    left: Node
    right: Node
    is_bool: bool
    matching: str
    labels: tuple[Word, ...]
    group: str
    group_labels: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """The negative of an expression."""

    at: int
    inner: Node


Node: TypeAlias = "Number | String | Selector | Range | Call | Aggregation | Binary | Negative"


def is_new(node: Node) -> bool:
    """Whether *node* asks for series that were not there before: ``x unless x offset 5m``."""
    if not isinstance(node, Binary) or node.operator != "unless":
        return False
    left, right = node.left, node.right
    if not isinstance(left, Selector) or not isinstance(right, Selector):
        return False
    return left.name.text == right.name.text and right.shifted
