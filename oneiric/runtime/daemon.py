"""The service: one runtime that is started, commanded, reloaded and stopped from outside."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from oneiric._version import __version__
from oneiric.core.config import SettingsError, control_socket_path
from oneiric.core.events import RuntimeReady, RuntimeStarting, RuntimeStopping
from oneiric.runtime.commands import Command, commands_of
from oneiric.runtime.control.errors import answer_is_no
from oneiric.runtime.control.listening import ControlSocket
from oneiric.runtime.control.peers import Rights
from oneiric.runtime.control.server import ControlServer
from oneiric.runtime.notify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from oneiric.runtime.orchestrator import RuntimeOrchestrator
    from oneiric.runtime.reload import Origin, Reloader, SettingsWatch

STATUS_SECONDS = 1.0
"""How often the service manager is informed of the progress of a start."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


class Service:
    """Runs *runtime* until SIGTERM, SIGINT or :meth:`end`, with its control socket, and reports to a service manager.

    Args:
        runtime: What to run, not started yet; it is stopped at the end.
        manifest_url: Where the main source's manifest is, instead of where its settings say.
        refresh_interval: Seconds between synchronisations with the main source, instead of its settings'.
        enable_remote: Whether to synchronise at all.
        reloader: Reads the settings again at SIGHUP and on command; None: nothing does.
        watch: Has them read again when a file was saved; None: nothing does.
        manager: The service manager; None: the one of the environment.
    """

    def __init__(  # noqa: PLR0913 - the options, one by one
        self,
        runtime: RuntimeOrchestrator,
        *,
        manifest_url: str | None = None,
        refresh_interval: float | None = None,
        enable_remote: bool = True,
        reloader: Reloader | None = None,
        watch: SettingsWatch | None = None,
        manager: ServiceManager | None = None,
    ) -> None:
        self.runtime = runtime
        self._reloader = reloader
        self._watch = watch
        runtime.health.watchers_running = watch is not None
        self._reloads: set[asyncio.Task[object]] = set()
        self._start_options = (manifest_url, refresh_interval, enable_remote)
        self._manager = manager if manager is not None else ServiceManager()
        self._ending = asyncio.Event()
        self._reason = ""

    async def run(self) -> bool:
        """Run, and return whether everything was closed in time; SettingsError for what cannot be listened on."""
        faulthandler.enable()  # SIGABRT, from a watchdog say, shows where every thread stood
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self.end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reload_at_signal)
        try:
            return await self._run()
        finally:
            for number in (*_ENDING, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def reload(self, origin: Origin) -> dict[str, list[str]]:
        """Have the settings read again, and the service manager know of it; see :meth:`Reloader.reload`."""
        if self._reloader is None:
            raise SettingsError("this service has no settings to read again")
        self._manager.reloading()
        try:
            return await self._reloader.reload(origin)
        finally:
            self._manager.ready(f"running: {self._progress()}")

    def _reload_at_signal(self) -> None:
        if not self.runtime.started:
            return  # what is read at the start is new enough
        task: asyncio.Task[object] = asyncio.ensure_future(self._reload_surviving())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_surviving(self) -> None:
        with suppress(Exception):  # reported by the reload; the last good settings stay in force
            await self.reload("signal")

    def end(self, reason: str) -> None:
        """Begin the end; idempotent."""
        self._reason = self._reason or reason
        self._ending.set()

    async def _run(self) -> bool:
        try:
            async with AsyncExitStack() as stack:
                if self._manager.watchdog_seconds is not None:
                    await self._background(stack, self._watchdog(self._manager.watchdog_seconds))
                if self.runtime.settings.control.enabled:
                    await self._start_control(stack)
                if await self._start():
                    self._report_ready()
                    if self._watch is not None:
                        await self._background(stack, self._watch.run())
                    await self._ending.wait()
                self._report_stopping()
        finally:
            stopped = await self._stopped()
        return stopped

    async def _start_control(self, stack: AsyncExitStack) -> None:
        settings = self.runtime.settings
        rights = Rights.of(settings.control)
        server = ControlServer(
            ControlSocket(control_socket_path(settings, os.environ), rights),
            {**commands_of(self.runtime), "reload": Command("change", self._reload_command, needs_service=True)},
            rights=rights,
            settings=settings.control,
            observers=self.runtime.observers,
            release=__version__,
        )
        stack.push_async_callback(server.stop)
        await server.start()

    async def _reload_command(self, _: object) -> dict[str, list[str]]:
        try:
            return await self.reload("command")
        except SettingsError as error:
            raise answer_is_no(
                f"the settings are not read again: {error}", "the last good ones stay in force"
            ) from error

    async def _start(self) -> bool:
        """Start the runtime and return True; where the end is asked for meanwhile, give that up and return False."""
        manifest_url, interval, remote = self._start_options
        start = asyncio.create_task(
            self.runtime.start(manifest_url=manifest_url, refresh_interval_override=interval, enable_remote=remote)
        )
        end = asyncio.create_task(self._ending.wait())
        try:
            while not (start.done() or end.done()):
                await asyncio.wait([start, end], timeout=STATUS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                self._manager.status(f"starting: {self._progress()}")
                if not (start.done() or end.done()):
                    self._report_starting()
            if start.done():
                start.result()
            return start.done()
        finally:
            for task in (start, end):
                task.cancel()
            await asyncio.wait([start, end])

    def _progress(self) -> str:
        required, active = self._required()
        return f"{active} of {required} required components active"

    def _required(self) -> tuple[int, int]:
        """Return how many components must run, and how many of them are active."""
        required = self.runtime.required
        return len(required), len(required) - required.missing_count

    def _report_starting(self) -> None:
        required, active = self._required()
        self.runtime.observers.notify(RuntimeStarting(required=required, active=active))

    def _report_ready(self) -> None:
        required, active = self._required()
        self.runtime.observers.notify(RuntimeReady(required=required, active=active))
        self._manager.ready(f"running: {self._progress()}")

    def _report_stopping(self) -> None:
        self._manager.stopping()
        self.runtime.observers.notify(RuntimeStopping(reason=self._reason))

    async def _stopped(self) -> bool:
        """Stop the runtime within its time and return True, or say that it did not and return False."""
        stopping = asyncio.ensure_future(self.runtime.stop())
        done, _ = await asyncio.wait([stopping], timeout=self.runtime.settings.runtime.stop_timeout)
        if done:
            stopping.result()
            return True
        faulthandler.dump_traceback(sys.stderr)
        return False

    async def _watchdog(self, seconds: float) -> None:
        """Give signs of life, from the loop itself: one that is blocked gives none."""
        while True:
            self._manager.alive()
            await asyncio.sleep(seconds / 2)

    async def _background(self, stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)

        async def cancel() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        stack.push_async_callback(cancel)
