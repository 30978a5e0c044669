"""Ask foreign code for something, and wait for it only so long."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

COLLECT_SECONDS: Final = 2.0
"""How long a collector, or a source of states, may take."""


class Patience(Generic[K, T]):
    """Calls made in a thread of their own, each waited for *seconds* at most; thread-safe.

    A call that hangs keeps its thread, and is not made again before it has returned: there are never more threads than
    calls that hang, and one.

    Args:
        seconds: How long a call may take.
    """

    def __init__(self, seconds: float = COLLECT_SECONDS) -> None:
        self._seconds = seconds
        self._hanging: dict[K, _Round[T]] = {}

    def call(self, calls: Sequence[tuple[K, Callable[[], T]]]) -> Iterator[tuple[K, T | BaseException]]:
        """Make the *calls* one after the other and yield the key of each with what was returned or raised.

        A call that did not return in time, now or when it was made last, yields a TimeoutError.
        """
        left = list(calls)
        while left:
            free = []
            for key, call in left:
                if self._hangs(key):
                    yield key, TimeoutError(f"has not returned since it was asked last, over {self._seconds} s ago")
                else:
                    free.append((key, call))
            left = []
            round_ = _Round([call for _, call in free])
            for place, (key, _) in enumerate(free):
                try:
                    outcome = round_.next(self._seconds)
                except Empty:
                    self._hanging[key] = round_
                    round_.give_up()
                    yield key, TimeoutError(f"did not return within {self._seconds} s")
                    left = free[place + 1 :]
                    break
                yield key, outcome

    def _hangs(self, key: K) -> bool:
        round_ = self._hanging.get(key)
        if round_ is None:
            return False
        if round_.is_alive():
            return True
        self._hanging.pop(key, None)
        return False


class _Round(Generic[T]):
    """A thread that makes calls until it is given up."""

    def __init__(self, calls: Sequence[Callable[[], T]]) -> None:
        self._calls = calls
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
