"""Secrets that are up to date: the provider made ready at the start, its values renewed while the runtime runs."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Literal

from oneiric.core.errors import LifecycleError
from oneiric.core.events import SecretsRefresh

if TYPE_CHECKING:
    from oneiric.core.observers import Observers


class SecretsRefresher:
    """Renews what *secrets* keeps, every *interval* seconds and on demand; used from one event loop.

    A provider that fails is reported and stops nothing: the last good values stay in force.

    Args:
        secrets: A :class:`~oneiric.core.config.SecretsHook`, or anything else that looks up secrets: its ``prefetch``
            and its ``refresh``, else its ``rotate``, are called where it has them.
        observers: Notified of each refresh.
        interval: Seconds between two; None: only on demand.
    """

    def __init__(self, secrets: Any, observers: Observers, *, interval: float | None) -> None:
        self._secrets = secrets
        self._observers = observers
        self._interval = interval
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Make the provider ready, and renew its values in the background until :meth:`stop`."""
        self._started = True
        await self._try("start", ("prefetch",))
        self._resume()

    async def stop(self) -> None:
        """Renew no more; idempotent."""
        self._started = False
        await self._pause()

    async def set_interval(self, interval: float | None) -> None:
        """Renew every *interval* seconds from now on; None: only on demand."""
        if interval != self._interval:
            self._interval = interval
            await self._pause()
            self._resume()

    async def refresh(self, origin: Literal["interval", "reload"]) -> None:
        """Renew what is kept now; a failure is reported, not raised."""
        await self._try(origin, ("refresh", "rotate"))

    async def _try(self, origin: Literal["start", "interval", "reload"], names: tuple[str, ...]) -> None:
        work = next((found for name in names if callable(found := getattr(self._secrets, name, None))), None)
        if work is None:
            return
        async with self._turn:
            with self._observers.operation(SecretsRefresh(origin=origin)) as running:
                try:
                    done = work()
                    count = await done if inspect.isawaitable(done) else done
                except Exception as error:  # noqa: BLE001 - reported; the last good values stay in force
                    running.fail("provider", _without_secrets(error))
                    return
                if count:
                    running.update(renewed=0 if origin == "start" else int(count))
                else:
                    running.settle("skipped", "nothing_kept")

    def _resume(self) -> None:
        if self._started and self._interval is not None:
            self._task = asyncio.create_task(self._run(self._interval), name="oneiric-secrets")

    async def _pause(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.refresh("interval")


def _without_secrets(error: Exception) -> Exception:
    """Return an error that can be logged: what a provider says may quote a secret, what the runtime says does not."""
    return (
        error
        if isinstance(error, LifecycleError)
        else LifecycleError(f"{type(error).__name__} of the secrets provider")
    )
