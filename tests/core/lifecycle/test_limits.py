"""What hangs, comes late, is cancelled or tries to end the program cannot block, leak or mislead."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_support import Bench, Gate, Part, until

from oneiric.core.events import CleanupFailed, HealthCheck, Swap
from oneiric.core.lifecycle import CallTimeoutError, LifecycleError, LifecycleSafetyOptions
from oneiric.core.lifecycle.calls import Call, Calls
from oneiric.core.resolution import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

IMPATIENT = 0.01


def bench_with(**limits: Any) -> Bench:
    """Return a bench with these limits."""
    return Bench(safety=LifecycleSafetyOptions(**limits))


class Late:
    """A factory that hangs and then makes a part."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.part = Part("late")

    def sync(self) -> Part:
        """Hang the thread."""
        self.gate.wait()
        return self.part

    async def on_loop(self) -> Part:
        """Hang the coroutine."""
        await self.gate.wait_async()
        return self.part


@pytest.mark.parametrize("kind", ["sync", "on_loop"])
async def test_a_hanging_factory_times_out(kind: str) -> None:
    """A factory that does not return in time is a failed swap; the loop is never blocked."""
    bench, late = bench_with(activation_timeout=IMPATIENT), Late()
    old = await bench.serve()
    bench.register(getattr(late, kind))
    with pytest.raises(CallTimeoutError, match=r"^activate adapter:cache timed out after 0\.01s$"):
        await bench.swap()
    assert (bench.recorder.endings(Swap)[-1].reason, bench.instance, old.closed) == ("timeout", old, 0)
    late.gate.opened.set()
    await until(lambda: late.part.closed)


@pytest.mark.parametrize("kind", ["sync", "on_loop"])
async def test_a_late_instance_is_closed_once_and_reaches_the_hooks(kind: str) -> None:
    """What a factory makes after its time is closed when it appears, and never serves."""
    bench, late = bench_with(activation_timeout=IMPATIENT), Late()
    closed: list[object] = []
    bench.hooks.add_cleanup(closed.append)
    bench.register(getattr(late, kind))
    with pytest.raises(CallTimeoutError):
        await bench.swap()
    late.gate.opened.set()
    await until(lambda: closed)
    assert (late.part.closed, bench.instance, bench.status.last_error) == (
        1,
        None,
        "activate adapter:cache timed out after 0.01s",
    )


async def test_without_shielding_a_factory_that_timed_out_is_cancelled() -> None:
    """shield_tasks=False cancels the coroutine instead of letting it go on."""
    bench, cancelled = bench_with(activation_timeout=IMPATIENT, shield_tasks=False), asyncio.Event()

    async def factory() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    bench.register(factory)
    with pytest.raises(CallTimeoutError):
        await bench.swap()
    await until(cancelled.is_set)


async def test_a_factory_that_survives_its_cancellation_leaks_nothing() -> None:
    """An instance returned in spite of the cancellation is closed."""
    bench, part = bench_with(activation_timeout=IMPATIENT, shield_tasks=False), Part()

    async def factory() -> Part:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return part
        raise AssertionError

    bench.register(factory)
    with pytest.raises(CallTimeoutError):
        await bench.swap()
    await until(lambda: part.closed)


async def test_a_time_out_of_zero_is_none() -> None:
    """With 0 a factory may take as long as it takes."""
    bench, late = bench_with(activation_timeout=0), Late()
    bench.register(late.sync)
    waiting = asyncio.create_task(bench.swap())
    await until(late.gate.entered.is_set)
    late.gate.opened.set()
    assert await waiting is late.part


def test_a_late_instance_is_closed_although_its_loop_is_gone() -> None:
    """A thread that finishes after the loop was closed closes what it made, with the hooks, by itself."""
    bench, late, closed = bench_with(activation_timeout=IMPATIENT), Late(), threading.Event()
    bench.hooks.add_cleanup(lambda _: closed.set())
    bench.register(late.sync)

    async def main() -> None:
        with pytest.raises(CallTimeoutError):
            await bench.swap()

    asyncio.run(main())
    late.gate.opened.set()
    assert (closed.wait(120), late.part.closed) == (True, 1)


