"""Measure subjects in turns, so that whatever disturbs the machine meets all of them."""

from __future__ import annotations

import contextlib
import gc
import time
import timeit
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Subject: TypeAlias = "Callable[[], float]"
"""Does its work once and returns the seconds that it took."""

Ratios: TypeAlias = "dict[str, list[float]]"
"""The ratios of every round by the name of the row."""


PROCESSOR = time.process_time
"""Seconds of all threads: counts what is deferred to one of them, and nothing of other programs on a busy machine."""

ELAPSED = time.perf_counter
"""Seconds, waiting included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: Times that every subject gets its turn.
        scale: Share of the usual work of a turn, from 1 down to 0.
    """

    rounds: int = 21
    scale: float = 1.0

    def of(self, usual: int) -> int:
        """Return how much work to do where *usual* is usual; at least 1."""
        return max(int(usual * self.scale), 1)


QUICK = Effort(rounds=2, scale=0.02)
"""Enough to see that every row can be measured; its figures mean nothing."""


def in_turns(subjects: Mapping[str, Subject], rounds: int) -> Iterator[dict[str, float]]:
    """Yield the seconds of each subject, round by round, after one round that only warms up.

    Every round begins with another subject; nothing is collected while one is measured.
    """
    names = list(subjects)
    for number in range(-1, rounds):
        first = number % len(names)
        gc.collect()
        with _no_collection():
            seconds = {name: subjects[name]() for name in names[first:] + names[:first]}
        if number >= 0:
            yield seconds


def loop(statement: str, number: int, **names: object) -> Subject:
    """Return what runs *statement*, in which *names* are local variables, *number* times."""
    setup = "; ".join(f"{name} = _{name}" for name in names) or "pass"
    timer = timeit.Timer(
        statement, setup, timer=PROCESSOR, globals={f"_{name}": value for name, value in names.items()}
    )
    return lambda: timer.timeit(number)


def once(work: Callable[[], object], *, clock: Callable[[], float] = PROCESSOR) -> Subject:
    """Return what does *work*, timed by *clock*."""

    def seconds() -> float:
        started = clock()
        work()
        return clock() - started

    return seconds


def then(first: Subject, second: Subject) -> Subject:
    """Return what does both, and takes as long as both together."""
    return lambda: first() + second()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
