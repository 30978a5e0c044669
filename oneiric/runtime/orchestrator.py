"""The composition root: one runtime, wired from its settings, started and stopped as a whole."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from oneiric.core.config import (
    OneiricSettings,
    SecretsHook,
    SettingsError,
    resolver_settings_from_config,
    runtime_health_path,
)
from oneiric.core.events import RuntimeState
from oneiric.core.lifecycle import LifecycleError, LifecycleManager
from oneiric.core.logging import report_notes
from oneiric.core.resolution import Resolver
from oneiric.domains.selections import DomainSelections
from oneiric.observability import Telemetry, attach
from oneiric.plugins import register_entrypoint_plugins
from oneiric.runtime.bridges import bridges_of
from oneiric.runtime.following import Following
from oneiric.runtime.health_reports import HealthLoop
from oneiric.runtime.required import RequiredComponents
from oneiric.runtime.secrets import SecretsRefresher
from oneiric.runtime.serving import MetricsServing
from oneiric.runtime.sources import RemoteSources
from oneiric.runtime.state import activity_store_of, lifecycle_of, supervisor_of
from oneiric.runtime.workers import Leadership, Succession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from oneiric.core.events import State
    from oneiric.core.observers import Observers
    from oneiric.domains.base import DomainBridge
    from oneiric.observability import MetricsServer
    from oneiric.remote.manifest import RemoteSyncResult


class RuntimeOrchestrator:
    """One runtime: what it is given it uses, what it is not given it makes, and what it starts it stops.

    Telemetry is attached when it is made, so that nothing is missed, and exports from then on what the settings say;
    ``stop`` exports and pushes what is left. ``start`` serves the metrics, synchronises the
    remote sources and probes the health of what is active. As an async context manager it starts and stops. One event
    loop at a time; after ``stop`` make a new one.

    Args:
        settings: The settings; None: those of the environment, then of the file that ``ONEIRIC_CONFIG`` names, then the
            defaults.
        resolver: What resolves; None: a new one, ranking by the settings.
        lifecycle: What activates; None: a new one, which ``stop`` closes with every instance it holds.
        secrets: Where remote sources get their credentials; None: where ``settings.secrets`` says.
        health_path: Where the runtime's health file is written; None: in the state directory.
        observers: Through what a resolver made here reports; one that is given has its own.
        watch_settings: Whether to watch the settings files, where ``profile.watchers_enabled`` has nothing against it.

    Attributes:
        bridges: The six bridges, by domain; each also under its own name, ``adapter_bridge`` and so on.
        activity_store: Keeps pauses and drains.
        following: Watches the settings, and pauses and drains of other processes.
        health: Writes the health file.
        plugins: What the plugins brought that the settings name; they are loaded when it is made.
        remotes: The remote sources.
        secrets_refresher: Makes the secrets provider ready, and renews what is kept of it.
        supervisor: Notices pauses and drains of other processes; None where the settings switch it off.
        telemetry: The attached telemetry, or None where the settings switch it off.
    """

    def __init__(  # noqa: PLR0913 - published
        self,
        settings: OneiricSettings | None = None,
        resolver: Resolver | None = None,
        lifecycle: LifecycleManager | None = None,
        secrets: Any = None,
        *,
        health_path: str | Path | None = None,
        observers: Observers | None = None,
        watch_settings: bool = True,
    ) -> None:
        self.settings = settings = OneiricSettings() if settings is None else settings
        report_notes(settings)
        self.resolver = resolver or Resolver(resolver_settings_from_config(settings), observers=observers)
        self.observers = self.resolver.observers
        self.secrets = secrets
        self._exporting: Telemetry | None = None
        self._turn = asyncio.Lock()
        self._started: AsyncExitStack | None = None
        self._stopped = False
        with ExitStack() as made:
            self._make(made, lifecycle)
            self._made = made.pop_all()
        self._make_bridges()
        self.plugins = register_entrypoint_plugins(self.resolver, settings.plugins)
        watches = watch_settings and settings.profile.watchers_enabled
        self.following = Following(settings, self.bridges, self.selections, self.supervisor, watches=watches)
        self.secrets_refresher = SecretsRefresher(
            self.secrets, self.observers, interval=settings.secrets.refresh_interval
        )
        self.required = RequiredComponents(settings.runtime, self.bridges, self.observers)
        if self.telemetry is not None:
            self.telemetry.add(self)
            self._made.callback(self.telemetry.remove, self)
        self.health = HealthLoop(
            self.lifecycle,
            self.activity_store,
            self.remotes,
            self.observers,
            path=Path(health_path or runtime_health_path(settings)),
            interval=settings.observability.probe_interval,
        )
        if settings.problems:
            self.observers.hook_failed("settings", SettingsError("; ".join(settings.problems)))

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
    def metrics_server(self) -> MetricsServer | None:
        """The server of the metrics while it listens, else None."""
        return self._serving.listening

    @property
    def ready(self) -> bool:
        """Whether it is started, knows what is paused, has every source's manifest, and all active that must run."""
        return self.started and not (self.activity_store.refuses or self.remotes.pending or self.required.missing_count)

    @property
    def started(self) -> bool:
        """Whether it has started and is not stopping."""
        return self._started is not None

    def states(self) -> tuple[State, ...]:
        """Return whether it is ready, and how many of the components that must run are active."""
        missing = self.required.missing_count
        return (RuntimeState(ready=self.ready, active=len(self.required) - missing, missing=missing),)

    async def start(
        self,
        *,
        manifest_url: str | None = None,
        refresh_interval_override: float | None = None,
        enable_remote: bool = True,
    ) -> None:
        """Start everything; idempotent. If something raises, what was started is stopped again.

        A metrics port that is taken and a remote source that cannot be synchronised are reported and do not raise.

        Args:
            manifest_url: Where the main source's manifest is, instead of where its settings say.
            refresh_interval_override: Seconds between synchronisations with the main source, instead of its settings'.
            enable_remote: Whether to synchronise at all.

        Raises:
            LifecycleError: It was stopped before.
        """
        async with self._turn:
            self._require_open()
            if self._started is not None:
                return
            self.observers.refresh()  # logging may have been configured since this was made
            if self._exporting is not None:
                self._exporting.start_exporting()  # in a forked child anew
            async with AsyncExitStack() as stack:
                self._serving.prepare()
                stack.push_async_callback(self._serving.stop)
                succession = Succession(self._leadership, self._take_part, observers=self.observers)
                stack.push_async_callback(succession.stop)
                await succession.start()
                if self.health.writes:
                    await self.health.begin()
                stack.push_async_callback(self.secrets_refresher.stop)
                await self.secrets_refresher.start()
                with_remotes = enable_remote and self.settings.profile.remote_enabled
                if with_remotes:
                    await self._start_remotes(stack, manifest_url, refresh_interval_override)
                stack.push_async_callback(self.required.stop)
                await self.required.start()
                stack.push_async_callback(self.following.stop)
                await self.following.start()
                self.health.watchers_running |= bool(self.following.watchers)
                self.health.start(remote_enabled=with_remotes)
                stack.push_async_callback(self.health.stop)
                await self.health.write(running=True)
                self._started = stack.pop_all()

    async def stop(self) -> None:
        """Stop everything that was started or made here, whatever fails on the way; idempotent.

        A start that is under way is waited for, and then undone.
        """
        async with self._turn:
            if self._stopped:
                return
            self._stopped = True
            started, self._started = self._started, None
            async with AsyncExitStack() as stack:
                stack.callback(self._made.close)
                if self._exporting is not None and self._exporting.holders == 1:  # while there is something to read
                    stack.push_async_callback(asyncio.to_thread, self._exporting.stop_exporting)
                if self._owns_lifecycle:
                    stack.push_async_callback(self.lifecycle.aclose)
                stack.push_async_callback(self.health.write, running=False)
                stack.push_async_callback(self.remotes.close)
                if started is not None:
                    stack.push_async_callback(started.aclose)

    async def sync_remote(self, manifest_url: str | None = None) -> RemoteSyncResult | None:
        """Synchronise with the main source now, and raise what goes wrong; None where it is disabled or held off."""
        self._require_open()
        try:
            return await self.remotes.ensure(self.settings.remote).sync(manifest_url)
        finally:
            await self.health.write_remote(running=self.started)

    def _require_open(self) -> None:
        if self._stopped:
            raise LifecycleError("This runtime was stopped; make a new one")

    def _make(self, made: ExitStack, lifecycle: LifecycleManager | None) -> None:
        """Make the parts; *made* undoes that. Telemetry first, so that it sees what the others find."""
        settings = self.settings
        self.telemetry = self._attach(made) if settings.observability.enabled else None
        self.activity_store = activity_store_of(settings, self.observers)
        made.callback(self.activity_store.close)
        self.supervisor = supervisor_of(settings, self.activity_store)
        options = settings.observability
        address = options.metrics_address if options.enabled and options.metrics_server else ""
        self._leadership = Leadership(runtime_health_path(settings).parent, address=address)
        made.callback(self._leadership.forget)
        self._serving = MetricsServing(
            settings, self.telemetry, self._leadership, observers=self.observers, ready=lambda: self.ready
        )
        self._owns_lifecycle = lifecycle is None
        self.lifecycle = lifecycle or lifecycle_of(settings, self.resolver)
        if self.secrets is None:
            self.secrets = SecretsHook(self.lifecycle, settings.secrets)
        self.remotes = RemoteSources(self.resolver, settings, secrets=self.secrets, telemetry=self.telemetry)
        for config in (settings.remote, *settings.remotes.values()):
            if config.enabled:
                self.remotes.add(config)
        if self.telemetry is not None:
            for part in (self.lifecycle, self.activity_store, self.remotes.cache):
                self.telemetry.add(part)
                made.callback(self.telemetry.remove, part)

    def _attach(self, made: ExitStack) -> Telemetry:
        before = self.observers.attached
        try:
            telemetry = attach(self.resolver, settings=self.settings)
        except (ImportError, OSError, ValueError) as error:
            raise SettingsError(f"observability: {error}") from error
        if telemetry not in before or telemetry.holders:  # what an application attached stays
            made.callback(telemetry.hold())
            self._exporting = telemetry
        return telemetry

    def _make_bridges(self) -> None:
        bridges = bridges_of(self.settings, self.resolver, self.lifecycle, self.activity_store, self.supervisor)
        self.adapter_bridge, self.service_bridge, self.task_bridge, *_ = bridges
        *_, self.event_bridge, self.workflow_bridge, self.action_bridge = bridges
        self.bridges: Mapping[str, DomainBridge] = bridges.by_domain()
        self.selections = {domain: DomainSelections(bridge) for domain, bridge in self.bridges.items()}

    async def _take_part(self, leads: bool) -> None:  # noqa: FBT001 - as Succession calls it
        """Serve and keep the files if this process leads, else leave that to the one that does."""
        begins = leads and not self.health.writes
        self.health.writes = leads
        self.lifecycle.keep_statuses(wanted=leads)
        await self._serving.serve(leads=leads)
        if begins:
            await self.health.begin()

    async def _start_remotes(self, stack: AsyncExitStack, manifest_url: str | None, interval: float | None) -> None:
        stack.push_async_callback(self.remotes.stop)
        if manifest_url is not None:
            self.remotes.ensure(self.settings.remote)
        await self.remotes.start(main=self.settings.remote.name, manifest_url=manifest_url, interval=interval)


@asynccontextmanager
async def orchestrated_runtime(
    settings: OneiricSettings, resolver: Resolver, lifecycle: LifecycleManager, secrets: Any
) -> AsyncIterator[RuntimeOrchestrator]:
    """Start a runtime of these parts, yield it, and stop it."""
    async with RuntimeOrchestrator(settings, resolver, lifecycle, secrets) as orchestrator:
        yield orchestrator