def test_a_swap_under_way_when_the_loop_ends_leaks_nothing() -> None:
    """Ending the loop cancels the swap, and what its factory still makes is closed."""
    bench, late, closed = bench_with(), Late(), threading.Event()
    bench.hooks.add_cleanup(lambda _: closed.set())
    bench.register(late.sync)

    async def main() -> asyncio.Task[Any]:
        task = asyncio.create_task(bench.swap())
        await until(late.gate.entered.is_set)
        return task

    task = asyncio.run(main())
    late.gate.opened.set()
    assert (closed.wait(120), late.part.closed, task.cancelled()) == (True, 1, True)
    assert (bench.status.state, bench.recorder.endings(Swap)[-1].reason) == ("failed", "cancelled")


def test_a_loop_closed_in_the_middle_of_a_swap_leaves_nothing_locked_or_open() -> None:
    """Although nobody cancelled the swap, the next loop can swap, and what the thread still makes is closed."""
    bench, late, closed = bench_with(), Late(), threading.Event()
    bench.hooks.add_cleanup(lambda _: closed.set())
    bench.register(late.sync, provider="hanging")
    bench.register(Part)
    loop = asyncio.new_event_loop()
    task = loop.create_task(bench.swap("hanging"))
    loop.run_until_complete(until(late.gate.entered.is_set))
    loop.close()
    asyncio.run(asyncio.wait_for(bench.swap(), 120))
    late.gate.opened.set()
    assert (closed.wait(120), late.part.closed, task.done()) == (True, 1, False)


