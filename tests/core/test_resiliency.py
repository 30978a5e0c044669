"""Trying again, and the circuit breaker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.resiliency import (
    AdaptiveRetryState,
    CircuitBreaker,
    CircuitBreakerOpen,
    delay_before_retry,
    run_with_retry,
)

if TYPE_CHECKING:
    from support import Clock


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> str:
        """Fail or answer."""
        self.calls += 1
        if self.calls <= self.failures:
            raise OSError(f"failure {self.calls}")
        return "answer"


async def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    """Let calls fail."""
    for _failure in range(times):
        with pytest.raises(OSError, match="failure 1"):
            await breaker.call(Flaky(1))


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """A circuit that opens after two failures, for ten seconds."""
    return CircuitBreaker(name="c", failure_threshold=2, recovery_time=10.0, clock=clock)


async def test_a_circuit_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    """The failure that opens it is the real one; the next call is refused without being made."""
    await fail(breaker)
    assert not breaker.is_open
    await fail(breaker)
    assert breaker.is_open
    unused = Flaky(0)
    with pytest.raises(CircuitBreakerOpen, match=r"^circuit 'c' open; retry after 10\.00s$") as raised:
        await breaker.call(unused)
    assert (raised.value.name, raised.value.retry_after, unused.calls) == ("c", 10.0, 0)


async def test_a_success_forgets_the_failures(breaker: CircuitBreaker) -> None:
    """Only failures in a row count."""
    await fail(breaker)
    assert await breaker.call(Flaky(0)) == "answer"
    await fail(breaker)
    assert not breaker.is_open


async def test_one_trial_closes_the_circuit(breaker: CircuitBreaker, clock: Clock) -> None:
    """After the recovery time a call is let through, and its success closes the circuit."""
    await fail(breaker, 2)
    clock.advance(9.9)
    assert breaker.is_open
    clock.advance(0.1)
    assert not breaker.is_open
    assert await breaker.call(Flaky(0)) == "answer"
    await fail(breaker)
    assert not breaker.is_open


async def test_a_failed_trial_opens_the_circuit_again(breaker: CircuitBreaker, clock: Clock) -> None:
    """One failed trial is enough."""
    await fail(breaker, 2)
    clock.advance(10)
    await fail(breaker)
    assert (breaker.is_open, breaker.retry_after) == (True, 10.0)


async def test_only_one_trial_is_made_at_a_time(breaker: CircuitBreaker, clock: Clock) -> None:
    """While a trial is on its way, others are refused."""
    await fail(breaker, 2)
    clock.advance(10)
    begun, done = asyncio.Event(), asyncio.Event()

    async def trial() -> None:
        begun.set()
        await done.wait()

    task = asyncio.create_task(breaker.call(trial))
    await begun.wait()
    with pytest.raises(CircuitBreakerOpen, match=r"retry after 10\.00s$"):  # as if the trial failed
        await breaker.call(Flaky(0))
    assert breaker.retry_after == 10.0
    done.set()
    await task
    assert not breaker.is_open


async def test_a_cancelled_trial_counts_as_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    """A cancelled trial makes way for the next one."""
    await fail(breaker, 2)
    clock.advance(10)
    task = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await breaker.call(Flaky(0)) == "answer"


async def test_the_recovery_time_grows_where_it_may(clock: Clock) -> None:
    """Each failed trial doubles it up to the longest one; a success sets it back."""
    breaker = CircuitBreaker(name="c", failure_threshold=1, recovery_time=10.0, max_recovery_time=25.0, clock=clock)
    waits = []
    for _trial in range(4):
        await fail(breaker)
        waits.append(breaker.retry_after)
        clock.advance(breaker.retry_after)
    await breaker.call(Flaky(0))
    await fail(breaker)
    assert [*waits, breaker.retry_after] == [10.0, 20.0, 25.0, 25.0, 10.0]


def test_a_threshold_below_one_is_refused() -> None:
    """A circuit that opens without a failure makes no sense."""
    with pytest.raises(ValueError, match="failure_threshold must be at least 1, got 0"):
        CircuitBreaker(name="c", failure_threshold=0)


def test_a_refusal_never_waits_less_than_nothing() -> None:
    """The time to wait is at least 0."""
    assert CircuitBreakerOpen("c", -1.0).retry_after == 0


async def retry(op: Flaky, attempts: int, **options: object) -> tuple[str, list[float]]:
    """Run *op* with retries and return its answer with the delays."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    arguments = {"attempts": attempts, "jitter": 0.0, "sleep": sleep} | options
    return await run_with_retry(op, **arguments), delays  # type: ignore[arg-type]  # chosen by each test


async def test_tries_again_with_growing_delays() -> None:
    """The delay doubles from try to try, up to the longest one."""
    assert await retry(Flaky(4), 5, max_delay=3.0) == ("answer", [1.0, 2.0, 3.0, 3.0])


async def test_a_base_delay_of_nothing_is_nothing() -> None:
    """Zero means zero."""
    assert await retry(Flaky(2), 3, base_delay=0.0) == ("answer", [0.0, 0.0])


async def test_the_last_error_is_raised() -> None:
    """When all tries failed, the last error comes out."""
    flaky = Flaky(9)
    with pytest.raises(OSError, match="failure 3"):
        await retry(flaky, 3)
    assert flaky.calls == 3


async def test_an_error_that_does_not_pass_is_raised_at_once() -> None:
    """What will fail again is not tried again."""
    flaky = Flaky(9)
    with pytest.raises(OSError, match="failure 1"):
        await retry(flaky, 3, passing=lambda _error: False)
    assert flaky.calls == 1


async def test_each_further_try_is_told() -> None:
    """Whoever asks is told the error and the delay."""
    told: list[tuple[str, float]] = []
    await retry(Flaky(1), 3, on_retry=lambda error, delay: told.append((str(error), delay)))
    assert told == [("failure 1", 1.0)]


async def test_at_least_one_attempt_is_asked_for() -> None:
    """No attempt at all is a mistake."""
    with pytest.raises(ValueError, match="attempts must be at least 1, got 0"):
        await retry(Flaky(0), 0)


async def test_what_is_not_async_works_too(breaker: CircuitBreaker) -> None:
    """A plain function can be tried and guarded."""
    assert await run_with_retry(lambda: 1) == 1  # type: ignore[arg-type, return-value]
    assert await breaker.call(lambda: 2) == 2  # type: ignore[arg-type, return-value]


@given(attempt=st.integers(1, 10_000), base=st.floats(0, 1e6), longest=st.floats(0, 1e6), jitter=st.floats(0, 10))
def test_a_delay_is_never_negative_nor_too_long(attempt: int, base: float, longest: float, jitter: float) -> None:
    """Whatever the settings, a delay is from 0 to the longest one."""
    assert 0 <= delay_before_retry(attempt, base_delay=base, max_delay=longest, jitter=jitter) <= longest


def test_a_retry_state_begins_empty() -> None:
    """Nothing was tried yet."""
    assert AdaptiveRetryState() == AdaptiveRetryState(0, 0, 0, None)
