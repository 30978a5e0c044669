"""Calls that wait for a thread have it in turn, and nobody's turn is lost."""

from __future__ import annotations

import asyncio

import pytest

from oneiric.core.concurrency import ThreadSlots


async def waiting_for(slots: ThreadSlots, seconds: float | None = None) -> asyncio.Task[bool]:
    """Return a task that waits for one of *slots*."""
    task = asyncio.create_task(slots.enter(seconds))
    await asyncio.sleep(0)  # one turn of the loop, in which it gets in line
    return task


async def test_turns_come_in_the_order_of_asking() -> None:
    """Whoever leaves makes way for whoever has waited longest."""
    slots = ThreadSlots(1)
    assert await slots.enter(None)
    first, second = await waiting_for(slots), await waiting_for(slots)
    slots.leave(hung=False)
    assert (await first, second.done()) == (True, False)
    slots.leave(hung=False)
    assert await second


async def test_nobody_waits_for_what_hangs() -> None:
    """Once all that run are hanging, those in line have no turn, and neither has whoever comes then."""
    slots = ThreadSlots(1)
    assert await slots.enter(None)
    waiting = await waiting_for(slots)
    slots.hang()
    async with asyncio.timeout(120):
        assert (await waiting, await slots.enter(None), slots.is_stuck) == (False, False, True)
    slots.leave(hung=True)
    assert await slots.enter(None)


async def test_a_turn_that_comes_to_a_cancelled_wait_goes_to_the_next() -> None:
    """A wait that is cancelled as its turn comes gives the turn away."""
    slots = ThreadSlots(1)
    assert await slots.enter(None)
    first, second = await waiting_for(slots), await waiting_for(slots)
    slots.leave(hung=False)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(120):
        assert await second


async def test_a_wait_is_over_in_time() -> None:
    """Whoever has no turn in time has none, and none comes to it later."""
    slots = ThreadSlots(1)
    assert await slots.enter(None)
    assert not await slots.enter(0.001)
    slots.leave(hung=False)
    assert await slots.enter(None)


def test_a_turn_does_not_go_to_a_loop_that_is_closed() -> None:
    """What waited on a loop that was closed without it is passed over."""
    slots, loop = ThreadSlots(1), asyncio.new_event_loop()
    assert loop.run_until_complete(slots.enter(None))
    waiting = loop.create_task(slots.enter(None))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    slots.leave(hung=False)
    assert (asyncio.run(slots.enter(10)), waiting.done()) == (True, False)