def test_a_hanging_call_does_not_keep_the_program_from_ending() -> None:
    """A process with a stuck factory exits."""
    program = """
import asyncio, threading
from oneiric.core.lifecycle import LifecycleManager, LifecycleSafetyOptions
from oneiric.core.resolution import Candidate, Resolver
resolver = Resolver()
resolver.register(Candidate(domain="adapter", key="k", factory=threading.Event().wait))
manager = LifecycleManager(resolver, safety=LifecycleSafetyOptions(activation_timeout=0.01))
print(asyncio.run(manager.activate("adapter", "k", force=True)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "None\n", "")


async def test_at_the_limit_of_hanging_calls_further_ones_are_refused() -> None:
    """With as many stuck threads as allowed no thread is started, until one of them ends."""
    bench, late = bench_with(activation_timeout=IMPATIENT, max_hanging_calls=2), Late()
    bench.register(late.sync)
    for _ in range(2):
        with pytest.raises(CallTimeoutError):
            await bench.swap()
    text = r"^activate adapter:cache refused: 2 calls that timed out are still running \(max_hanging_calls=2\)$"
    with pytest.raises(LifecycleError, match=text):
        await bench.swap()
    assert [ended.reason for ended in bench.recorder.endings(Swap)] == ["timeout", "timeout", "factory"]
    late.gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)
    assert await bench.swap() is late.part


class Held(Gate):
    """A gate that makes a part once it is open."""

    def make(self) -> Part:
        """Hang, and make it."""
        self.wait()
        return Part()


async def activate_all(bench: Bench, keys: int) -> list[Any]:
    """Swap as many components at the same time; return what came of each."""
    swaps = (bench.manager.activate("adapter", f"k{number}") for number in range(keys))
    return await asyncio.gather(*swaps, return_exceptions=True)


def register_keys(bench: Bench, factory: Callable[[], object], keys: int) -> None:
    """Register *factory* as the provider of as many components."""
    for number in range(keys):
        bench.resolver.register(Candidate(domain="adapter", key=f"k{number}", provider="p", factory=factory))


async def test_of_calls_that_begin_together_no_more_than_the_limit_hang() -> None:
    """A call counts from its start: of 45 that hang at once 32 have a thread, and the others are refused."""
    bench, gate, begun = bench_with(activation_timeout=0.2), Gate(), list[int]()

    def factory() -> None:
        begun.append(1)
        gate.wait()

    register_keys(bench, factory, 45)
    failures = [str(failure) for failure in await activate_all(bench, 45)]
    await until(lambda: len(begun) >= 32)
    gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)
    assert (len(begun), sum("timed out after 0.20s" in text for text in failures)) == (32, 32)
    assert sum("max_hanging_calls=32" in text for text in failures) == 13


async def test_calls_that_do_not_hang_wait_for_their_turn() -> None:
    """Beyond the limit a call waits for one that runs; all of them are made, so many at a time."""
    bench, gate, lock, running, most = (
        bench_with(max_hanging_calls=3),
        Gate(),
        threading.Lock(),
        set[int](),
        list[int](),
    )

    def factory() -> Part:
        with lock:
            running.add(threading.get_ident())
            most.append(len(running))
        gate.wait()
        with lock:
            running.discard(threading.get_ident())
        return Part()

    register_keys(bench, factory, 40)
    swaps = asyncio.create_task(activate_all(bench, 40))
    await until(lambda: len(bench.manager.all_statuses()) == 40 and len(most) >= 3)
    gate.opened.set()
    assert ([type(instance) for instance in await swaps], max(most)) == ([Part] * 40, 3)


async def test_a_call_waits_for_its_turn_no_longer_than_for_its_end() -> None:
    """Whoever has no thread in time fails as timed out, with a text that names the setting, and is never called."""
    bench, gate = bench_with(activation_timeout=0, health_timeout=IMPATIENT, max_hanging_calls=1), Held()
    asked: list[int] = []
    part = await bench.serve()
    part.health = lambda: asked.append(1)
    bench.resolver.register(Candidate(domain="adapter", key="slow", factory=gate.make))
    slow = asyncio.create_task(bench.manager.activate("adapter", "slow"))
    await until(gate.entered.is_set)
    assert await bench.manager.probe_instance_health("adapter", "cache") is False
    ended = bench.recorder.endings(HealthCheck)[-1]
    text = "health probe adapter:cache not made within 0.01s: 1 calls are running (max_hanging_calls=1)"
    assert (ended.reason, ended.error, asked) == ("timeout", text, [])
    gate.opened.set()
    assert isinstance(await slow, Part)


async def test_a_cancelled_wait_takes_no_turn() -> None:
    """Whoever is cancelled in the line leaves its place to the next one."""
    bench, gate = bench_with(max_hanging_calls=1), Held()
    register_keys(bench, gate.make, 3)
    first, second, third = (asyncio.create_task(bench.manager.activate("adapter", f"k{n}")) for n in range(3))
    await until(gate.entered.is_set)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.opened.set()
    assert [type(instance) for instance in await asyncio.gather(first, third)] == [Part, Part]


async def test_a_factory_that_waits_for_a_swap_of_its_own_does_not_keep_it_waiting() -> None:
    """With every thread in use by factories that each activate another component, these are activated nevertheless."""
    bench, loop = bench_with(max_hanging_calls=2), asyncio.get_running_loop()
    for number in range(4):

        def factory(key: str = f"inner{number}") -> Part:
            inner = asyncio.run_coroutine_threadsafe(bench.manager.activate("adapter", key), loop)
            return Part(inner.result(10).name)

        bench.resolver.register(Candidate(domain="adapter", key=f"k{number}", factory=factory))
        bench.resolver.register(Candidate(domain="adapter", key=f"inner{number}", factory=lambda: Part("inner")))
    assert [part.name for part in await activate_all(bench, 4)] == ["inner"] * 4


def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    """A call that runs in the parent takes no turn in the child, whose thread it is not."""
    calls = Calls(sync_in_thread=True, shield=True, max_hanging=1)
    assert asyncio.run(calls._slots_at[0].enter(None))
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            asyncio.run(calls.run(Call(function=Part, label="call", timeout=10)))
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_coroutines_that_go_on_are_bounded_too() -> None:
    """Beyond the limit a coroutine that timed out is cancelled although shielding is on."""
    bench, ended = bench_with(activation_timeout=IMPATIENT, max_hanging_calls=1), []

    async def factory() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    bench.register(factory)
    for _ in range(3):
        with pytest.raises(CallTimeoutError):
            await bench.swap()
    await until(lambda: len(ended) == 2)
    await bench.manager.aclose()
    assert len(ended) == 3


async def test_a_sync_factory_runs_in_a_thread_with_the_callers_context() -> None:
    """Context variables of the caller are seen in the thread."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("seen")
    bench = bench_with()
    bench.register(lambda: (threading.current_thread() is threading.main_thread(), variable.get()))
    assert await bench.swap() == (False, "seen")


