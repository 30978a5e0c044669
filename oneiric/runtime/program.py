"""The service as a program: from settings and modules to a running process, and its end.

The runtime is imported once the settings are known to be right: that takes long, and what is wrong is said at once.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.core.config import SettingsError, apply_profile_with_fallback, load_settings, settings_files
from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from oneiric.core.config import OneiricSettings
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

NOT_STOPPED = 1
"""Exit code of a service that could not be closed in time."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """Where a runtime takes its settings and its components from.

    Attributes:
        config: The settings file; None: the one that ``ONEIRIC_CONFIG`` names, and those that are found.
        imports: Modules to import; functions ``register(resolver)`` and ``connect(runtime)`` of theirs are called.
        profile: The profile to apply; None: the configured one.
        log_level: The level to log at; None: the configured one.
    """

    config: Path | None = None
    imports: tuple[str, ...] = ()
    profile: str | None = None
    log_level: str | None = None

    def settings(self) -> OneiricSettings:
        """Return the settings; SettingsError where they are wrong."""
        settings = apply_profile_with_fallback(load_settings(self.config), self.profile)
        if self.log_level is not None:
            settings.logging.level = self.log_level
        return settings

    def runtime(self, settings: OneiricSettings) -> RuntimeOrchestrator:
        """Return a runtime with everything registered, not started; SettingsError for a module of no use."""
        from oneiric.runtime.orchestrator import RuntimeOrchestrator  # noqa: PLC0415 - see above

        runtime = RuntimeOrchestrator(settings, watch_settings=False)  # a service reads all of them again, on its own
        import_modules(self.imports, runtime)
        return runtime


def run_service(
    program: Program, *, manifest_url: str | None, refresh_interval: float | None, enable_remote: bool
) -> None:
    """Run the service of *program* until it is asked to end; SettingsError for settings or state of no use.

    Where not all was closed in time, the process is ended with :data:`NOT_STOPPED` and does not wait for its threads.
    """
    settings = program.settings()
    from oneiric.core.logging import configure_logging  # noqa: PLC0415 - see above

    handles = [configure_logging(settings.logging)]

    def set_levels(settings: OneiricSettings) -> None:
        handles.append(configure_logging(settings.logging))

    async def serve() -> None:
        if not await _serve(program, settings, manifest_url, refresh_interval, enable_remote, set_levels):
            handles[-1].close()
            sys.stderr.flush()
            os._exit(NOT_STOPPED)  # the loop would wait for the threads of what hangs

    try:
        asyncio.run(serve())
    finally:
        handles[-1].close()


async def _serve(  # noqa: PLR0913, PLR0917 - the options, passed on
    program: Program,
    settings: OneiricSettings,
    manifest_url: str | None,
    interval: float | None,
    remote: bool,  # noqa: FBT001 - likewise
    set_levels: Callable[[OneiricSettings], None],
) -> bool:
    from oneiric.core.activity import ActivityStoreError  # noqa: PLC0415 - see above
    from oneiric.runtime.daemon import Service  # noqa: PLC0415 - likewise
    from oneiric.runtime.reload import Reloader, SettingsWatch  # noqa: PLC0415 - likewise

    try:
        runtime = program.runtime(settings)
    except ActivityStoreError as error:  # a directory of somebody else, say
        raise SettingsError(str(error)) from error
    files = settings_files(program.config)
    reloader = Reloader(runtime, program.settings, set_levels=set_levels, files=files)
    watch = SettingsWatch(files, reloader) if settings.profile.watchers_enabled else None
    service = Service(
        runtime,
        manifest_url=manifest_url,
        refresh_interval=interval,
        enable_remote=remote,
        reloader=reloader,
        watch=watch,
    )
    return await service.run()


def import_modules(names: Iterable[str], runtime: RuntimeOrchestrator) -> None:
    """Import the modules *names* from the path and the current directory, and have each register its candidates.

    ``register(resolver)`` of a module is called, and ``connect(runtime)``, with which a component reaches others.
    SettingsError where one cannot be imported, or where what it registers is refused.
    """
    for name in names:
        if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109 - compared with strings
            sys.path.insert(0, os.getcwd())  # noqa: PTH109 - likewise
        try:
            module = importlib.import_module(name)
            for function, argument in (("register", runtime.resolver), ("connect", runtime)):
                if callable(found := getattr(module, function, None)):
                    found(argument)
        except Exception as error:
            error_type, text = describe(error)
            raise SettingsError(f"--import {name}: {error_type}: {text}") from error
