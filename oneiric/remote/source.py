"""A remote source: synchronise it once, or for as long as the runtime lives."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from oneiric.core.events import CircuitOpened, RemoteSync, SourceAdded, SourceRemoved, SourceState
from oneiric.core.redaction import host_of
from oneiric.core.resiliency import CircuitBreaker
from oneiric.remote.delivery import ArtifactCache, cache_for, to_its_end
from oneiric.remote.errors import reason_of
from oneiric.remote.ledger import LastSync, Ledger, name_of
from oneiric.remote.preparation import Preparation
from oneiric.remote.refreshing import Refreshing
from oneiric.remote.tally import Tally

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Callable

    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.events import State
    from oneiric.core.observers import Observers, Running
    from oneiric.core.resolution import Resolver
    from oneiric.remote.manifest import RemoteSyncResult
    from oneiric.remote.preparation import Prepared, Secrets


class RemoteSource:
    """Keeps what a resolver holds of one source equal to the source's manifest.

    What a manifest offers is registered in one step, once everything was verified; a synchronisation that fails
    changes nothing. For the tasks of one event loop; :meth:`states` may be called from any thread. The status file
    carries the last success, and the mark against replays, over a restart.

    Args:
        resolver: Where candidates are registered.
        config: The source, and every bound.
        cache: Where artifacts are kept; None makes one in ``config.cache_dir``, which this source starts, stops and
            reports the state of.
        state_dir: Where the status file is; None: in ``config.cache_dir``.
        observers: The seam to report through; None takes the resolver's.
        secrets: Where ``config.auth.secret_id`` is looked up.
        clock: Seconds since the epoch.
        transport: Makes the requests instead of the network.

    Attributes:
        source: The stable name of the source.
        last_sync: How the last synchronisation ended; replaced as a whole, so that any thread may read it.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        resolver: Resolver,
        config: RemoteSourceConfig,
        *,
        cache: ArtifactCache | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        observers: Observers | None = None,
        secrets: Secrets | None = None,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.resolver = resolver
        self.config = config
        self.source = config.name
        self.observers = observers or resolver.observers
        self.secrets = secrets
        self._owns_cache = cache is None
        self.cache = cache or cache_for(config, observers=self.observers, clock=clock)
        self._clock = clock
        self._transport = transport
        self.last_sync = LastSync()
        self._tls: ssl.SSLContext | None = None
        self._gone = False
        self._is_wanted = self._is_in_force = False
        self._announced = False
        self._early: list[Exception] = []
        self._state_dir = state_dir
        self._ledgers: dict[str, Ledger] = {}
        self._ledger = self._ledger_for(config.manifest_url)
        self._breaker = CircuitBreaker(
            name=self.source,
            failure_threshold=config.circuit_breaker_threshold,
            recovery_time=config.circuit_breaker_reset,
            clock=self.observers.clock,
        )
        self._turn = asyncio.Lock()
        self._tried = asyncio.Event()
        self._refreshing = Refreshing(self._interval_now(None, None))
        self._task: asyncio.Task[None] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a synchronisation was asked for and none has succeeded yet; callable from any thread."""
        return self._is_wanted and not self._is_in_force

    def announce(self) -> None:
        """Report that the source exists, once; done by the first :meth:`start` or :meth:`sync` at the latest."""
        if self._announced:
            return
        self._announced, self._gone = True, False
        self.observers.notify(SourceAdded(source=self.source))
        early, self._early = self._early, []
        for error in early:
            self._status_failed(error)

    def states(self) -> tuple[State, ...]:
        """Return the present state of the source until it is removed, and of the cache if the source made it."""
        return (*(() if self._gone else (self._state(),)), *(self.cache.states() if self._owns_cache else ()))

    async def sync(self, manifest_url: str | None = None) -> RemoteSyncResult | None:
        """Synchronise once with *manifest_url*, or else the configured one; one at a time, others wait.

        Another URL than the configured one counts as a manifest of its own: what it offers is registered beside, and
        replays are told apart. Returns None when it is skipped: the circuit is open, no URL is known (an empty one is
        none), or the source is disabled and *manifest_url* was not given. Raises what made it fail; then everything is
        as before.
        """
        self.announce()
        url = manifest_url or (self.config.manifest_url if self.config.enabled else None) or None
        self._is_wanted = self._is_wanted or url is not None
        async with self._turn:
            with self.observers.operation(RemoteSync(source=self.source, host=host_of(url or ""))) as running:
                if url is None:
                    running.settle("skipped", "disabled")
                    return None
                return await self._guarded(url, running)

    def start(self, *, manifest_url: str | None = None, interval_override: float | None = None) -> asyncio.Event:
        """Synchronise now and, if there is an interval, every interval, in the background; idempotent.

        *manifest_url* and *interval_override* stand in for what is configured. Returns what is set once the first
        synchronisation has succeeded or failed.
        """
        self.announce()
        if self._owns_cache:
            self.cache.start()
        if self._task is None or self._task.done():
            self._tried.clear()
            work = self._serve(manifest_url, interval_override)
            self._task = asyncio.get_running_loop().create_task(work, name=f"remote source {self.source}")
        return self._tried

    async def stop(self) -> None:
        """Stop what :meth:`start` started; idempotent. What is registered stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._owns_cache:
            await self.cache.stop()

    async def remove(self) -> None:
        """Stop, unregister everything this source registered, and report that it is gone; idempotent."""
        await self.stop()
        for ledger in self._ledgers.values():
            self.resolver.replace(ledger.owner, ())
            self.cache.protect(ledger.owner, ())
        self._gone = True
        if self._announced:
            self._announced = False
            self.observers.notify(SourceRemoved(source=self.source))

    async def run(self, interval_override: float | None = None, *, manifest_url: str | None = None) -> None:
        """Synchronise every interval, the first time after one, until cancelled; failures are reported and survived.

        Returns at once where there is nothing to do: no URL, or no interval (None or 0), and as soon as there is none.
        """
        await self._refreshing.run(
            lambda: self._interval_now(interval_override, manifest_url), lambda: self._sync_surviving(manifest_url)
        )

    def reconfigure(self, config: RemoteSourceConfig) -> None:
        """Go by *config* from the next synchronisation on, but for name, URL, cache and circuit breaker."""
        self.config = config
        self._tls = None
        self._refreshing.change()

    def _state(self) -> SourceState:
        status = self._ledger.status
        return SourceState(
            source=self.source,
            consecutive_failures=status.consecutive_failures,
            interval=self._refreshing.interval,
            loop_running=self._refreshing.is_running,
            circuit_open=self._breaker.is_open,
            last_success=status.last_success,
            last_attempt=status.last_attempt,
            manifest_expiry=status.manifest_expiry,
            registered=status.registered,
            skipped=status.skipped,
        )

    async def _serve(self, manifest_url: str | None, interval_override: float | None) -> None:
        with self._refreshing.living():
            await self._sync_surviving(manifest_url)
            self._tried.set()
            await self.run(interval_override, manifest_url=manifest_url)
        while True:  # there is no interval: wait for one
            await self._refreshing.changed()
            await self.run(interval_override, manifest_url=manifest_url)

    def _interval_now(self, override: float | None, manifest_url: str | None) -> float:
        config = self.config
        interval = (config.refresh_interval if override is None else override) or 0.0
        return interval if manifest_url or (config.enabled and config.manifest_url) else 0.0

    async def _sync_surviving(self, manifest_url: str | None) -> None:
        with suppress(Exception):  # reported where it was raised; the next refresh must come
            await self.sync(manifest_url)

    async def _guarded(self, url: str, running: Running[RemoteSync]) -> RemoteSyncResult | None:
        if self._breaker.is_open:
            running.settle("skipped", "circuit_open")
            self._circuit_opened(self._breaker.retry_after)
            return None
        try:
            return await self._breaker.call(lambda: self._synchronise(url, running))
        except Exception as error:
            await self._failed(error, running)
            if self._breaker.is_open:
                self._circuit_opened(self._breaker.retry_after)
            raise

    async def _synchronise(self, url: str, running: Running[RemoteSync]) -> RemoteSyncResult:
        started, tally = self.observers.clock(), Tally(max_bytes=self.config.cache_max_bytes)
        self._ledger = ledger = self._ledger_for(url)
        ledger.attempted()
        claim = f"{ledger.owner} (in progress)"
        try:
            preparation = Preparation(
                config=self.config,
                cache=self.cache,
                observers=self.observers,
                secrets=self.secrets,
                claim=lambda digests: self.cache.protect(claim, digests),
                tally=tally,
                tls=await self._tls_context(),
                transport=self._transport,
            )
            mark = await asyncio.to_thread(ledger.mark)
            prepared = await preparation.prepare(url, mark=mark, now=self._clock())
            result = await to_its_end(self._commit, prepared, tally, running, started)
        finally:
            running.update(digest_checks=tally.digest_checks, artifacts=tally.artifacts)
            self.cache.protect(claim, ())
        await self.cache.tidy()
        return result

    def _commit(
        self, prepared: Prepared, tally: Tally, running: Running[RemoteSync], started: float
    ) -> RemoteSyncResult:
        """Let *prepared* take effect and write that down; blocks in proportion to its entries."""
        owner = self._ledger.owner
        self.resolver.replace(owner, prepared.candidates)
        self._is_in_force = True
        running.update(registered=len(prepared.candidates), skipped=prepared.rejected)
        running.settle("success")
        self.cache.protect(owner, prepared.digests)
        self._ledger.accepted(prepared)
        result = prepared.result(duration=self.observers.clock() - started)
        self._ledger.remember_success(result, tally)
        self.last_sync = LastSync(self._clock(), result)
        return result

    def _ledger_for(self, url: str | None) -> Ledger:
        """Return the ledger of the manifest at *url*; what a signed or tokenised URL carries makes no other one."""
        name = name_of(self.source, url, configured=self.config.manifest_url)
        if name not in self._ledgers:
            directory = self._state_dir or self.config.cache_dir
            self._ledgers[name] = Ledger(name, directory, clock=self._clock, on_problem=self._status_failed)
        return self._ledgers[name]

    async def _failed(self, error: Exception, running: Running[RemoteSync]) -> None:
        running.update(consecutive_failures=self._ledger.refused())
        self.last_sync = self.last_sync.failed(error)
        running.fail(reason_of(error), error)
        await asyncio.to_thread(self._ledger.remember_failure, error)

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # costs tens of milliseconds
            self._tls = await asyncio.to_thread(httpx.create_ssl_context, verify=self.config.verify_tls)
        return self._tls

    def _circuit_opened(self, retry_after: float) -> None:
        self.observers.notify(CircuitOpened(source=self.source, retry_after_seconds=retry_after))

    def _status_failed(self, error: Exception) -> None:
        if self._announced:
            self.observers.hook_failed("remote_status", error)
        else:  # who wants to know may not be attached yet
            self._early.append(error)