async def test_sync_calls_can_stay_in_the_loops_thread() -> None:
    """sync_in_thread=False calls factory, check and cleanup where the loop runs."""
    bench, threads = bench_with(sync_in_thread=False), []

    class Affine:
        def __init__(self) -> None:
            threads.append(threading.get_ident())

        def health(self) -> bool:
            threads.append(threading.get_ident())
            return True

        def close(self) -> None:
            threads.append(threading.get_ident())

    bench.register(Affine)
    await bench.swap()
    await bench.manager.aclose()
    assert threads == [threading.get_ident()] * 3


async def test_an_awaitable_made_by_a_sync_factory_is_awaited_on_the_loop() -> None:
    """A plain function may return a coroutine."""
    bench, part = bench_with(), Part()

    async def make() -> Part:
        await asyncio.sleep(0)
        return part

    def factory() -> Coroutine[Any, Any, Part]:
        return make()

    bench.register(factory)
    assert await bench.swap() is part


async def test_a_callable_object_with_an_async_call_runs_on_the_loop() -> None:
    """What is asynchronous by its __call__ is recognised."""
    bench = bench_with()

    class Factory:
        async def __call__(self) -> int:
            return threading.get_ident()

    bench.register(Factory())
    assert await bench.swap() == threading.get_ident()


async def leave() -> None:
    """Try to end the program."""
    sys.exit(3)


async def cancel_itself() -> None:
    """Raise what a cancelled task raises."""
    raise asyncio.CancelledError


def cancel_plainly() -> None:
    """Likewise, synchronously."""
    raise asyncio.CancelledError


@pytest.mark.parametrize("in_thread", [True, False])
@pytest.mark.parametrize("factory", [sys.exit, leave, cancel_itself, cancel_plainly])
async def test_a_factory_cannot_end_the_program(factory: Any, in_thread: bool) -> None:
    """SystemExit, and a CancelledError nobody asked for, are failures of the factory."""
    bench = bench_with(sync_in_thread=in_thread)
    bench.register(factory)
    with pytest.raises(LifecycleError, match=r"^activate adapter:cache (raised SystemExit|raised Cancelled|cancelled)"):
        await bench.swap()
    assert (bench.recorder.endings(Swap)[-1].reason, bench.status.state) == ("factory", "failed")


async def test_a_keyboard_interrupt_leaves_no_swap_under_way() -> None:
    """What ends the program passes, with the state settled and the new instance closed."""
    bench, part = bench_with(), Part()
    bench.register(lambda: part)

    def hook(*_: object) -> None:
        raise KeyboardInterrupt

    bench.hooks.add_pre_swap(hook)
    with pytest.raises(KeyboardInterrupt):
        await bench.swap()
    assert (bench.status.state, part.closed) == ("failed", 1)


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_hanging_async_hook_times_out(in_thread: bool) -> None:
    """A pre-swap hook that hangs is a failed swap; its coroutine is cancelled."""
    bench, gate, part = bench_with(hook_timeout=IMPATIENT, sync_in_thread=in_thread), Gate(), Part()
    bench.register(lambda: part)
    bench.hooks.add_pre_swap(lambda *_: gate.wait_async())
    with pytest.raises(LifecycleError, match=r"^lifecycle hook timed out after 0\.01s$"):
        await bench.swap()
    assert (bench.recorder.endings(Swap)[-1].reason, part.closed) == ("timeout", 1)


