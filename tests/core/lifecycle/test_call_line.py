"""Calls that wait for a thread have it in turn, and nobody's turn is lost."""

from __future__ import annotations

import asyncio

import pytest

from oneiric.core.lifecycle.call_line import Line


async def waiting_for(line: Line, seconds: float | None = None) -> asyncio.Task[bool]:
    """Return a task that stands in *line*."""
    task = asyncio.create_task(line.enter(seconds))
    await asyncio.sleep(0)  # one turn of the loop, in which it gets in line
    return task


async def test_turns_come_in_the_order_of_asking() -> None:
    """Whoever leaves makes way for whoever has waited longest."""
    line = Line(1)
    assert await line.enter(None)
    first, second = await waiting_for(line), await waiting_for(line)
    line.leave(hung=False)
    assert (await first, second.done()) == (True, False)
    line.leave(hung=False)
    assert await second


async def test_nobody_waits_for_what_hangs() -> None:
    """Once all that run are hanging, those in the line have no turn, and neither has whoever comes then."""
    line = Line(1)
    assert await line.enter(None)
    waiting = await waiting_for(line)
    line.hang()
    async with asyncio.timeout(120):
        assert (await waiting, await line.enter(None), line.is_stuck) == (False, False, True)
    line.leave(hung=True)
    assert await line.enter(None)


async def test_a_turn_that_comes_to_a_cancelled_wait_goes_to_the_next() -> None:
    """A wait that is cancelled as its turn comes gives the turn away."""
    line = Line(1)
    assert await line.enter(None)
    first, second = await waiting_for(line), await waiting_for(line)
    line.leave(hung=False)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(120):
        assert await second


async def test_a_wait_is_over_in_time() -> None:
    """Whoever has no turn in time has none, and none comes to it later."""
    line = Line(1)
    assert await line.enter(None)
    assert not await line.enter(0.001)
    line.leave(hung=False)
    assert await line.enter(None)


def test_a_turn_does_not_go_to_a_loop_that_is_closed() -> None:
    """What waited on a loop that was closed without it is passed over."""
    line, loop = Line(1), asyncio.new_event_loop()
    assert loop.run_until_complete(line.enter(None))
    waiting = loop.create_task(line.enter(None))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    line.leave(hung=False)
    assert (asyncio.run(line.enter(10)), waiting.done()) == (True, False)
