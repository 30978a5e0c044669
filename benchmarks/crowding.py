"""What a page costs where fifty clients scrape at once, each with a fresh connection for each page.

Both servers are programs of their own and serve the same 2,000 series; the clients share one thread of this program.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, cast

from benchmarks._crowd import Scrapers
from benchmarks._measure import in_turns
from benchmarks._report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks._measure import Effort, Ratios, Subject

ROWS = (Row(name="crowd", what="a page for each of 50 clients at once vs start_http_server"),)
CLIENTS = 50
SECONDS = 0.5
KINDS = ("ours", "theirs")


def measure(effort: Effort) -> Ratios:
    """Return the ratios of the row."""
    with ExitStack() as stack:
        ports = {kind: stack.enter_context(_serving(kind)) for kind in KINDS}
        subjects = {kind: _seconds_a_page(port, SECONDS * max(effort.scale, 0.2)) for kind, port in ports.items()}
        return {"crowd": [r["ours"] / r["theirs"] for r in in_turns(subjects, effort.rounds)]}


def _seconds_a_page(port: int, seconds: float) -> Subject:
    def measured() -> float:
        scrapers = Scrapers(port, CLIENTS)
        scrapers.run(seconds)
        return seconds / max(len(scrapers.seconds) - scrapers.broken, 1)

    return measured


@contextmanager
def _serving(kind: str) -> Iterator[int]:
    """Run a server in a program of its own and yield its port."""
    command = [sys.executable, "-m", "benchmarks._crowded", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        serving, port = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        with serving:
            yield int(port.readline())
