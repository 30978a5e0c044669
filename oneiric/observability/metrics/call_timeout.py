"""Call foreign code, and wait for it only so long."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

COLLECT_SECONDS: Final = 2.0
"""How long the collectors of a scrape, or the sources of states, may take."""

SLOW_SECONDS: Final = 0.2
"""From when on the others do not wait for a call."""

MAX_AT_ONCE: Final = 16
"""Calls made at once when one is slow."""


class CallTimeout(Generic[K, T]):
    """Calls made in threads of their own, all of them waited for *seconds* together; thread-safe.

    A call that hangs keeps its thread, and is not made again before it has returned: there are never more threads than
    calls that hang, and MAX_AT_ONCE.

    Args:
        seconds: How long the calls may take.
    """

    def __init__(self, seconds: float = COLLECT_SECONDS) -> None:
        self._seconds = seconds
        self._hanging: dict[K, _Round[T]] = {}

    def call(self, calls: Sequence[tuple[K, Callable[[], T]]]) -> Iterator[tuple[K, T | BaseException]]:
        """Make the *calls* and yield the key of each with what was returned or raised.

        They are made one after the other until one is slow, and the others at the same time then. A call that did not
        return in time, now or when it was made last, yields a TimeoutError.
        """
        deadline = time.monotonic() + self._seconds
        free = []
        for key, call in calls:
            if self._hangs(key):
                yield key, TimeoutError(f"has not returned since it was asked last, over {self._seconds} s ago")
            else:
                free.append((key, call))
        first = _Round(free)
        for place, (key, _) in enumerate(free):
            try:
                outcome = first.next(min(SLOW_SECONDS, _left(deadline)))
            except Empty:
                first.give_up()
                rounds = [_Round(free[place + 1 :][start::MAX_AT_ONCE]) for start in range(MAX_AT_ONCE)]
                yield from self._outcomes(first, [key], deadline)
                for round_ in rounds:
                    yield from self._outcomes(round_, round_.keys, deadline)
                return
            yield key, outcome

    def _outcomes(self, round_: _Round[T], keys: Sequence[K], deadline: float) -> Iterator[tuple[K, T | BaseException]]:
        for place, key in enumerate(keys):
            try:
                outcome = round_.next(_left(deadline))
            except Empty:
                self._hanging[key] = round_
                round_.give_up()
                yield key, TimeoutError(f"did not return within {self._seconds} s")
                for late in keys[place + 1 :]:
                    yield late, TimeoutError(f"could not be asked within {self._seconds} s")
                return
            yield key, outcome

    def _hangs(self, key: K) -> bool:
        round_ = self._hanging.get(key)
        if round_ is None:
            return False
        if round_.is_alive():
            return True
        self._hanging.pop(key, None)
        return False


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


class _Round(Generic[T]):
    """A thread that makes calls until it is given up."""

    def __init__(self, calls: Sequence[tuple[Any, Callable[[], T]]]) -> None:
        self.keys = [key for key, _ in calls]
        self._calls = [call for _, call in calls]
        self._outcomes: SimpleQueue[T | BaseException] = SimpleQueue()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="oneiric-collect", daemon=True)
        if calls:
            self._start()

    def next(self, seconds: float) -> T | BaseException:
        """Return what the next call returned or raised; raises Empty if that takes longer than *seconds*."""
        return self._outcomes.get(timeout=seconds)

    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def give_up(self) -> None:
        """Make no further call."""
        self._given_up = True

    def _start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter ends, or there is no thread to be had: then as long as it takes
            self._run()

    def _run(self) -> None:
        for call in self._calls:
            if self._given_up:
                return
            try:
                outcome: T | BaseException = call()
            except BaseException as error:  # noqa: BLE001 - isolation is the job; what leaves a thread is printed
                outcome = error
            self._outcomes.put(outcome)
