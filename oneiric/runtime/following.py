"""What keeps a runtime up with changes from outside: saved settings files, pauses and drains of other processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from oneiric.adapters.watcher import AdapterConfigWatcher
from oneiric.core.config import (
    OneiricSettings,
    create_layer_selector,
    file_versions,
    read_again,
    require_content,
    settled_versions,
)
from oneiric.domains.watchers import EventConfigWatcher, ServiceConfigWatcher, TaskConfigWatcher, WorkflowConfigWatcher
from oneiric.domains.watching import DomainWatcher, SelectionWatcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.activity import DomainActivity
    from oneiric.domains.base import DomainBridge
    from oneiric.domains.selections import DomainSelections
    from oneiric.runtime.supervisor import ServiceSupervisor

_NAMED: tuple[type[DomainWatcher], ...] = (
    AdapterConfigWatcher,
    ServiceConfigWatcher,
    TaskConfigWatcher,
    EventConfigWatcher,
    WorkflowConfigWatcher,
)


class SavedSettings:
    """Returns *settings*, or what they are once one of the files that they were read from was saved.

    However many ask, a save is read once, and only when it is over; one that is wrong, or left nothing in a file,
    raises SettingsError once, and leaves the last good settings. Thread-safe.
    """

    def __init__(self, settings: OneiricSettings) -> None:
        self._lock = threading.Lock()
        self._settings = settings
        self._files = settings.read_from.files
        self._good = self._seen = file_versions(self._files)

    def __call__(self) -> OneiricSettings:
        """Return the settings; waits while a file is being saved."""
        with self._lock:
            if file_versions(self._files) != self._seen and (now := settled_versions(self._files)) is not None:
                self._seen = now
                require_content(self._files, self._good)
                self._settings, self._good = read_again(self._settings), now
            return self._settings


class Following:
    """Watches the settings of every domain, and has held swaps made once the supervisor sees that they may be.

    Args:
        settings: Those in force.
        bridges: The bridges, by domain.
        selections: What makes the swaps, by domain.
        supervisor: Notices pauses and drains; None: the watchers alone look whether a swap may be made.
        watches: Whether the settings files are watched at all.

    Attributes:
        watchers: One for each domain; none where the settings are not watched.
    """

    def __init__(
        self,
        settings: OneiricSettings,
        bridges: Mapping[str, DomainBridge],
        selections: Mapping[str, DomainSelections],
        supervisor: ServiceSupervisor | None,
        *,
        watches: bool,
    ) -> None:
        self._selections = selections
        self._supervisor = supervisor
        self.watchers: tuple[SelectionWatcher, ...] = ()
        if supervisor is not None:
            supervisor.add_listener(self._retry)
        if watches:
            saved = SavedSettings(settings)
            named = {watcher.domain: watcher for watcher in _NAMED}
            self.watchers = tuple(_watcher(named, bridge, saved, selections[name]) for name, bridge in bridges.items())

    async def start(self) -> None:
        """Begin."""
        if self._supervisor is not None:
            await self._supervisor.start()
        for watcher in self.watchers:
            await watcher.start()

    async def stop(self) -> None:
        """End; idempotent."""
        for watcher in self.watchers:
            await watcher.stop()
        if self._supervisor is not None:
            await self._supervisor.stop()

    async def _retry(self, domain: str, key: str, _: DomainActivity) -> None:
        if domain in self._selections and key in self._selections[domain].held:
            await self._selections[domain].retry()


def _watcher(
    named: Mapping[str, type[DomainWatcher]], bridge: DomainBridge, saved: SavedSettings, selections: DomainSelections
) -> SelectionWatcher:
    if bridge.domain in named:
        return named[bridge.domain](bridge, settings_loader=saved, selections=selections)
    selector = create_layer_selector(bridge.domain)
    return SelectionWatcher(
        bridge.domain, bridge, layer_selector=selector, settings_loader=saved, selections=selections
    )