@pytest.mark.parametrize("kind", ["wait", "wait_async"])
async def test_a_hanging_cleanup_holds_nobody_up(kind: str) -> None:
    """Closing the old instance is given up after its time, told, and the cleanup hooks run."""
    bench, gate = bench_with(cleanup_timeout=IMPATIENT), Gate()
    closed: list[object] = []
    bench.hooks.add_cleanup(closed.append)
    old = await bench.serve(type("Hanging", (), {"close": staticmethod(getattr(gate, kind))})())
    bench.register(Part)
    new = await bench.swap()
    assert (bench.instance, closed) == (new, [old])
    assert [told.error for told in bench.recorder.of(CleanupFailed)] == [
        "cleanup method close: cleanup Hanging timed out after 0.01s"
    ]
    gate.opened.set()
    await until(gate.left.is_set)


async def test_a_hanging_cleanup_hook_holds_nobody_up() -> None:
    """A cleanup hook is given up after its time."""
    bench, gate = bench_with(hook_timeout=IMPATIENT), Gate()
    bench.hooks.add_cleanup(lambda _: gate.wait_async())
    await bench.serve()
    await bench.serve()
    (told,) = bench.recorder.of(CleanupFailed)
    assert told.error.endswith("cleanup hook timed out after 0.01s")


@pytest.mark.parametrize("kind", ["sync", "on_loop"])
async def test_cancelling_while_the_factory_runs(kind: str) -> None:
    """The swap has failed as cancelled, the old instance serves on, and the late one is closed."""
    bench, late = bench_with(), Late()
    old = await bench.serve()
    bench.register(getattr(late, kind))
    waiting = asyncio.create_task(bench.swap())
    await until(late.gate.entered.is_set)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ended = bench.recorder.endings(Swap)[-1]
    assert (ended.outcome, ended.reason, bench.status.state) == ("failed", "cancelled", "failed")
    assert (bench.status.last_error, bench.status.current_provider, bench.instance) == ("cancelled", "old", old)
    late.gate.opened.set()
    await until(lambda: late.part.closed)
    assert old.closed == 0


async def test_cancelling_while_a_pre_swap_hook_runs_closes_the_new_instance() -> None:
    """CancelledError reaches the caller once the rejected instance is closed."""
    bench, gate, part = bench_with(), Gate(), Part()
    bench.register(lambda: part)
    bench.hooks.add_pre_swap(lambda *_: gate.wait_async())
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (part.closed, bench.status.state, bench.instance) == (1, "failed", None)


async def test_cancelling_after_the_new_instance_serves_leaves_the_rest_to_the_background() -> None:
    """The outcome stays a success, the caller is cancelled at once, and the old instance is closed nevertheless."""
    bench, gate = bench_with(), Gate()
    old = await bench.serve()
    bench.hooks.add_post_swap(lambda *_: gate.wait_async())
    bench.register(Part)
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (bench.recorder.endings(Swap)[-1].outcome, bench.status.state, old.closed) == ("success", "ready", 0)
    gate.opened.set()
    await until(lambda: old.closed)
    await until(lambda: not len(bench.manager._locks))


async def test_the_next_swap_waits_for_what_goes_on_in_the_background() -> None:
    """A component stays locked until the post-swap hooks of a cancelled swap have run."""
    bench, gate, order = bench_with(), Gate(), []

    async def hook(_: object, new: Part, __: object) -> None:
        if new.name == "first":
            await gate.wait_async()
        order.append(new.name)

    bench.hooks.add_post_swap(hook)
    names = iter(["first", "second"])
    bench.register(lambda: Part(next(names)))
    first = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    first.cancel()
    second = asyncio.create_task(bench.swap())
    await asyncio.wait({first})
    gate.opened.set()
    await second
    assert order == ["first", "second"]


