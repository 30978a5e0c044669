"""Metric families and their labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from oneiric.core.events import Event, State

OTHER = "_other"
"""Stands for the open label values of every label set over a metric's series budget."""

MetricType = Literal["counter", "histogram", "gauge"]
Stability = Literal["plan", "beta"]
Driver = Literal["sync", "probe", "scan"]


class CatalogueError(ValueError):
    """A catalogue contradicts itself or the events it binds; the text names the signal and what is wrong."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label; its name is that of an event field.

    Attributes:
        name: The label's name.
        values: The values it can have when they are enumerated, else ().
        open: Its values come from outside, and over the series budget those that are not in *values* are folded.
    """

    name: str
    values: tuple[str, ...] = ()
    open: bool = False

    @classmethod
    def of(cls, record: type[Event | State], name: str) -> Label:
        """Return the label of the field *name* of *record*, with the values that the field's Literal enumerates.

        Raises:
            CatalogueError: *record* has no such field, or its type is no Literal.
        """
        values = literals(record, name)
        if not values:
            raise CatalogueError(f"{record.__name__}.{name}: must be a field whose type is a Literal of its values")
        return cls(name, values)


def literals(record: type, name: str) -> tuple[str, ...]:
    """Return the values that the Literal type of the field *name* of *record* enumerates, () for another type."""
    hint = _hints(record).get(name)
    return get_args(hint) if get_origin(hint) is Literal else ()


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


_made = count()


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family.

    A catalogue has its metrics in the order in which they are made.

    Attributes:
        name: Full name, a counter's with ``_total``.
        type: counter, histogram or gauge.
        help: One sentence for the exposition.
        labels: Its labels in order.
        buckets: Upper bounds of a histogram's buckets in the metric's unit, +Inf left out.
        stability: ``plan``: name, type and labels are frozen for good; ``beta`` otherwise.
        fold: How gauge values over the series budget combine: their sum, the smallest, or the smallest but 0
            (``oldest``).
        merge: How gauge values of several processes combine: their sum, the largest, the smallest, the smallest but 0
            (``oldest``), or not at all: each process shows its own.
        part_of: The metric of the same type and unit that counts whatever this one counts, so that their quotient is
            at most 1.
        moved_by: What moves it at an interval of its own: synchronisations, health probes or scans of the cache;
            None: the runtime's work. For a timestamp, its age is at most that interval while all is well.
        unused: Why no rule and no panel asks for it; ``oneiric monitoring check --complete`` holds it to the truth.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    stability: Stability = "beta"
    fold: Literal["sum", "min", "oldest"] = "sum"
    merge: Literal["sum", "max", "min", "oldest", "own"] = "sum"
    part_of: Metric | None = None
    moved_by: Driver | None = None
    unused: str = ""
    number: int = field(default_factory=_made.__next__, init=False, repr=False, compare=False)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels, in order."""
        return tuple(label.name for label in self.labels)

    @property
    def foldable(self) -> bool:
        """Whether it has an open label, and so a series budget."""
        return any(label.open for label in self.labels)

    def folded(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the label set that *labels* count in over the budget: enumerated values stay, other open ones go."""
        return tuple(
            [
                OTHER if label.open and value not in label.values else value
                for label, value in zip(self.labels, labels, strict=True)
            ]
        )
