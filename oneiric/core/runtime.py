"""Groups of tasks that end together, for applications."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

T = TypeVar("T")
Work: TypeAlias = "Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]]"
"""A coroutine, or a function that makes one."""


class TaskGroupError(RuntimeError):
    """A task group is used outside its ``async with``."""


class RuntimeTaskGroup:
    """Tasks that end together: leaving the ``async with`` waits for all, and the first that fails cancels the others.

    Errors are raised, as :class:`asyncio.TaskGroup` does, in an ExceptionGroup. For one event loop.

    Args:
        name: Begins the names of its tasks.
    """

    def __init__(self, name: str = "oneiric") -> None:
        self.name = name
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        """Begin."""
        group = asyncio.TaskGroup()
        await group.__aenter__()
        self._group = group
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for every task."""
        group = self._group
        try:
            if group is not None:
                await group.__aexit__(kind, error, traceback)
        finally:
            self._group = None

    def start_soon(self, work: Work[T], *, name: str | None = None) -> asyncio.Task[T]:
        """Start *work* as a task and return it; TaskGroupError outside the ``async with``."""
        if self._group is None:
            if inspect.iscoroutine(work):
                work.close()
            raise TaskGroupError(f"TaskGroup not initialized: start tasks of {self.name!r} within its 'async with'")
        coroutine = work() if callable(work) else work
        task = self._group.create_task(coroutine, name=f"{self.name}.{name or len(self._tasks) + 1}")
        self._tasks.append(task)
        return task

    async def cancel_all(self) -> None:
        """Cancel every task and wait for its end; what a task raises at that is raised by the ``async with``."""
        pending = [task for task in self._tasks if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)

    def results(self) -> list[Any]:
        """Return what the tasks that have succeeded returned, in the order of their start."""
        done = [task for task in self._tasks if task.done() and not task.cancelled()]
        return [task.result() for task in done if task.exception() is None]


class AnyioNursery:
    """Where tasks are started in :func:`anyio_nursery`, at most so many at a time."""

    def __init__(self, group: TaskGroup, limiter: anyio.CapacityLimiter | None) -> None:
        self._group = group
        self._limiter = limiter

    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: Any, task_name: str | None = None) -> None:
        """Start ``function(*args)`` as a task."""
        self._group.start_soon(self._run, function, args, name=task_name)

    def cancel(self) -> None:
        """Cancel every task."""
        self._group.cancel_scope.cancel()

    async def _run(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        if self._limiter is None:
            await function(*args)
            return
        async with self._limiter:
            await function(*args)


@asynccontextmanager
async def task_nursery(name: str = "oneiric") -> AsyncIterator[RuntimeTaskGroup]:
    """Yield a :class:`RuntimeTaskGroup`, and wait for its tasks at the end."""
    async with RuntimeTaskGroup(name) as group:
        yield group


async def run_with_taskgroup(*coroutines: Coroutine[Any, Any, Any], name: str = "oneiric") -> list[Any]:
    """Run *coroutines* side by side and return their results in their order; an ExceptionGroup where one fails."""
    async with RuntimeTaskGroup(name) as group:
        tasks = [group.start_soon(coroutine) for coroutine in coroutines]
    return [task.result() for task in tasks]


@asynccontextmanager
async def anyio_nursery(
    name: str = "oneiric",  # noqa: ARG001 - published
    *,
    limit: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - published
    shield: bool = False,
) -> AsyncIterator[AnyioNursery]:
    """Yield where to start tasks, on asyncio or trio, and wait for them at the end.

    Args:
        name: Of the group.
        limit: How many tasks run at a time; None: all.
        timeout: Seconds for all of it; then the tasks are cancelled and TimeoutError is raised. None: no limit.
        shield: Whether a cancellation from outside waits until the tasks have ended.
    """
    limiter = None if limit is None else anyio.CapacityLimiter(limit)
    with anyio.fail_after(timeout, shield=shield):
        async with anyio.create_task_group() as group:
            yield AnyioNursery(group, limiter)


async def run_with_anyio_taskgroup(
    factories: Sequence[Callable[[], Awaitable[Any]]],
    *,
    name: str = "oneiric",
    limit: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - published
    shield: bool = False,
) -> list[Any]:
    """Run what *factories* make side by side and return the results in their order; see :func:`anyio_nursery`."""
    results: list[Any] = [None] * len(factories)

    async def run(place: int) -> None:
        results[place] = await factories[place]()

    async with anyio_nursery(name, limit=limit, timeout=timeout, shield=shield) as nursery:
        for place in range(len(factories)):
            nursery.start_soon(run, place)
    return results


def run_sync(main: Work[T]) -> T:
    """Run *main*, a coroutine or a function that makes one, in a new event loop and return its result.

    RuntimeError in a thread that has a running loop: await it there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main() if callable(main) else main)
    if inspect.iscoroutine(main):
        main.close()
    raise RuntimeError("run_sync cannot be called from a running event loop; await the coroutine instead")