async def test_cancelling_while_waiting_for_another_swap_touches_nothing() -> None:
    """A swap that never began is not told."""
    bench, gate = bench_with(), Gate()
    bench.register(gate.wait_async)
    first = asyncio.create_task(bench.swap(force=True))
    await until(gate.entered.is_set)
    second = asyncio.create_task(bench.swap())
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.opened.set()
    await first
    assert (len(bench.recorder.of(Swap)), len(bench.manager._locks)) == (1, 0)


async def test_closing_does_not_wait_for_ever_for_the_background() -> None:
    """What is not done after cleanup_timeout is cancelled and told, and the old instance closed nevertheless."""
    bench, gate = bench_with(cleanup_timeout=IMPATIENT, hook_timeout=0), Gate()
    old = await bench.serve()
    bench.hooks.add_post_swap(lambda *_: gate.wait_async())
    bench.register(Part)
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    waiting.cancel()
    await asyncio.wait({waiting})
    await bench.manager.aclose()
    assert (bench.recorder.of(CleanupFailed)[-1].error_type, old.closed) == ("CancelledError", 1)


async def test_closing_a_late_instance_that_fails_is_told() -> None:
    """A late instance's cleanup failure is told and does not replace the real error."""
    bench, gate = bench_with(activation_timeout=IMPATIENT), Gate()

    class Stuck:
        def close(self) -> None:
            raise ValueError("stuck")

    def factory() -> Stuck:
        gate.wait()
        return Stuck()

    bench.register(factory)
    with pytest.raises(CallTimeoutError):
        await bench.swap()
    gate.opened.set()
    await until(lambda: bench.recorder.of(CleanupFailed))
    assert bench.recorder.of(CleanupFailed)[-1].error == "cleanup method close: stuck"
    assert bench.status.last_error == "activate adapter:cache timed out after 0.01s"


async def test_a_probe_of_what_still_hangs_is_a_timeout_at_once() -> None:
    """While a check hangs in its thread no other is started for the instance; each probe fails and is told."""
    bench, gate = bench_with(health_timeout=IMPATIENT, max_hanging_calls=2), Gate()
    begun: list[object] = []
    part = await bench.serve()

    def check() -> None:
        begun.append(part)
        gate.wait()

    part.health = check
    answers = [await bench.manager.probe_instance_health("adapter", "cache") for _ in range(5)]
    texts = [(ended.reason, ended.error) for ended in bench.recorder.endings(HealthCheck)]
    assert (answers, len(begun)) == ([False] * 5, 1)
    assert texts == [
        ("timeout", "health probe adapter:cache timed out after 0.01s"),
        *[("timeout", "health probe adapter:cache not made: an earlier one timed out and still hangs")] * 4,
    ]
    gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)


async def test_a_check_is_made_again_once_the_hanging_one_has_ended() -> None:
    """What hung and came back is asked anew."""
    bench, gate = bench_with(health_timeout=IMPATIENT), Gate()
    part = await bench.serve()
    part.health = gate.wait
    assert await bench.manager.probe_instance_health("adapter", "cache") is False
    gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)
    part.health = lambda: True
    assert await bench.manager.probe_instance_health("adapter", "cache") is True


async def test_closing_is_never_refused() -> None:
    """However many calls hang, an instance that goes is closed; cleanups that hang refuse nothing."""
    bench, gate = bench_with(cleanup_timeout=IMPATIENT, activation_timeout=IMPATIENT, max_hanging_calls=1), Gate()
    closing: list[int] = []

    class Hanging:
        def close(self) -> None:
            closing.append(1)
            gate.wait()

    bench.register(Hanging)
    for _ in range(3):
        await bench.swap()
    bench.register(gate.wait, provider="stuck")
    with pytest.raises(CallTimeoutError):
        await bench.swap("stuck")
    await bench.manager.aclose()
    assert len(closing) == 3
    gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)


