"""Call what an application supplied, so that nothing it does can block the loop, hang the caller or leak a result.

A synchronous callable runs in a daemon thread (the loop's own executor is joined at shutdown, so one hanging call would
hang the exit), a coroutine function on the loop. Whoever gives up waiting abandons the call; a result that comes late
goes to the call's ``late``.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from oneiric.core.concurrency import ThreadSlots, renew_after_fork, start_thread
from oneiric.core.errors import CallTimeoutError, LifecycleError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

_depth: contextvars.ContextVar[int] = contextvars.ContextVar("depth", default=0)
"""How many calls in threads the running code is part of, one within the other."""

_NO_LOOP = ("no running event loop", "no current event loop")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call to make.

    Attributes:
        function: What to call, synchronous or asynchronous.
        label: Names the call in error texts.
        timeout: Seconds; 0 for none. A bounded call may wait as long again for a thread.
        args: Positional arguments.
        threaded: A synchronous function may run in a thread.
        shielded: An abandoned coroutine may go on.
        bounded: In a thread it counts from its start to its end: it waits while too many of its kind run, and is
            refused where these hang.
        subject: What it is about: refused at once while an earlier call about the same object hangs in a thread.
        late: Takes a result nobody waits for any more; must not raise.
    """

    function: Callable[..., Any]
    label: str
    timeout: float
    args: tuple[Any, ...] = ()
    threaded: bool = True
    shielded: bool = False
    bounded: bool = True
    subject: object = None
    late: Callable[[Any], Coroutine[Any, Any, None]] | None = None


