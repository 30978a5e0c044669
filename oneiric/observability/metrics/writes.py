"""How one record changes the series of one metric; compiled from the catalogue's bindings."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from oneiric.observability.fields import getter, label_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneiric.core.events import Event
    from oneiric.observability.metrics.cells import CounterLike, Family, HistogramLike
    from oneiric.observability.metrics.exemplar import Exemplar
    from oneiric.observability.metrics.labels import LabelSet
    from oneiric.observability.model import Count, Gone, Observe, Signal

Write: TypeAlias = "Callable[[Any, Exemplar | None], None]"
AnyFamily: TypeAlias = "Family[CounterLike] | Family[HistogramLike]"


def counting(signal: Signal, binding: Count, at: Callable[[LabelSet], CounterLike | None]) -> Write:
    """Return what adds to the counter of *binding*, in the cell that *at* has for its labels, if any."""
    labels_of = label_values(signal.event, binding.metric.label_names, binding.const)
    amount_of = getter(signal.event, binding.amount) if binding.amount else _one

    def count(event: Any, _: Exemplar | None) -> None:
        cell = at(labels_of(event))
        if cell is not None:
            cell.add(float(amount_of(event)))

    return count


def observing(signal: Signal, binding: Observe, at: Callable[[LabelSet], HistogramLike | None]) -> Write:
    """Return what puts a duration into the histogram of *binding*, in the cell that *at* has for its labels, if any."""
    labels_of = label_values(signal.event, binding.metric.label_names, binding.const)
    scale = binding.scale

    def observe(event: Any, exemplar: Exemplar | None) -> None:
        cell = at(labels_of(event))
        if cell is not None:
            cell.observe(event.duration * scale, exemplar)

    return observe


def preparing(signal: Signal, families: Iterable[AnyFamily], make_known: Callable[[dict[str, str]], None]) -> Write:
    """Return what starts at 0 the series that an event of *signal* makes known, and calls *make_known* first."""
    names = signal.known
    known_families = [family for family in families if family.determined_by(frozenset(names))]

    def prepare(event: Event, _: Exemplar | None) -> None:
        known = {name: getattr(event, name) for name in names}
        make_known(known)
        for family in known_families:
            family.prepare(known)

    return prepare


class Retire(Protocol):
    """Retires what has *labels*; with *gauges*, no gauge shows it any more."""

    def __call__(self, labels: dict[str, str], *, gauges: bool) -> None:
        """Retire it."""


def removing(gone: Gone, families: Iterable[AnyFamily], retire: Retire) -> Write:
    """Return what retires the series that an event says are over, and removes them."""
    own_families = [family for family in families if set(gone.labels) <= set(family.metric.label_names)]
    applies = attrgetter(gone.when) if gone.when else None

    def remove(event: Event, _: Exemplar | None) -> None:
        if applies is not None and not applies(event):
            return
        labels = {name: getattr(event, name) for name in gone.labels}
        retire(labels, gauges=gone.gauges)
        for family in own_families:
            family.forget(labels)

    return remove


def _one(_: Any) -> float:
    return 1.0