async def test_a_factory_that_needs_the_running_loop_gets_it() -> None:
    """A plain factory that raises in its thread for want of the running loop is called once more on the loop."""
    bench, threads = bench_with(), []

    def factory() -> asyncio.AbstractEventLoop:
        threads.append(threading.current_thread() is threading.main_thread())
        return asyncio.get_running_loop()

    bench.register(factory)
    assert await bench.swap() is asyncio.get_running_loop()
    assert threads == [False, True]


async def test_a_factory_that_raises_for_another_reason_is_called_once() -> None:
    """Only the want of a loop is a reason to call again."""
    bench, calls = bench_with(), []

    def factory() -> None:
        calls.append(1)
        raise RuntimeError("no luck")

    bench.register(factory)
    with pytest.raises(LifecycleError, match="Swap failed"):
        await bench.swap()
    assert calls == [1]


class Database:
    """A connection that only the thread that made it may use."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.closed = False

    def health(self) -> bool:
        """Ask it something."""
        return bool(self.connection.execute("SELECT 1").fetchone() == (1,))

    def close(self) -> None:
        """Close it."""
        self.connection.close()
        self.closed = True


async def test_a_candidate_may_stay_in_the_loops_thread() -> None:
    """With the metadata "thread": False what is bound to a thread is made, checked and closed in the loop's."""
    bench = bench_with()
    bench.register(Database, metadata={"thread": False})
    database = await bench.swap()
    assert (await bench.manager.probe_instance_health("adapter", "cache"), database.closed) == (True, False)
    assert database.connection.execute("SELECT 1").fetchone() == (1,)
    await bench.manager.aclose()
    assert (database.closed, bench.recorder.of(CleanupFailed)) == (True, [])


@pytest.mark.parametrize("where", ["factory", "thread", "pre_swap", "task"])
async def test_a_swap_that_waits_for_itself_is_refused_at_once(where: str) -> None:
    """A factory or hook that asks for a swap of its own component gets an error instead of waiting for its time-out."""
    bench, refused = bench_with(), []
    loop = asyncio.get_running_loop()

    async def again(*_: object) -> Part:
        try:
            await bench.swap()
        except LifecycleError as error:
            refused.append(str(error))
        return Part()

    def in_thread() -> Part:
        return asyncio.run_coroutine_threadsafe(again(), loop).result(10)

    async def in_task() -> Part:
        return await asyncio.create_task(again())

    factories: dict[str, Callable[..., Any]] = {"factory": again, "thread": in_thread, "task": in_task}
    bench.register(factories.get(where, Part))
    if where == "pre_swap":
        bench.hooks.add_pre_swap(again)  # type: ignore[arg-type]  # what it returns is not used
    async with asyncio.timeout(120):
        await bench.swap()
    assert refused == ["adapter:cache is being swapped by what asks for its swap"]


async def test_a_task_that_a_factory_left_behind_may_swap_later() -> None:
    """Once the swap has ended, what was begun during it is as free as anybody."""
    bench, go, tasks = bench_with(), asyncio.Event(), []

    async def later() -> Any:
        await go.wait()
        return await bench.swap("old")

    async def factory() -> Part:
        tasks.append(asyncio.create_task(later()))
        return Part()

    old = await bench.serve()
    bench.register(factory)
    await bench.swap()
    go.set()
    assert await tasks[0] is old


async def test_closing_the_manager_during_a_post_swap_hook_is_no_cancellation() -> None:
    """Who waits for a swap that closing cut short gets a LifecycleError, not a CancelledError that nobody asked for."""
    bench, gate = bench_with(cleanup_timeout=IMPATIENT, hook_timeout=0), Gate()
    bench.hooks.add_post_swap(lambda *_: gate.wait_async())
    bench.register(Part)
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    await bench.manager.aclose()
    with pytest.raises(LifecycleError, match="manager is closed"):
        await waiting
