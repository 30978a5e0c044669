"""What the dashboards show that is not of Oneiric's catalogue: the process and the scrape it is seen by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UP = "up"
ALERTS = "ALERTS"
CPU = "process_cpu_seconds_total"
MEMORY = "process_resident_memory_bytes"
VIRTUAL_MEMORY = "process_virtual_memory_bytes"
OPEN_FILES = "process_open_fds"
MAX_FILES = "process_max_fds"
STARTED = "process_start_time_seconds"
COLLECTIONS = "python_gc_collections_total"

HELP = {
    UP: "Whether Prometheus could scrape the target at the last try.",
    ALERTS: "Alerts that Prometheus holds to be pending or firing.",
    CPU: "Processor time of the process, of the user and of the system.",
    MEMORY: "Memory of the process that is resident.",
    VIRTUAL_MEMORY: "Address space of the process.",
    OPEN_FILES: "File descriptors that the process holds open.",
    MAX_FILES: "File descriptors that the process may hold open.",
    STARTED: "When the process started.",
    COLLECTIONS: "Runs of Python's garbage collector.",
}
"""What each means, by its name."""


def described(texts: Iterable[str]) -> dict[str, str]:
    """Return the help of each of these that the queries *texts* name."""
    words = {word for text in texts for word in re.findall(r"\b[a-zA-Z_]+\b(?=\{)", text)}
    return {name: text for name, text in HELP.items() if name in words}
