"""PromQL as a tree whose every part knows where it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    inner: Expression
    window: float | None
    window_at: int
    is_subquery: bool
    shifted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments."""

    at: int
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregation; *grouping* is by, without or ""."""

    at: int
    operator: str
    inner: Expression
    parameter: Expression | None
    grouping: str
    labels: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; *matching* is on, ignoring or "", *group* is left, right or ""."""

    at: int
    operator: str
    left: Expression
    right: Expression
    is_bool: bool
    matching: str
    labels: tuple[Word, ...]
    group: str
    group_labels: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """The negative of an expression."""

    at: int
    inner: Expression


Expression: TypeAlias = "Number | String | Selector | Range | Call | Aggregation | Binary | Negative"


def parts(node: Expression) -> tuple[Expression, ...]:
    """Return the expressions that *node* is made of."""
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Binary):
        return node.left, node.right
    if isinstance(node, Aggregation) and node.parameter is not None:
        return node.inner, node.parameter
    return (node.inner,) if isinstance(node, Range | Aggregation | Negative) else ()


def walk(node: Expression) -> Iterator[Expression]:
    """Yield *node* and every expression in it."""
    yield node
    for part in parts(node):
        yield from walk(part)


def is_new(node: Expression) -> bool:
    """Whether *node* asks for series that were not there before, at a moment or in a time.

    That is ``x unless x offset 5m`` or ``x unless last_over_time(x[1h] offset 5m)``.
    """
    if not isinstance(node, Binary) or node.operator != "unless" or not isinstance(node.left, Selector):
        return False
    before = _before(node.right)
    return before is not None and before.name.text == node.left.name.text


def _before(node: Expression) -> Selector | None:
    """Return the selector that *node* asks in the past, or None."""
    if isinstance(node, Selector):
        return node if node.shifted else None
    if not isinstance(node, Call) or len(node.arguments) != 1 or not isinstance(over := node.arguments[0], Range):
        return None
    return over.inner if over.shifted and isinstance(over.inner, Selector) else None