class Calls:
    """Makes calls and keeps track of those that nobody waits for any more.

    Used from one loop at a time; loops may follow one another.

    Args:
        sync_in_thread: Run synchronous functions in threads, unless the call says otherwise.
        shield: Let abandoned coroutines go on where the call says so, instead of cancelling them.
        max_hanging: So many threads run bounded calls at a time, stuck ones included, and so many again the calls that
            these make in their turn; so many abandoned coroutines may go on.
    """

    def __init__(self, *, sync_in_thread: bool, shield: bool, max_hanging: int) -> None:
        self._sync_in_thread = sync_in_thread
        self._shield = shield
        self._max_hanging = max_hanging
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._started: set[asyncio.Task[Any]] = set()
        self._renew()
        renew_after_fork(self._renew)

    async def run(self, call: Call) -> Any:
        """Return what *call* returns, awaited where it is awaitable.

        A synchronous function that raises in its thread because it needs the running loop is called once more, on the
        loop. Raises CallTimeoutError when time is up or an earlier call about the same subject still hangs,
        LifecycleError when too many calls hang already or the function tries to end the program or cancels itself, and
        whatever else the function raises.
        """
        loop = asyncio.get_running_loop()
        in_thread = call.threaded and self._sync_in_thread and not is_async(call.function)
        slots = await self._slot(call) if in_thread else None
        deadline = loop.time() + call.timeout
        result = await self._in_thread(call, slots) if in_thread else _call(call)
        if not inspect.isawaitable(result):
            return result
        return await self._awaited(call, result, max(deadline - loop.time(), 0.0) if call.timeout else None)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *coroutine*, which must not raise, in a task that nobody needs to hold."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._started.add(task)
        task.add_done_callback(self._started.discard)
        return task

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - what is not done by then is cancelled
        """Cancel abandoned coroutines and wait *timeout* seconds (0: without limit) for all that was started.

        What is not done by then is cancelled, and as long again it may take to end.
        """
        loop = asyncio.get_running_loop()
        for task in self._abandoned:
            if task.get_loop() is loop:
                task.cancel()
        tasks = {task for task in self._started | self._abandoned if task.get_loop() is loop}
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=timeout or None)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending, timeout=timeout or None)

    def reap(self, call: Call, result: Any) -> None:
        """Dispose of *result*, which came late: on the loop that runs in this thread, else on one made for it."""
        if inspect.iscoroutine(result):
            result.close()
        elif call.late is not None and result is not None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                asyncio.run(call.late(result))
            else:
                self.start(call.late(result))

    def _renew(self) -> None:
        self.lock = threading.Lock()
        self.hanging: set[ThreadCall] = set()
        # One for each depth: a call that waits for the calls it makes must not keep them from their turn.
        self._slots_at: defaultdict[int, ThreadSlots] = defaultdict(lambda: ThreadSlots(self._max_hanging))

    async def _in_thread(self, call: Call, slots: ThreadSlots | None) -> Any:
        try:
            return await ThreadCall(self, call, slots).run()
        except RuntimeError as error:
            if not _needs_loop(error):
                raise
        return _call(call)

    async def _slot(self, call: Call) -> ThreadSlots | None:
        """Wait until *call* may have a thread, and return the slots that it must leave in the end."""
        with self.lock:
            subjects = [thread.call.subject for thread in self.hanging if thread.call.bounded]
        if call.subject is not None and any(subject is call.subject for subject in subjects):
            raise CallTimeoutError(f"{call.label} not made: an earlier one timed out and still hangs")
        if not call.bounded:
            return None
        slots = self._slots_at[_depth.get()]
        if await slots.enter(call.timeout or None):
            return slots
        most = self._max_hanging
        if slots.is_stuck:
            raise LifecycleError(
                f"{call.label} refused: {most} calls that timed out are still running (max_hanging_calls={most})"
            )
        raise CallTimeoutError(
            f"{call.label} not made within {call.timeout:.2f}s: {most} calls are running (max_hanging_calls={most})"
        )

    async def _awaited(self, call: Call, awaitable: Awaitable[Any], seconds: float | None) -> Any:
        task = asyncio.get_running_loop().create_task(_guarded(call, awaitable))
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            self._abandon(call, task)
            raise
        if not task.done():
            self._abandon(call, task)
            raise _timed_out(call)
        if task.cancelled():
            raise LifecycleError(f"{call.label} cancelled itself")
        return task.result()

    def _abandon(self, call: Call, task: asyncio.Task[Any]) -> None:
        if not (call.shielded and self._shield and len(self._abandoned) < self._max_hanging):
            task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(partial(self._ended, call))

    def _ended(self, call: Call, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled() and task.exception() is None:
            self.reap(call, task.result())


class ThreadCall:
    """One call in a daemon thread, with the caller's context variables; its outcome is used or reaped, never both."""

    def __init__(self, calls: Calls, call: Call, slots: ThreadSlots | None) -> None:
        self.call = call
        self._calls = calls
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._result: Any = None
        self._error: BaseException | None = None
        self._ended = False
        self._given_up = False

    async def run(self) -> Any:
        """Make the call and return or raise its outcome."""
        context = contextvars.copy_context()
        context.run(_depth.set, _depth.get() + 1)
        try:
            start_thread(f"oneiric {self.call.label}", context.run, self._work)
        except BaseException:
            self._leave(hung=False)
            raise
        try:
            await asyncio.wait({self._done}, timeout=self.call.timeout or None)
        except BaseException:
            self._give_up()
            raise
        if not self._done.done():
            self._give_up()
            raise _timed_out(self.call)
        if self._error is not None:
            raise self._error
        return self._result

    def _give_up(self) -> None:
        with self._calls.lock:
            self._given_up = True
            if not self._ended:
                self._calls.hanging.add(self)
                if self._slots is not None:
                    self._slots.hang()
                return
        self._reap()

    def _work(self) -> None:
        try:
            self._result = _call(self.call)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        with self._calls.lock:
            self._ended = True
            self._calls.hanging.discard(self)
            given_up = self._given_up
            self._leave(hung=given_up)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if not given_up:
                self._loop.call_soon_threadsafe(self._wake)
                return
            if self._loop.is_running():
                self._loop.call_soon_threadsafe(self._reap)
                return
        self._reap()

    def _leave(self, *, hung: bool) -> None:
        if self._slots is not None:
            self._slots.leave(hung=hung)

    def _wake(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _reap(self) -> None:
        with self._calls.lock:
            result, self._result = self._result, None
        self._calls.reap(self.call, result)


def _needs_loop(error: RuntimeError) -> bool:
    return type(error) is RuntimeError and any(text in str(error) for text in _NO_LOOP)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling *function* merely makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _call(call: Call) -> Any:
    try:
        return call.function(*call.args)
    except (SystemExit, asyncio.CancelledError) as error:
        raise _not_its_to_decide(call, error) from error


async def _guarded(call: Call, awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except SystemExit as error:
        raise _not_its_to_decide(call, error) from error


def _not_its_to_decide(call: Call, error: BaseException) -> LifecycleError:
    return LifecycleError(f"{call.label} raised {type(error).__name__}")


def _timed_out(call: Call) -> CallTimeoutError:
    return CallTimeoutError(f"{call.label} timed out after {call.timeout:.2f}s")
