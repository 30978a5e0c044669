"""The components that must run: activated at the start, and again and again until they are active."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.core.config import split_component
from oneiric.core.errors import LifecycleError
from oneiric.core.events import ComponentMissing
from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.config import RuntimeConfig
    from oneiric.core.observers import Observers
    from oneiric.domains.base import DomainBridge


class RequiredComponents:
    """What ``runtime.start`` names, activated side by side; used from one event loop.

    A component that cannot be activated is reported and tried again; it stops neither the others nor the runtime.

    Args:
        config: Which components, how many at a time, and how long until the next attempt.
        bridges: Those that activate, by domain.
        observers: Notified of what cannot be activated.
    """

    def __init__(self, config: RuntimeConfig, bridges: Mapping[str, DomainBridge], observers: Observers) -> None:
        self._config = config
        self._bridges = bridges
        self._observers = observers
        self._names = tuple(dict.fromkeys(map(split_component, config.start)))
        self._errors: dict[tuple[str, str], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(config.start_parallel)

    def __len__(self) -> int:
        """Return how many must run."""
        return len(self._names)

    @property
    def missing(self) -> dict[str, str]:
        """Why each component that is not active is not, by ``domain/key``; safe to read from any thread."""
        return {
            f"{domain}/{key}": self._errors.get((domain, key), "not activated yet")
            for domain, key in self._names
            if not self._is_active(domain, key)
        }

    @property
    def missing_count(self) -> int:
        """How many are not active."""
        return sum(not self._is_active(domain, key) for domain, key in self._names)

    async def start(self) -> None:
        """Try each once, then go on in the background until :meth:`stop`."""
        await self.activate()
        if self._names:
            self._task = asyncio.create_task(self._run(), name="oneiric-required")

    async def stop(self) -> None:
        """Try no more; idempotent. What is active stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def activate(self) -> None:
        """Try each that is not active once."""
        absent = [name for name in self._names if not self._is_active(*name)]
        async with asyncio.TaskGroup() as tasks:
            for domain, key in absent:
                tasks.create_task(self._activate(domain, key))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._config.retry_interval)
            await self.activate()

    async def _activate(self, domain: str, key: str) -> None:
        async with self._slots:
            try:
                await self._bridges[domain].ensure_active(key)
            except Exception as error:  # noqa: BLE001 - one that fails stops no other
                self._report(domain, key, error)
            else:
                self._errors.pop((domain, key), None)

    def _report(self, domain: str, key: str, error: Exception) -> None:
        error_type, text = describe(error)
        self._errors[domain, key] = text if isinstance(error, LifecycleError) else f"{error_type}: {text}"
        self._observers.notify(ComponentMissing(domain=domain, key=key, error_type=error_type, error=text))

    def _is_active(self, domain: str, key: str) -> bool:
        return self._bridges[domain].lifecycle.get_candidate(domain, key) is not None
