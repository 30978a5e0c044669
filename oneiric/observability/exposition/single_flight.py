"""Compute once what many ask for at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from oneiric.core.concurrency import BackgroundThread, renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")

CROWD: Final = 8
"""How many must wait for a value for it to be given to those too who ask only after its computation began."""

MAX_WAITING: Final = 512
"""Different keys that may wait; whoever asks for another one is refused at once."""

_MAX_PAUSE_SECONDS: Final = 0.1
_MAX_KEPT: Final = 4


class SingleFlight(Generic[K, T]):
    """Compute values in a thread of their own, which is there only while somebody waits.

    Whoever asks before a computation began shares it; a computation is for every key that is asked for by then. Who
    asks later waits for the next one, so that he gets nothing from before he asked, unless a crowd shares it. Computing
    takes at most half of the time. Thread-safe; in a forked child nothing is waited for and nothing is kept.

    Args:
        compute: Returns the values of some keys; what it raises is raised by the future of each. A key that it leaves
            out is computed first the next time, for as long as somebody waits for it.
        name: Of the thread.
        timeout: Seconds after which a computation counts as hanging, and nobody waits for its end, or for his key's
            turn, any more.
        reuse: Seconds for which a value that :data:`CROWD` or more waited for is given to others too, twice that while
            the next one is computed; 0: never.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        compute: Callable[[Iterable[K]], Mapping[K, T]],
        *,
        name: str,
        timeout: float,
        reuse: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout = timeout
        self._compute = compute
        self._name = name
        self._reuse = reuse
        self._clock = clock
        self._next = 0.0
        self._renew()
        renew_after_fork(self._renew)

    def ask(self, key: K) -> Future[T]:
        """Return what will have the value of *key*; TimeoutError in it, at once, where there is no use in waiting."""
        with self._lock:
            now, flight = self._clock(), self._current
            future: _Asked[T] = _Asked(now)
            kept = self._kept.get(key)
            if kept is not None and now < kept.until + (self._reuse if self._is_renewing(key) else 0.0):
                future.set_result(kept.value)
                self._use(key, kept, now)
            elif flight is not None and now - flight.began > self.timeout:
                future.set_exception(self._late())
            elif flight is not None and key in flight.crowded:
                flight.waiting[key].append(future)
            elif len(self._waiting) >= MAX_WAITING and key not in self._waiting:
                future.set_exception(TimeoutError(f"{MAX_WAITING} others wait for something else"))
            else:
                self._waiting.setdefault(key, []).append(future)
                self._ensure_thread()
        return future

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[K, list[_Asked[T]]] = {}
        self._kept: dict[K, _Kept[T]] = {}
        self._thread = BackgroundThread(self._name)
        self._current: _Flight[K, T] | None = None

    def _late(self) -> TimeoutError:
        return TimeoutError(f"no end after {self.timeout:g} s")

    def _is_renewing(self, key: K) -> bool:
        return self._current is not None and key in self._current.waiting

    def _use(self, key: K, kept: _Kept[T], now: float) -> None:
        """Count a use, and have the next value ready before a crowd has to wait for it."""
        kept.uses += 1
        is_under_way = self._current is not None or key in self._waiting
        if kept.uses >= CROWD and now >= kept.renewed_from and not is_under_way:
            self._waiting[key] = []
            self._ensure_thread()

    def _ensure_thread(self) -> None:
        if not self._thread.claim(self._run):
            return
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had, at the end of the interpreter for instance
            waiting, self._waiting = self._waiting, {}
            for future in (future for futures in waiting.values() for future in futures):
                future.set_exception(error)

    def _run(self) -> None:
        while (flight := self._take()) is not None:
            try:
                values = self._compute(tuple(flight.waiting))
            except BaseException as error:  # noqa: BLE001 - it belongs to those who asked; this thread goes on
                self._land(flight, {})
                for future in (future for futures in flight.waiting.values() for future in futures):
                    future.set_exception(error)
            else:
                self._land(flight, {key: values[key] for key in flight.crowded if key in values})
                late = self._put_back({key: flight.waiting[key] for key in flight.waiting if key not in values})
                for future in late:
                    future.set_exception(self._late())
                for key, value in values.items():
                    for future in flight.waiting[key]:
                        future.set_result(value)

    def _put_back(self, left: Mapping[K, list[_Asked[T]]]) -> list[_Asked[T]]:
        """Have what was *left* out wait before everything else; return the futures that waited long enough."""
        if not left:
            return []
        with self._lock:
            due = self._clock() - self.timeout
            waiting = {key: kept for key in left if (kept := [asked for asked in left[key] if asked.since > due])}
            for key, futures in self._waiting.items():
                waiting.setdefault(key, []).extend(futures)
            self._waiting = waiting
        return [asked for futures in left.values() for asked in futures if asked.since <= due]

    def _take(self) -> _Flight[K, T] | None:
        with self._lock:
            pause = self._next - self._clock() if self._waiting else 0.0
        if pause > 0:
            time.sleep(min(pause, _MAX_PAUSE_SECONDS))
        with self._lock:
            if not self._waiting:
                self._thread.leave()
                return None
            waiting, self._waiting = self._waiting, {}
            crowded = frozenset(key for key, futures in waiting.items() if len(futures) >= CROWD or not futures)
            self._current = _Flight(waiting, crowded if self._reuse > 0 else frozenset(), self._clock())
            return self._current

    def _land(self, flight: _Flight[K, T], crowded: Mapping[K, T]) -> None:
        with self._lock:
            now, self._current = self._clock(), None
            duration = now - flight.began
            self._next = now + min(duration, _MAX_PAUSE_SECONDS)
            self._kept = {key: kept for key, kept in self._kept.items() if now < kept.until and key not in crowded}
            for key, value in crowded.items():
                if len(self._kept) < _MAX_KEPT:
                    self._kept[key] = _Kept(value, now + self._reuse - 2 * duration, now + self._reuse)


class _Asked(Future[T]):
    """What will have a value that is waited for *since* then; nobody can cancel it, as others share the computation."""

    def __init__(self, since: float) -> None:
        super().__init__()
        self.since = since
        self.set_running_or_notify_cancel()


@dataclass(slots=True)
class _Kept(Generic[T]):
    value: T
    renewed_from: float
    until: float
    uses: int = 0


@dataclass(frozen=True, slots=True)
class _Flight(Generic[K, T]):
    """A computation; whoever asks for one of the *crowded* keys only now gets its value too."""

    waiting: dict[K, list[_Asked[T]]]
    crowded: frozenset[K]
    began: float
