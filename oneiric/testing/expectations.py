"""What a test expects of a block, and whether it came."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Final

from oneiric.testing.selectors import EventSelector, MetricSelector, Selector, SpanSelector, agrees, shown
from oneiric.testing.window import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.testing.window import Window

_UNSAID: Final = object()
_NEVER_RIGHT = (bool, str, bytes, list, tuple, dict, set, frozenset, type(None))


@dataclass(frozen=True, slots=True)
class Equals:
    """A value at the end of the block, where a plain number is by how much it changed."""

    value: object


def equals(value: object) -> Equals:
    """Expect a metric to have *value* at the end of the block, whatever it was before.

    A gauge that has no such series has the value None, a counter 0. *value* is a number, something that compares equal
    (``pytest.approx``) or a function that says whether a value fits.
    """
    return Equals(value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation held, with what was expected and what came, in words."""

    held: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is asked for, and what is wanted of it."""

    selector: Selector
    wanted: object = _UNSAID

    def verdict(self, window: Window) -> Verdict:
        """Return whether it held in *window*."""
        selector = self.selector
        if isinstance(selector, MetricSelector):
            return _of_metric(selector, self.wanted, window)
        return _of_number(len(found_by(selector, window)), self.wanted)


def expectations(items: Iterable[object]) -> tuple[Expectation, ...]:
    """Return the expectations of *items*: selectors, each followed by what is wanted of it or by nothing.

    Raises:
        TypeError: Something is neither, or wanted of nothing.
        UnknownSignalError: A value is wanted of a histogram as a whole.
    """
    __tracebackhide__ = True
    made: list[Expectation] = []
    for item in items:
        if isinstance(item, Selector):
            made.append(Expectation(item))
        elif made and made[-1].wanted is _UNSAID:
            made[-1] = _wanting(made[-1].selector, item)
        else:
            raise TypeError(f"expected metric(...), event(...) or span(...), or what is wanted of one, not {item!r}")
    return tuple(made)


def found_by(selector: Selector, window: Window) -> list[object]:
    """Return the lines or spans of *window* that *selector* means."""
    if isinstance(selector, EventSelector):
        return list(window.events(selector))
    return list(window.spans(selector)) if isinstance(selector, SpanSelector) else []


def signed(number: float) -> str:
    """Return a change as it is written in a test."""
    return f"{number:+g}" if number else "0"


def _wanting(selector: Selector, wanted: object) -> Expectation:
    __tracebackhide__ = True
    if isinstance(wanted, _NEVER_RIGHT):
        raise TypeError(f"of {selector} a number, a function or what compares equal is wanted, not {wanted!r}")
    if isinstance(selector, MetricSelector):
        selector.refuse_if_ambiguous()
    elif isinstance(wanted, Equals):
        raise TypeError(f"of {selector} a number is wanted: how many there are")
    if isinstance(wanted, Real) and wanted < 0 and not _can_fall(selector):
        raise TypeError(f"{selector} never falls: {wanted!r} cannot come")
    return Expectation(selector, wanted)


def _can_fall(selector: Selector) -> bool:
    return isinstance(selector, MetricSelector) and (selector.metric.type == "gauge" or selector.part == "sum")


def _of_metric(selector: MetricSelector, wanted: object, window: Window) -> Verdict:
    if isinstance(wanted, Equals):
        value = value_of(window.after, selector)
        actual = "no series" if value is None else f"{value:g}"
        return Verdict(agrees(wanted.value, value), f"= {shown(wanted.value)}", actual)
    delta = window.change(selector)
    if wanted is _UNSAID:
        return Verdict(delta != 0, "any change", signed(delta))
    return Verdict(agrees(wanted, delta), _change(wanted), signed(delta))


def _of_number(number: int, wanted: object) -> Verdict:
    if wanted is _UNSAID:
        return Verdict(number > 0, "at least 1", str(number))
    return Verdict(agrees(wanted, number), shown(wanted), str(number))


def _change(wanted: object) -> str:
    return signed(float(wanted)) if isinstance(wanted, Real) else shown(wanted)
