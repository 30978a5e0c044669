"""Settings that are read again while the service runs: what may change is applied, the rest is named."""

from __future__ import annotations

import asyncio
import fnmatch
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from oneiric.core.config import (
    SecretsHook,
    SettingsError,
    file_versions,
    get_domain_settings,
    require_content,
    settled_versions,
)
from oneiric.core.events import Reload
from oneiric.core.names import DOMAINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oneiric.core.config import OneiricSettings, RemoteSourceConfig, Versions
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

RELOADABLE = (
    *(f"{domain}s.selections.*" for domain in DOMAINS),
    *(f"{domain}s.provider_settings.*" for domain in DOMAINS),
    "logging.level",
    "logging.sinks.*.level",
    "secrets.inline.*",
    "secrets.refresh_interval",
    *(
        f"{source}.{field}"
        for source in ("remote", "remotes.*")
        for field in (
            "refresh_interval",
            "auth.*",
            "allow_file_uris",
            "allowed_file_uri_roots.*",
            "allow_private_hosts",
            "signature_*",
        )
    ),
)
"""The settings that a reload applies, ``*`` standing for any name; every other one needs a restart."""

_IN_PARTS = ("auth", "allowed_file_uri_roots")  # fields of a source all of whose parts are applied

CHECK_SECONDS = 2.0
"""How often it is looked whether a settings file was saved."""

Origin = Literal["signal", "command", "file"]


class Reloader:
    """Reads the settings of *runtime* again with *load* and applies what may change; one reload at a time.

    Args:
        runtime: A started runtime.
        load: Returns the settings as they are now; SettingsError where they are wrong.
        set_levels: Called with the new settings where a level of logging changed.
        files: What the settings are read from; one that has lost its content is refused.
    """

    def __init__(
        self,
        runtime: RuntimeOrchestrator,
        load: Callable[[], OneiricSettings],
        *,
        set_levels: Callable[[OneiricSettings], object],
        files: tuple[Path, ...] = (),
    ) -> None:
        self._runtime = runtime
        self._load = load
        self._files = files
        self._good = file_versions(files)
        self._set_levels = set_levels
        self._turn = asyncio.Lock()

    async def reload(self, origin: Origin) -> dict[str, list[str]]:
        """Apply what changed, and return the names of what was applied and of what needs a restart, each sorted.

        SettingsError for settings that are wrong: then everything stays as it is. Any other error comes from applying
        them, and is reported too.
        """
        async with self._turn:
            with self._runtime.observers.operation(Reload(origin=origin)) as running:
                try:
                    settings = await asyncio.to_thread(self._read)
                except SettingsError as error:
                    running.fail("invalid", error)
                    raise
                differing = frozenset(differences(self._runtime.settings, settings))
                applied = frozenset(filter(is_reloadable, differing))
                try:
                    await self._apply(settings, applied)
                except Exception as error:
                    running.fail("failed", error)
                    raise
                waiting = differing - applied
                running.update(changed=len(applied), restart=len(waiting))
                return {"applied": sorted(applied), "restart": sorted(waiting)}

    def _read(self) -> OneiricSettings:
        require_content(self._files, self._good)
        now = file_versions(self._files)
        settings = self._load()
        self._good = now
        return settings

    async def _apply(self, settings: OneiricSettings, applied: frozenset[str]) -> None:
        runtime, merged = self._runtime, merged_settings(self._runtime.settings, settings)
        runtime.settings = merged
        runtime.remotes.reconfigure(merged)
        if isinstance(runtime.secrets, SecretsHook):
            runtime.secrets.config = merged.secrets
        await runtime.secrets_refresher.set_interval(merged.secrets.refresh_interval)
        await runtime.secrets_refresher.refresh("reload")
        if any(name.startswith("logging.") for name in applied):
            self._set_levels(merged)
            runtime.observers.refresh()  # events of a level that nobody wanted
        for domain, selections in runtime.selections.items():
            await selections.apply(get_domain_settings(merged, domain))


class SettingsWatch:
    """Has the settings reloaded when one of *files* was saved; what is wrong with them is reported by the reload."""

    def __init__(self, files: tuple[Path, ...], reloader: Reloader) -> None:
        self._files = files
        self._reloader = reloader
        self._seen: object = file_versions(files)  # now: a save while the service starts counts

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            now: Versions | None = await asyncio.to_thread(file_versions, self._files)
            if now != self._seen:
                if (now := await asyncio.to_thread(settled_versions, self._files)) is None:
                    continue
                self._seen = now
                with suppress(Exception):  # the reload reported it; the last good settings stay in force
                    await self._reloader.reload("file")


def merged_settings(old: OneiricSettings, new: OneiricSettings) -> OneiricSettings:
    """Return *old* with what a reload applies of *new*."""
    merged = old.model_copy(deep=True)
    for domain in DOMAINS:
        layer, given = get_domain_settings(merged, domain), get_domain_settings(new, domain)
        layer.selections, layer.provider_settings = given.selections, given.provider_settings
    merged.secrets.inline, merged.secrets.refresh_interval = new.secrets.inline, new.secrets.refresh_interval
    merged.logging.level = new.logging.level
    for sink, given_sink in zip(merged.logging.sinks, new.logging.sinks, strict=False):
        if sink.level != given_sink.level:  # one that is not set follows the level above
            sink.level = given_sink.level
    merged.remote = _merged_source(merged.remote, new.remote)
    for name in merged.remotes.keys() & new.remotes.keys():
        merged.remotes[name] = _merged_source(merged.remotes[name], new.remotes[name])
    return merged


def _merged_source(old: RemoteSourceConfig, new: RemoteSourceConfig) -> RemoteSourceConfig:
    names = (name for name in type(old).model_fields if is_reloadable(f"remote.{name}") or name in _IN_PARTS)
    return old.model_copy(update={name: getattr(new, name) for name in names})


def is_reloadable(name: str) -> bool:
    """Whether a reload applies the setting *name*, such as ``remote.refresh_interval``."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in RELOADABLE)


def differences(old: OneiricSettings, new: OneiricSettings) -> Iterator[str]:
    """Yield the name of each setting that differs between *old* and *new*."""
    yield from _differences(old.model_dump(), new.model_dump(), ())


def _differences(old: Any, new: Any, at: tuple[str, ...]) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield ".".join(at)
        return
    for key in {**old, **new}:
        yield from _differences(old.get(key), new.get(key), (*at, str(key)))
