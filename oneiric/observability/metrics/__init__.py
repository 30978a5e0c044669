"""The metrics: counted from events, read from the state at a scrape."""

from oneiric.observability.metrics.backlog import interrupts_counting
from oneiric.observability.metrics.call_timeout import Patience
from oneiric.observability.metrics.exemplar import Exemplar
from oneiric.observability.metrics.families import Distribution, Snapshot, SnapshotFamily, restricted, sample_names
from oneiric.observability.metrics.labels import LabelSet
from oneiric.observability.metrics.sink import PrometheusSink
from oneiric.observability.metrics.yield_points import Breaks, ask_for_way

__all__ = [
    "Breaks",
    "Distribution",
    "Exemplar",
    "LabelSet",
    "Patience",
    "PrometheusSink",
    "Snapshot",
    "SnapshotFamily",
    "ask_for_way",
    "interrupts_counting",
    "restricted",
    "sample_names",
]
