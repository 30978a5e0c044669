"""Expecting telemetry of a block: what holds, what fails, and what is refused."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core import events
from oneiric.core.lifecycle import LifecycleError
from oneiric.core.resolution import Candidate
from oneiric.testing import TelemetryCapture, UnknownSignalError, equals, event, metric, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.core.resolution import Resolver

SWAPS = "oneiric_lifecycle_swap_total"
SWAP_MS = "oneiric_lifecycle_swap_duration_ms"
PAUSES = "oneiric_activity_pause_events_total"
RESOLUTIONS = "oneiric_resolution_total"
PAUSED = events.Paused(domain="adapter", key="cache", note="maintenance")


async def fail(manager: LifecycleManager) -> None:
    """Let a swap fail."""
    with pytest.raises(LifecycleError):
        await manager.swap("adapter", "broken")


async def test_a_failed_swap_is_counted_logged_and_traced(
    oneiric_telemetry: TelemetryCapture, manager: LifecycleManager
) -> None:
    """One block can expect series, log events and spans at once, across what it awaits."""
    with oneiric_telemetry.expect(
        metric(SWAPS, domain="adapter", outcome="failed"),
        +1,
        metric(SWAPS, outcome="success"),
        0,
        metric(SWAP_MS),
        metric(f"{SWAP_MS}_count", key="broken"),
        1,
        metric(f"{SWAP_MS}_bucket", key="broken", le="+Inf"),
        1,
        metric("oneiric_lifecycle_components", domain="adapter", state="failed"),
        equals(1),
        event("swap-failed", key="broken", reason="factory", error=re.compile("^refused$"), trace_id=str.isalnum),
        event("swap-started"),
        1,
        event("swap-complete"),
        0,
        span("oneiric.lifecycle.swap", status="ERROR", key="broken"),
        span("oneiric.lifecycle.swap", outcome="success"),
        0,
    ):
        await fail(manager)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ((), True),
        ((2,), True),
        ((1,), False),
        ((0,), False),
        ((pytest.approx(2.1, abs=0.2),), True),
        ((lambda delta: delta > 1,), True),
        ((lambda delta: delta > 2,), False),
        ((equals(3),), True),
        ((equals(2),), False),
        ((equals(lambda value: value > 2),), True),
    ],
)
def test_the_change_of_a_metric(
    oneiric_telemetry: TelemetryCapture, resolver: Resolver, wanted: tuple[Any, ...], holds: bool
) -> None:
    """A number is by how much it changed, equals what it is at the end; labels not named are summed over."""
    resolver.resolve("adapter", "cache")
    expecting = oneiric_telemetry.expect(metric(RESOLUTIONS, domain="adapter"), *wanted)
    assert _holds(expecting, lambda: [resolver.resolve("adapter", key) for key in ("cache", "queue")]) is holds


@pytest.mark.parametrize(
    ("wanted", "holds"), [((), True), ((2,), True), ((1,), False), ((0,), False), ((lambda number: number > 1,), True)]
)
def test_the_number_of_log_events(oneiric_telemetry: TelemetryCapture, wanted: tuple[Any, ...], holds: bool) -> None:
    """A number after a log event is how many came; nothing means at least one."""
    expecting = oneiric_telemetry.expect(event("domain-paused", key="cache"), *wanted)

    def pause_twice() -> None:
        for _ in range(2):
            oneiric_telemetry.observers.notify(PAUSED)

    assert _holds(expecting, pause_twice) is holds


def test_nothing_said_of_what_did_not_come_fails(oneiric_telemetry: TelemetryCapture) -> None:
    """A metric that did not change, an event that did not come and a span that did not end each fail by themselves."""
    for selector in (metric(SWAPS), metric(SWAP_MS), event("swap-failed"), span("oneiric.lifecycle.swap")):
        assert not _holds(oneiric_telemetry.expect(selector), lambda: None)


def test_a_gauge_may_rise_fall_and_have_a_value(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """Of a gauge the change is expected with a number, below zero too, and the value with equals."""
    oneiric_telemetry.attach(resolver)
    active = metric("oneiric_resolver_candidates", domain="adapter", state="active")
    with oneiric_telemetry.expect(active, -1, active, equals(2)):
        resolver.unregister("adapter", "queue", "memory")
    assert oneiric_telemetry.value(active) == 2


def test_a_gauge_without_a_series_has_no_value(oneiric_telemetry: TelemetryCapture) -> None:
    """What cannot be read is None and not 0; a counter that never counted is 0."""
    gauge, counter = metric("oneiric_activity_paused_components"), metric(PAUSES)
    with oneiric_telemetry.expect(gauge, equals(None), counter, equals(0)):
        pass
    assert (oneiric_telemetry.value(gauge), oneiric_telemetry.value(counter)) == (None, 0.0)
    assert not _holds(oneiric_telemetry.expect(gauge, equals(0)), lambda: None)


def test_a_series_that_went_away_did_not_change(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """Unregistering a key removes its series and takes nothing from the sum; one that fell began anew at 0."""
    for key in ("cache", "queue", "queue", "queue"):
        resolver.resolve("adapter", key)
    with oneiric_telemetry.expect(metric(RESOLUTIONS), 1):
        resolver.unregister("adapter", "cache", "memory")
        resolver.resolve("adapter", "queue")
        resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    with oneiric_telemetry.expect(metric(RESOLUTIONS), 1):
        resolver.unregister("adapter", "queue", "memory")
        resolver.register(Candidate(domain="adapter", key="queue", provider="memory", factory=dict))
        resolver.resolve("adapter", "queue")


def test_what_else_comes_is_not_looked_at(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """Without exactly, only what is named counts."""
    with oneiric_telemetry.expect(metric(RESOLUTIONS, key="cache"), 1):
        resolver.resolve("adapter", "cache")
        resolver.resolve("adapter", "queue")


def test_exactly_refuses_what_else_comes(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """With exactly, every counter, histogram and log event has to be named; one sample names its histogram."""
    named = (
        metric(RESOLUTIONS, key="cache"),
        metric("oneiric_resolution_duration_seconds_bucket", key="cache", le=1),
        event("resolver-decision", key="cache"),
    )

    def resolve() -> None:
        resolver.resolve("adapter", "cache")

    assert _holds(oneiric_telemetry.expect(*named, exactly=True), resolve)
    for left_out in range(len(named)):
        rest = [selector for index, selector in enumerate(named) if index != left_out]
        assert not _holds(oneiric_telemetry.expect(*rest, exactly=True), resolve)


def test_that_a_line_was_written_is_not_something_else(oneiric_telemetry: TelemetryCapture) -> None:
    """A log event that was named is not counted a second time as a change of the counter of lines."""
    signatures = metric("oneiric_remote_signature_verifications_total", result="unsigned")
    lines = metric("oneiric_log_events_total", event="manifest-unsigned")
    with oneiric_telemetry.expect(signatures, event("manifest-unsigned"), exactly=True) as block:
        oneiric_telemetry.observers.notify(events.ManifestUnsigned(source="main"))
    assert block.delta(lines) == 1


async def test_exactly_refuses_other_spans(oneiric_telemetry: TelemetryCapture, manager: LifecycleManager) -> None:
    """With exactly, a span that was not named fails, and is shown as a test would name it."""
    message = r'span\("oneiric.lifecycle.swap", status="UNSET", domain="adapter"'
    with pytest.raises(AssertionError, match=message), oneiric_telemetry.expect(exactly=True):
        await manager.swap("adapter", "cache")


def test_nothing_can_be_expected(oneiric_telemetry: TelemetryCapture) -> None:
    """A block in which something is counted or logged fails under expect_nothing; gauges may change."""
    assert _holds(oneiric_telemetry.expect_nothing(), lambda: None)
    assert not _holds(oneiric_telemetry.expect_nothing(), lambda: oneiric_telemetry.observers.notify(PAUSED))


def test_the_error_of_the_body_is_the_one_that_is_seen(oneiric_telemetry: TelemetryCapture) -> None:
    """An error passes through unchanged; if something expected did not come, a note says so."""
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as seen, oneiric_telemetry.expect(event("swap-failed")):
        raise error
    assert seen.value is error
    assert error.__notes__[0].startswith("telemetry is not as expected (0 of 1 expectations held)")
    with pytest.raises(AssertionError, match="an expect block was left by ValueError, which was caught, and telemetry"):
        oneiric_telemetry.close()
    oneiric_telemetry.close()


async def test_an_error_may_be_caught_around_the_block(
    oneiric_telemetry: TelemetryCapture, manager: LifecycleManager
) -> None:
    """If the body raises and everything expected came, there is neither a note nor a failure at the end."""
    with pytest.raises(LifecycleError) as seen, oneiric_telemetry.expect(event("swap-failed")):
        await manager.swap("adapter", "broken")
    assert not hasattr(seen.value, "__notes__")
    oneiric_telemetry.close()


def test_a_known_error_is_not_told_twice(oneiric_telemetry: TelemetryCapture) -> None:
    """When the test failed by the error of its body, the end of the telemetry adds no second failure."""
    with pytest.raises(ValueError, match="mine"), oneiric_telemetry.expect(event("swap-failed")):
        raise ValueError("mine")
    oneiric_telemetry.close(failed=True)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, pytest.skip.Exception])
def test_an_interrupt_is_not_judged(oneiric_telemetry: TelemetryCapture, interrupt: type[BaseException]) -> None:
    """An interrupt, an exit or a skip in the block passes, and nothing is expected any more."""
    with pytest.raises(interrupt), oneiric_telemetry.expect(event("swap-failed")):
        raise interrupt("now")
    oneiric_telemetry.close()


async def test_a_cancellation_is_judged_like_an_error(oneiric_telemetry: TelemetryCapture) -> None:
    """A block that was cancelled before what was expected came fails in the end."""
    with pytest.raises(asyncio.CancelledError), oneiric_telemetry.expect(event("swap-failed")):
        raise asyncio.CancelledError
    with pytest.raises(AssertionError, match="left by CancelledError"):
        oneiric_telemetry.close()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ((), "nothing is expected"),
        ((1,), r"expected metric.* not 1"),
        (("swap-failed",), "expected metric.* not 'swap-failed'"),
        ((event("swap-failed"), 1, 2), "not 2"),
        ((metric(SWAPS), True), "a number, a function or what compares equal is wanted, not True"),
        ((metric(SWAPS), "1"), "not '1'"),
        ((metric(SWAPS), None), "not None"),
        ((metric(SWAPS), [1]), r"not \[1\]"),
        ((metric(SWAPS), -1), "oneiric_lifecycle_swap_total never falls: -1 cannot come"),
        ((event("swap-failed"), -1), "swap-failed never falls"),
        ((event("swap-failed"), equals(1)), "of swap-failed a number is wanted: how many there are"),
    ],
)
def test_what_cannot_be_expected_is_refused_before_the_block(
    oneiric_telemetry: TelemetryCapture, expected: tuple[Any, ...], message: str
) -> None:
    """Expectations that make no sense are a TypeError when they are written, not when the block has run."""
    with pytest.raises(TypeError, match=message):
        oneiric_telemetry.expect(*expected)


def test_a_histogram_has_no_value_as_a_whole(oneiric_telemetry: TelemetryCapture) -> None:
    """To want a number of a histogram without saying of which samples is refused, wherever a number is asked for."""
    message = f"{SWAP_MS} is a histogram: ask for {SWAP_MS}_count, {SWAP_MS}_sum or {SWAP_MS}_bucket"
    with pytest.raises(UnknownSignalError, match=message):
        oneiric_telemetry.expect(metric(SWAP_MS), 1)
    with pytest.raises(UnknownSignalError, match=message):
        oneiric_telemetry.value(metric(SWAP_MS))
    with oneiric_telemetry.expect_nothing() as block, pytest.raises(UnknownSignalError, match=message):
        block.delta(metric(SWAP_MS))


def test_what_threads_tell_in_the_block_counts(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """Everything that eight threads tell while the block runs is in it, exactly."""

    def resolve() -> None:
        for _ in range(50):
            resolver.resolve("adapter", "cache")

    threads = [threading.Thread(target=resolve) for _ in range(8)]
    with oneiric_telemetry.expect(
        metric(RESOLUTIONS, key="cache"), 400, event("resolver-decision", key="cache"), 400, exactly=False
    ):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


async def test_blocks_may_be_nested_and_overlap(oneiric_telemetry: TelemetryCapture, manager: LifecycleManager) -> None:
    """Blocks of several tasks see the same telemetry, each from its own beginning to its own end."""
    inside = asyncio.Event()

    async def watch() -> int:
        with oneiric_telemetry.expect(event("swap-complete")) as block:
            inside.set()
            await manager.swap("adapter", "queue")
        return len(block.events("swap-complete"))

    with oneiric_telemetry.expect(event("swap-complete"), 2) as outer:
        watching = asyncio.create_task(watch())
        await inside.wait()
        with oneiric_telemetry.expect(event("swap-complete"), lambda number: number >= 1):
            await manager.swap("adapter", "cache")
        await watching
    assert sorted(line["key"] for line in outer.events("swap-complete")) == ["cache", "queue"]


def test_one_expectation_may_stand_for_several_blocks(oneiric_telemetry: TelemetryCapture) -> None:
    """What expect returned can be entered again; each block is judged by itself."""
    once = oneiric_telemetry.expect(event("domain-paused"), 1)
    for _ in range(2):
        assert _holds(once, lambda: oneiric_telemetry.observers.notify(PAUSED))


def test_a_block_can_be_read_in_it_and_after_it(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> None:
    """What is read of a block is what came up to now, and after its end what came in it."""
    with oneiric_telemetry.expect(metric(RESOLUTIONS)) as block:
        assert (block.events(), block.delta(metric(RESOLUTIONS))) == ([], 0)
        resolver.resolve("adapter", "cache")
        assert (len(block.events()), block.delta(metric(RESOLUTIONS))) == (1, 1)
    resolver.resolve("adapter", "cache")
    assert (len(block.events("resolver-decision", key="cache")), block.delta(metric(RESOLUTIONS))) == (1, 1)
    assert (block.events("resolver-decision", key="queue"), block.spans()) == ([], [])


def _holds(expecting: Any, body: Callable[[], object]) -> bool:
    try:
        with expecting:
            body()
    except AssertionError:
        return False
    return True
