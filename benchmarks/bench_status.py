"""What one persisted change of a component's status costs, with 1 and with 10,000 components.

Compared with rewriting the whole JSON list, with and without waiting for the disk. Run it with
``python benchmarks/bench_status.py``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core._status_file import StatusFile
from oneiric.core.files import write_atomic
from oneiric.core.lifecycle import LifecycleStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MANY = 10_000
ROUNDS = 7


def main() -> None:
    """Print the cost of a change and the ratios."""
    with tempfile.TemporaryDirectory() as directory:
        slots = {count: slot_change(Path(directory) / f"slots-{count}.json", count) for count in (1, MANY)}
        plain = {count: rewrite(Path(directory) / f"plain-{count}.json", count, sync=False) for count in (1, MANY)}
        synced = {count: rewrite(Path(directory) / f"synced-{count}.json", count, sync=True) for count in (1, MANY)}
    print(f"{'one persisted change':36}{'1 component':>16}{f'{MANY} components':>20}{'ratio':>10}")
    for name, cost in (
        ("one page in place", slots),
        ("whole list, rename", plain),
        ("whole list, fsync and rename", synced),
    ):
        print(f"{name:36}{cost[1] * 1e6:13.1f} us{cost[MANY] * 1e6:17.1f} us{cost[MANY] / cost[1]:9.1f}x")
    print(f"with {MANY} components, in place is {plain[MANY] / slots[MANY]:.0f} times cheaper than the whole list")


def entries_of(count: int) -> dict[Hashable, dict[str, object]]:
    """Return *count* entries as they are after many swaps."""
    status = LifecycleStatus("adapter", "cache", state="ready", recent_swap_durations_ms=[12.345] * 20)
    return {f"k{index}": {**status.as_dict(), "key": f"k{index}"} for index in range(count)}


def slot_change(path: Path, count: int) -> float:
    """Return the seconds of one change in a file of *count* slots."""
    entries = entries_of(count)
    file = StatusFile(path)
    file.rewrite(entries)
    key = f"k{count - 1}"
    seconds = timed(lambda: file.save(key, entries[key], lambda: entries), repeat=2000)
    file.close()
    return seconds


def rewrite(path: Path, count: int, *, sync: bool) -> float:
    """Return the seconds of writing a list of *count* entries anew."""
    entries = list(entries_of(count).values())
    temporary = path.with_suffix(".tmp")

    def change() -> None:
        data = json.dumps(entries).encode()
        if sync:
            write_atomic(path, data)
        else:
            temporary.write_bytes(data)
            temporary.replace(path)

    return timed(change, repeat=max(200 // count, 2))


def timed(change: Callable[[], object], *, repeat: int) -> float:
    """Return the median seconds of *change* over several rounds of *repeat*."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(repeat):
            change()
        rounds.append((time.perf_counter() - started) / repeat)
    return statistics.median(rounds)


if __name__ == "__main__":
    main()
