"""What is known of the result of an expression without evaluating it: its labels, its range, its unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from oneiric.monitoring.drift.findings import Level
    from oneiric.monitoring.drift.queries.vocabulary import Vocabulary
    from oneiric.observability.model import Metric

Nature = Literal["counter", "bucket", "rate", "bucket rate", "gauge", "age", "other"]
"""What values mean: a count so far, one a bucket, growth, growth a bucket, what is so now, how long ago, or else."""


class Interval(NamedTuple):
    """The smallest and the largest value that can be."""

    low: float = -inf
    high: float = inf

    def plus(self, other: Interval) -> Interval:
        """Return the interval of sums."""
        return _ordered(self.low + other.low, self.high + other.high)

    def minus(self, other: Interval) -> Interval:
        """Return the interval of differences."""
        return _ordered(self.low - other.high, self.high - other.low)

    def times(self, other: Interval) -> Interval:
        """Return the interval of products."""
        products = [_product(left, right) for left in self for right in other]
        return _ordered(min(products), max(products))

    def over(self, other: Interval) -> Interval:
        """Return the interval of quotients."""
        if other.low == other.high and other.low not in {0, inf, -inf}:
            return self.times(Interval(1 / other.low, 1 / other.low))
        return Interval(0.0) if self.low >= 0 and other.low >= 0 else Interval()

    def union(self, other: Interval) -> Interval:
        """Return the interval of both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


_ANY = Interval()


def _product(left: float, right: float) -> float:
    return 0.0 if 0 in {left, right} else left * right


def _ordered(low: float, high: float) -> Interval:
    return Interval(-inf if low != low else low, inf if high != high else high)  # noqa: PLR0124 - not a number


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of the result of an expression.

    Attributes:
        kind: vector, number or string.
        labels: Labels that its series can have; None: any.
        exact: Whether every one of its series has all of them.
        ours: Whether it is made of our metrics, so that it can be judged.
        nature: What its values mean.
        metric: The one metric that it is made of, or None.
        unit: What it is measured in, or "".
        interval: What its values can be.
        window: Seconds that it looks back, None when unknown.
        text: A string's characters.
        quantile: Whether it is a quantile of a histogram, which lies within the buckets.
        paced: Whether its interval is what the pace of synchronisations allows.
        once: Whether one event alone makes it true, for the window's length.
        step: What one event adds to it, or, of an age, one second; None where that is not known.
    """

    kind: Literal["vector", "number", "string"] = "vector"
    labels: frozenset[str] | None = None
    exact: bool = False
    ours: bool = False
    nature: Nature = "other"
    metric: Metric | None = None
    unit: str = ""
    interval: Interval = _ANY
    window: float | None = None
    text: str = ""
    quantile: bool = False
    paced: bool = False
    once: bool = False
    step: float | None = None

    def has(self, label: str) -> bool:
        """Whether its series can have *label*."""
        return self.labels is None or label in self.labels

    def level_of(self, label: str, vocabulary: Vocabulary) -> Level | None:
        """Return how grave it is to ask it for *label*, which it lacks: what was aggregated has no further labels."""
        labels = self.labels or frozenset()
        return vocabulary.level_of(label, labels) if vocabulary.target_labels <= labels else None

    def with_labels(self, labels: frozenset[str] | None, *, exact: bool | None = None) -> Value:
        """Return this with other *labels*."""
        return replace(self, labels=labels, exact=self.exact if exact is None else exact)


def scalar(value: float, unit: str = "") -> Value:
    """Return a number that is known."""
    return Value("number", frozenset(), exact=True, interval=Interval(value, value), unit=unit)


UNKNOWN = Value()
"""A vector of which nothing is known."""
