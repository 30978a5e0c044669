"""Counts that the processes of one service keep in files and show together."""

from oneiric.observability.metrics.shared.cells import SharedCounterCell, SharedHistogramCell
from oneiric.observability.metrics.shared.directory import clear_shared_directory, shared_directory
from oneiric.observability.metrics.shared.format import CorruptFileError
from oneiric.observability.metrics.shared.sharing import COLLECTOR, Budgeted, Sharing

__all__ = [
    "COLLECTOR",
    "Budgeted",
    "CorruptFileError",
    "SharedCounterCell",
    "SharedHistogramCell",
    "Sharing",
    "clear_shared_directory",
    "shared_directory",
]
