"""The watcher of the selections of one domain: what is changed in the settings is put to use."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from oneiric.core.config import (
    create_layer_selector,
    file_versions,
    load_settings,
    require_content,
    settled_versions,
)
from oneiric.core.redaction import describe
from oneiric.domains.selections import DomainSelections

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType

    from oneiric.core.config import LayerSettings, OneiricSettings, Versions
    from oneiric.domains.base import DomainBridge

_SINK = "settings"


class SelectionWatcher:
    """Loads the settings at intervals, and swaps each key whose selection differs from the last one seen.

    Resolver and bridge go by the new settings too. A key that is paused is not swapped, nor is one that drains to
    another provider: that swap is made once the key is neither. Settings that cannot be loaded are reported once, the
    last good ones stay in force, and the watcher lives on. For one event loop.

    Args:
        name: Begins the name of its task.
        bridge: The domain.
        layer_selector: Returns the section of the domain in the settings.
        settings_loader: Loads the settings; called in a thread. The default one loads *watch_path* if there is one.
        poll_interval: Seconds from one look to the next.
        watch_path: The settings file, which the default loader needs where they came from a file that was named;
            where it is given, the settings are loaded only after it was saved.
        serverless_mode: Accepted; there is one way to watch, and it needs nothing of the file system.
        use_watchfiles: Likewise.
        refresh_on_every_tick: Whether the bridge is given its section with every look, changed or not.
        selections: What makes the swaps; None: its own.
    """

    def __init__(  # noqa: PLR0913 - published
        self,
        name: str,
        bridge: DomainBridge,
        *,
        layer_selector: Callable[[OneiricSettings], LayerSettings],
        settings_loader: Callable[[], OneiricSettings] = load_settings,
        poll_interval: float = 5.0,
        watch_path: str | os.PathLike[str] | None = None,
        serverless_mode: bool | None = None,  # noqa: ARG002 - published
        use_watchfiles: bool | None = None,  # noqa: ARG002 - published
        refresh_on_every_tick: bool = False,
        selections: DomainSelections | None = None,
    ) -> None:
        self.name = name
        self.bridge = bridge
        self.poll_interval = poll_interval
        self._select = layer_selector
        is_default = settings_loader is load_settings and watch_path is not None
        self._load: Callable[[], OneiricSettings] = (
            partial(load_settings, watch_path) if is_default else settings_loader
        )
        self._files = () if watch_path is None else (Path(watch_path).expanduser(),)
        self._seen_files: Versions | None = None
        self._good_files: Versions = (None,) * len(self._files)
        self._refreshes = refresh_on_every_tick
        self._selections = DomainSelections(bridge) if selections is None else selections
        self._seen = bridge.settings.model_copy(deep=True)  # who has the settings may change them
        self._failure = ""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def is_running(self) -> bool:
        """Whether it looks at intervals."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Begin to look, the first time soon; RuntimeError where it does already."""
        if self.is_running:
            raise RuntimeError("Watcher already running")
        self._task = asyncio.create_task(self._run(), name=f"oneiric-watcher-{self.name}")

    async def stop(self) -> None:
        """Look no more; idempotent. A swap under way is cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def run_once(self) -> None:
        """Load the settings and put to use what has changed, and make the swaps that were held and may be made now."""
        try:
            require_content(self._files, self._good_files)
            layer = self._select(await asyncio.to_thread(self._load))
            self._good_files = file_versions(self._files)
            if layer != self._seen:
                seen = layer.model_copy(deep=True)
                await self._selections.apply(layer)
                self._seen = seen
            elif self._refreshes:
                self._selections.refresh(layer)
            self._failure = ""
        except Exception as error:  # noqa: BLE001 - the watcher lives on, and reports
            self._report(error)
        await self._selections.retry()

    async def _run(self) -> None:
        while True:
            if await self._is_saved():
                await self.run_once()
            else:
                await self._selections.retry()
            await asyncio.sleep(self.poll_interval)

    async def _is_saved(self) -> bool:
        if not self._files:
            return True
        now: Versions | None = await asyncio.to_thread(file_versions, self._files)
        if now == self._seen_files:
            return False
        if self._seen_files is not None:  # who saves it may have emptied it first
            now = await asyncio.to_thread(settled_versions, self._files)
            if now is None:
                return False
        self._seen_files = now
        return True

    def _report(self, error: Exception) -> None:
        failure = ": ".join(describe(error))
        if failure != self._failure:
            self._failure = failure
            self.bridge.observers.hook_failed(_SINK, error)


class DomainWatcher(SelectionWatcher):
    """The watcher of one domain that every runtime has; see :class:`SelectionWatcher` for its arguments.

    Attributes:
        domain: The domain.
        refreshes: Whether its bridge is given its section with every look.
    """

    domain: ClassVar[str]
    refreshes: ClassVar[bool] = False

    def __init__(
        self,
        bridge: DomainBridge,
        *,
        settings_loader: Callable[[], OneiricSettings] = load_settings,
        poll_interval: float = 5.0,
        watch_path: str | os.PathLike[str] | None = None,
        selections: DomainSelections | None = None,
    ) -> None:
        super().__init__(
            self.domain,
            bridge,
            layer_selector=create_layer_selector(self.domain),
            settings_loader=settings_loader,
            poll_interval=poll_interval,
            watch_path=watch_path,
            refresh_on_every_tick=self.refreshes,
            selections=selections,
        )
