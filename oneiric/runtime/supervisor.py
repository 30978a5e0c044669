"""The supervisor: notices pauses and drains, whichever process made them, and calls whoever wants to know."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from oneiric.core.activity import DomainActivity
from oneiric.core.observers import Observers, once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping

MIN_POLL_INTERVAL = 0.1
"""Shortest time between two polls, in seconds."""

_SINK = "supervisor"

Listener: TypeAlias = "Callable[[str, str, DomainActivity], Awaitable[object] | object]"
"""Called with domain, key and activity; may be asynchronous."""


class ActivityReader(Protocol):
    """A store of pauses and drains, as far as it is read."""

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return the activity of a component; the default for one that nothing is kept of."""

    def snapshot(self) -> Mapping[str, Mapping[str, DomainActivity]]:
        """Return all that is kept, by domain and key."""


class _Entry(NamedTuple):
    listener: Listener
    domain: str | None


class ServiceSupervisor:
    """Polls *activity_store* and calls listeners with what has changed; a poll or a listener that fails is reported.

    Whether work may be given is read from the store each time, so that a pause holds at once; where the store cannot be
    read, what was last known holds. Listeners are called in the event loop, or in the thread that calls
    :meth:`refresh`. Everything but :meth:`start` and :meth:`stop` may be called from any thread.

    Args:
        activity_store: Keeps pauses and drains.
        poll_interval: Seconds between polls, at least 0.1.
        observers: Notified of failures; None: those of the store.

    Attributes:
        activity_store: The store.
        poll_interval: Seconds between polls.
    """

    def __init__(
        self, activity_store: ActivityReader, *, poll_interval: float = 2.0, observers: Observers | None = None
    ) -> None:
        self.poll_interval = max(poll_interval, MIN_POLL_INTERVAL)
        self.activity_store = activity_store
        self._observers = observers or getattr(activity_store, "observers", None) or Observers()
        self._lock = threading.Lock()  # guards what is known
        self._known: dict[str, dict[str, DomainActivity]] | None = None
        self._listeners: tuple[_Entry, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._listening: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Poll once, and then at intervals; idempotent."""
        if self._task is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="oneiric-supervisor")
        await self._poll()

    async def stop(self) -> None:
        """Poll no more, and cancel listeners that still run; idempotent."""
        task, self._task, self._loop = self._task, None, None
        running = {*self._listening, *([task] if task is not None else [])} - {asyncio.current_task()}
        for one in running:
            one.cancel()
        if running:
            await asyncio.wait(running)

    def refresh(self) -> None:
        """Poll now, and call the listeners; blocks while the store is read."""
        try:
            self._take(self.activity_store.snapshot())
        except Exception as error:  # noqa: BLE001 - the next poll must come
            self._observers.hook_failed(_SINK, error)

    def snapshot(self) -> dict[str, dict[str, DomainActivity]]:
        """Return what the last poll found, by domain and key."""
        with self._lock:
            return {domain: dict(keys) for domain, keys in (self._known or {}).items()}

    def should_accept_work(self, domain: str, key: str) -> bool:
        """Whether the component is neither paused nor draining; what nothing is known of may be given work."""
        state = self.activity_state(domain, key)
        return not (state.paused or state.draining)

    def activity_state(self, domain: str, key: str) -> DomainActivity:
        """Return whether the component is paused or drains."""
        try:
            return self.activity_store.get(domain, key)
        except Exception as error:  # noqa: BLE001 - a store of another make; what was known holds
            self._observers.hook_failed(_SINK, error)
            return self.snapshot().get(domain, {}).get(key, DomainActivity())

    def add_listener(
        self, callback: Listener, *, domain: str | None = None, fire_immediately: bool = False
    ) -> Callable[[], None]:
        """Call *callback* with each component whose activity a poll finds changed, and return what ends that.

        Args:
            callback: Called with domain, key and activity, the default one where nothing is kept any more.
            domain: Only components of this domain; None: of all.
            fire_immediately: Call it at once with every component that something is kept of.
        """
        if fire_immediately and self._known is None:
            self.refresh()
        entry = _Entry(callback, domain)
        with self._lock:
            self._listeners = (*self._listeners, entry)
        if fire_immediately:
            for change in _changes({}, self.snapshot()):
                self._call(entry, *change)
        return once(lambda: self._remove(entry))

    def _remove(self, entry: _Entry) -> None:
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known is not entry)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.poll_interval)
            await self._poll()

    async def _poll(self) -> None:
        try:
            self._take(await asyncio.to_thread(self.activity_store.snapshot))
        except Exception as error:  # noqa: BLE001 - the next poll must come
            self._observers.hook_failed(_SINK, error)

    def _take(self, found: Mapping[str, Mapping[str, DomainActivity]]) -> None:
        with self._lock:
            before, self._known = self._known or {}, {domain: dict(keys) for domain, keys in found.items()}
            changes = list(_changes(before, self._known))
            listeners = self._listeners
        for change in changes:
            for entry in listeners:
                self._call(entry, *change)

    def _call(self, entry: _Entry, domain: str, key: str, state: DomainActivity) -> None:
        if entry.domain not in {None, domain}:
            return
        try:
            called = entry.listener(domain, key, state)
            if inspect.isawaitable(called):
                self._await(called)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - one that fails stops no other
            self._observers.hook_failed(_SINK, error)

    def _await(self, called: Awaitable[object]) -> None:
        """Have *called* awaited in the event loop of this thread, or else in the one that polls."""
        waiting = self._surviving(called)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self._loop is None:
                waiting.close()
                if inspect.iscoroutine(called):
                    called.close()
                raise RuntimeError(
                    "an asynchronous listener needs an event loop: start the supervisor in one"
                ) from None
            self._loop.call_soon_threadsafe(self._hold, waiting)
        else:
            self._hold(waiting)

    def _hold(self, waiting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(waiting)
        self._listening.add(task)  # the loop alone would let it be collected
        task.add_done_callback(self._listening.discard)

    async def _surviving(self, called: Awaitable[object]) -> None:
        try:
            await called
        except Exception as error:  # noqa: BLE001 - likewise
            self._observers.hook_failed(_SINK, error)


def _changes(
    before: Mapping[str, Mapping[str, DomainActivity]], after: Mapping[str, Mapping[str, DomainActivity]]
) -> Iterator[tuple[str, str, DomainActivity]]:
    for domain in dict.fromkeys((*before, *after)):
        old, new = before.get(domain, {}), after.get(domain, {})
        for key in dict.fromkeys((*old, *new)):
            if old.get(key) != new.get(key):
                yield domain, key, new.get(key, DomainActivity())
