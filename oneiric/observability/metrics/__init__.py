"""The metrics: counted from events, read from the state at a scrape."""

from oneiric.observability.metrics.backlog import interrupts_counting
from oneiric.observability.metrics.call_timeout import CallTimeout
from oneiric.observability.metrics.exemplar import Exemplar
from oneiric.observability.metrics.families import Distribution, Snapshot, SnapshotFamily, restricted, sample_names
from oneiric.observability.metrics.labels import LabelSet
from oneiric.observability.metrics.sink import PrometheusSink
from oneiric.observability.metrics.yield_points import YieldPoints, request_yields

__all__ = [
    "CallTimeout",
    "Distribution",
    "Exemplar",
    "LabelSet",
    "PrometheusSink",
    "Snapshot",
    "SnapshotFamily",
    "YieldPoints",
    "interrupts_counting",
    "request_yields",
    "restricted",
    "sample_names",
]
