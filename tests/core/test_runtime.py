"""Groups of tasks: started, waited for, cancelled, bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneiric.core.runtime import (
    RuntimeTaskGroup,
    TaskGroupError,
    anyio_nursery,
    run_sync,
    run_with_anyio_taskgroup,
    run_with_taskgroup,
    task_nursery,
)


async def echo(value: Any = 1) -> Any:
    """Return *value* after a turn of the loop."""
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    """Fail."""
    raise KeyError("x")


async def test_a_group_waits_for_its_tasks() -> None:
    """Coroutines and functions become named tasks, and all have ended when the group is left."""
    async with RuntimeTaskGroup("work") as group:
        first = group.start_soon(echo(1), name="first")
        second = group.start_soon(echo)
    assert (first.get_name(), second.get_name(), group.results()) == ("work.first", "work.2", [1, 1])


@pytest.mark.parametrize("entered", [False, True])
async def test_a_group_takes_tasks_only_while_it_is_open(entered: bool) -> None:
    """Before it is entered and after it is left, starting a task raises an error that says so."""
    group = RuntimeTaskGroup("work")
    if entered:
        async with group:
            pass
    with pytest.raises(TaskGroupError, match=r"^TaskGroup not initialized"):
        group.start_soon(echo())


async def test_a_failure_cancels_the_others() -> None:
    """The error comes in a group of exceptions; results are those of tasks that succeeded."""
    group = RuntimeTaskGroup("work")

    async def run() -> None:
        async with group:
            group.start_soon(echo(1))
            await asyncio.sleep(0)
            group.start_soon(fail)
            group.start_soon(asyncio.Event().wait())

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.value.subgroup(KeyError) is not None
    assert group.results() == [1]


async def test_tasks_can_be_cancelled() -> None:
    """After `cancel_all` every task has ended, and the group is left without an error."""
    async with task_nursery("work") as group:
        group.start_soon(asyncio.Event().wait())
        await group.cancel_all()
    assert group.results() == []


async def test_results_come_in_order() -> None:
    """Results stand in the order of the coroutines, whichever ends first."""
    assert await run_with_taskgroup(echo(1), asyncio.sleep(0, 2), echo(3), name="work") == [1, 2, 3]
    assert await run_with_anyio_taskgroup([lambda: echo(1), lambda: asyncio.sleep(0, 2)], name="work") == [1, 2]


async def test_a_nursery_bounds_how_many_run() -> None:
    """No more tasks than the limit run at a time."""
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await run_with_anyio_taskgroup([work] * 10, limit=2)
    assert most == 2


async def test_a_nursery_ends_in_time() -> None:
    """What takes longer than the timeout is cancelled, and TimeoutError raised."""
    with pytest.raises(TimeoutError):
        await run_with_anyio_taskgroup([asyncio.Event().wait], timeout=0)


async def test_a_nursery_can_be_cancelled() -> None:
    """Cancelling ends all tasks, without an error."""
    async with anyio_nursery("work") as nursery:
        nursery.start_soon(asyncio.Event().wait, task_name="stuck")
        nursery.cancel()


@pytest.mark.parametrize("main", [echo, lambda: echo(1)])
def test_a_coroutine_is_run_to_its_end(main: Any) -> None:
    """A function that makes a coroutine, or a coroutine, is run in a loop of its own."""
    assert (run_sync(main), run_sync(echo(2))) == (1, 2)


async def test_a_running_loop_is_refused() -> None:
    """In a running loop the error says to await."""
    with pytest.raises(RuntimeError, match="await"):
        run_sync(echo())
