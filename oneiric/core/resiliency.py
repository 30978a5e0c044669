"""Meet failures that may pass: try again, and stop trying for a while when it does not help."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

T = TypeVar("T")


class CircuitBreakerOpen(Exception):  # noqa: N818 - published name
    """A call was refused because the circuit is open.

    Attributes:
        name: Name of the circuit.
        retry_after: Seconds until a call is let through again, at least 0.
    """

    def __init__(self, name: str, retry_after: float) -> None:
        self.name = name
        self.retry_after = max(0.0, retry_after)
        super().__init__(f"circuit '{name}' open; retry after {self.retry_after:.2f}s")


class CircuitBreaker:
    """Refuses calls for a while after too many have failed in a row.

    A success resets it. After the recovery time one trial is let through: its success closes the circuit, its failure
    opens it again, for twice as long each time up to *max_recovery_time*. A cancelled call counts as nothing. For the
    tasks of one event loop; the properties may be read from any thread.

    Args:
        name: Stands for the circuit in :class:`CircuitBreakerOpen`.
        failure_threshold: Failures in a row that open it, at least 1.
        recovery_time: Seconds until a trial is let through.
        adaptive_key: Kept as an attribute for the caller; changes nothing.
        max_recovery_time: Longest recovery time in seconds; None keeps it constant.
        clock: Monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - published signature
        self,
        *,
        name: str,
        failure_threshold: int = 5,
        recovery_time: float = 60.0,
        adaptive_key: str | None = None,
        max_recovery_time: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failure_threshold < 1:
            raise ValueError(f"failure_threshold must be at least 1, got {failure_threshold!r}")
        self.name = name
        self.adaptive_key = adaptive_key
        self._threshold = failure_threshold
        self._recovery_time = recovery_time
        self._max_recovery_time = max_recovery_time
        self._clock = clock
        self._failures = 0
        self._next_recovery = recovery_time
        self._open_until: float | None = None
        self._trial = False

    @property
    def is_open(self) -> bool:
        """Whether a call made now would be refused."""
        return self._open_until is not None and (self._trial or self._clock() < self._open_until)

    @property
    def retry_after(self) -> float:
        """Seconds until a call is let through, 0 when one would be now; during a trial, those if it should fail."""
        if self._trial:
            return self._next_recovery
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    async def call(self, func: Callable[[], Awaitable[T]]) -> T:
        """Return the result of *func*, or raise its error; CircuitBreakerOpen while open.

        A *func* that is not async works too. The call whose failure opens the circuit raises its own error.
        """
        if self.is_open:
            raise CircuitBreakerOpen(self.name, self.retry_after)
        self._trial = trial = self._open_until is not None
        try:
            value = await _settled(func())
        except Exception:
            self._failed()
            raise
        else:
            self._succeeded()
            return value
        finally:
            if trial:
                self._trial = False

    def _succeeded(self) -> None:
        self._failures, self._open_until, self._next_recovery = 0, None, self._recovery_time

    def _failed(self) -> None:
        self._failures += 1
        if self._failures < self._threshold:
            return
        self._open_until = self._clock() + self._next_recovery
        if self._max_recovery_time is not None:
            self._next_recovery = max(self._recovery_time, min(2 * self._next_recovery, self._max_recovery_time))


@dataclass
class AdaptiveRetryState:
    """What a caller remembers of the attempts made at one thing."""

    consecutive_failures: int = 0
    success_count: int = 0
    failure_count: int = 0
    last_latency_ms: float | None = None


async def run_with_retry(  # noqa: PLR0913 - published signature
    op: Callable[[], Awaitable[T]],
    *,
    attempts: int = 3,
    base_delay: float = 1.0,
    max_delay: float = 30.0,
    jitter: float = 0.25,
    adaptive_key: str | None = None,  # noqa: ARG001 - published; nothing adapts
    attributes: Mapping[str, object] | None = None,  # noqa: ARG001 - published; nothing is recorded here
    passing: Callable[[Exception], bool] = lambda _error: True,
    on_retry: Callable[[Exception, float], None] = lambda _error, _delay: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Return the result of *op*, trying up to *attempts* times; the last error is raised as it is.

    Args:
        op: What is tried; one that is not async works too.
        attempts: Tries in all, at least 1.
        base_delay: Seconds before the second try, doubled before each further one.
        max_delay: Longest delay in seconds, jitter included.
        jitter: Share of the delay by which it is shortened or lengthened at random.
        adaptive_key: Changes nothing.
        attributes: Change nothing.
        passing: Whether an error may pass; one that does not is raised at once.
        on_retry: Called with the error and the delay before each further try.
        sleep: Waits.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts!r}")
    for attempt in range(1, attempts):
        try:
            return await _settled(op())
        except Exception as error:
            if not passing(error):
                raise
            delay = delay_before_retry(attempt, base_delay=base_delay, max_delay=max_delay, jitter=jitter)
            on_retry(error, delay)
            await sleep(delay)
    return await _settled(op())


def delay_before_retry(attempt: int, *, base_delay: float, max_delay: float, jitter: float) -> float:
    """Return the seconds to wait after the failed *attempt* (from 1): exponential, at random within *jitter*."""
    exponent = min(attempt - 1, 62)  # beyond, every delay is the longest one, and a float would overflow
    spread = random.uniform(-jitter, jitter)  # noqa: S311 - spreads load, protects nothing
    return max(0.0, min(base_delay * 2.0**exponent * (1 + spread), max_delay))


async def _settled(result: Awaitable[T]) -> T:
    if inspect.isawaitable(result):
        return await result
    return result
