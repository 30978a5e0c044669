"""What the lifecycle manager knows of its components: their status, their health, and how that is kept in a file."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.events import ComponentState, LifecycleCount
from oneiric.core.lifecycle.status import LastCheck, LifecycleStatus, after_restart, parse_status
from oneiric.core.lifecycle.status_file import StatusFile, keep_damaged, read_entries

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from oneiric.core.events import State
    from oneiric.core.observers import Observers

Component: TypeAlias = tuple[str, str]
"""Domain and key."""

SINK = "lifecycle_status"
"""Names the status file where its failures are reported."""

_RETRY_SECONDS = 1.0
_MILLISECONDS = 1000.0
_DECIMALS = 3


class StatusBook:
    """The statuses of one manager, thread-safe; a change replaces a status, so that what was handed out stays.

    A file that cannot be read or written is reported, and the statuses live on in memory. So they do, without a report,
    while another owner has the file: it is looked after at later changes whether that one has let go.

    Args:
        path: Status file, or None to keep none.
        observers: Whom failures of the file are reported to.
        clock: Seconds since the epoch.
        max_samples: So many durations are kept of each component.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        observers: Observers,
        clock: Callable[[], float],
        max_samples: int,
    ) -> None:
        self._observers = observers
        self._clock = clock
        self._max_samples = max_samples
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._statuses: dict[Component, LifecycleStatus] = {}
        self._health: dict[Component, LastCheck] = {}
        self._swaps: Counter[str] = Counter()
        self._path = None if path is None else Path(path)
        self._file: StatusFile | None = None
        self._others: set[Component] = set()  # known from the file of another owner only
        self._held_back = False
        self._next_try = float("-inf")
        renew_after_fork(self._renew)
        with self._reporting(), self._file_lock:
            self._open()

    def get(self, component: Component) -> LifecycleStatus | None:
        """Return the status of *component*, or None if it was never touched."""
        with self._lock:
            return self._statuses.get(component)

    def all(self) -> list[LifecycleStatus]:
        """Return every status, in the order in which the components were first touched."""
        with self._lock:
            return list(self._statuses.values())

    @contextlib.contextmanager
    def swapping(self, domain: str) -> Iterator[None]:
        """Count a swap of *domain* as in progress."""
        self._count_swap(domain, 1)
        try:
            yield
        finally:
            self._count_swap(domain, -1)

    def activating(self, component: Component, provider: str | None) -> None:
        """Record that *provider* is being activated."""
        self._change(component, state="activating", pending_provider=provider, last_error=None)

    def ready(self, component: Component, provider: str | None, *, seconds: float) -> None:
        """Record that *provider* serves, after an attempt of *seconds*."""
        old = self.get(component) or LifecycleStatus(*component)
        self._change(
            component,
            state="ready",
            current_provider=provider,
            pending_provider=None,
            last_activated_at=self._now(),
            successful_swaps=old.successful_swaps + 1,
            **self._timed(old, seconds),
        )

    def failed(self, component: Component, provider: str | None, error: str, *, seconds: float) -> None:
        """Record that an attempt of *seconds* failed with *error*, and that *provider*, or nobody, serves on."""
        old = self.get(component) or LifecycleStatus(*component)
        self._change(
            component,
            state="failed",
            current_provider=provider,
            pending_provider=None,
            last_error=error,
            failed_swaps=old.failed_swaps + 1,
            **self._timed(old, seconds),
        )

    def closed(self, component: Component) -> None:
        """Record that nobody serves any more."""
        self._change(component, state="unknown", current_provider=None, pending_provider=None)

    def noted(self, component: Component, error: str) -> None:
        """Record an *error* that changed nothing else."""
        self._change(component, last_error=error)

    def checked(self, component: Component, *, healthy: bool | None) -> float | None:
        """Record the end of a health check, None if there was nothing to check.

        Returns the seconds for which the component was failing, if it no longer is.
        """
        now = self._observers.clock()
        with self._lock:
            old = self._health.pop(component, None)
            since = old.failing_since if old else None
            if healthy is not None:
                failing_since = None if healthy else now if since is None else since
                self._health[component] = LastCheck(healthy, self._clock(), failing_since)
        self._change(component, last_health_at=self._now())
        return max(now - since, 0.0) if healthy and since is not None else None

    def states(self, serving: Mapping[Component, str]) -> Iterator[State]:
        """Yield what is so now of every domain and component, given the provider that serves each."""
        with self._lock:
            statuses = {key: status for key, status in self._statuses.items() if key not in self._others}
            health, swaps = self._health.copy(), self._swaps.copy()
        by_state = Counter((component[0], status.state) for component, status in statuses.items())
        instances = Counter(domain for domain, _ in serving)
        for domain in dict.fromkeys([*swaps, *(domain for domain, _ in statuses)]):
            yield LifecycleCount(
                domain=domain,
                swaps_in_progress=swaps[domain],
                instances=instances[domain],
                ready=by_state[domain, "ready"],
                activating=by_state[domain, "activating"],
                failed=by_state[domain, "failed"],
            )
        for component in statuses:
            check = health.get(component)
            yield ComponentState(
                domain=component[0],
                key=component[1],
                provider=serving.get(component),
                healthy=check.healthy if check else None,
                checked_at=check.checked_at if check else None,
            )

    def keep(self, *, wanted: bool) -> None:
        """Write the file from now on if nobody else does, or leave it to others until it is wanted again."""
        with self._reporting(), self._file_lock:
            self._held_back = not wanted
            self._next_try = float("-inf")
            if wanted:
                self._open()
        if not wanted:
            self.let_go()

    def let_go(self) -> None:
        """Let others have the file, which is written again at the next change if nobody has it then."""
        with self._file_lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def close(self, error: str) -> None:
        """Record that what is being activated has failed with *error*, and let go of the file; idempotent."""
        with self._lock:
            statuses = [status for component, status in self._statuses.items() if component not in self._others]
        for status in statuses:
            if status.state == "activating":
                self._change((status.domain, status.key), state="failed", pending_provider=None, last_error=error)
        self._path = None
        self.let_go()

    def _timed(self, old: LifecycleStatus, seconds: float) -> dict[str, Any]:
        duration = round(seconds * _MILLISECONDS, _DECIMALS)
        recent = [*old.recent_swap_durations_ms, duration]
        return {
            "last_swap_duration_ms": duration,
            "recent_swap_durations_ms": recent[-self._max_samples :] if self._max_samples else [],
        }

    def _count_swap(self, domain: str, change: int) -> None:
        with self._lock:
            count = self._swaps[domain] + change
            if count:
                self._swaps[domain] = count
            else:
                del self._swaps[domain]

    def _change(self, component: Component, **changes: Any) -> None:
        with self._lock:
            old = self._statuses.get(component) or LifecycleStatus(*component)
            self._others.discard(component)
            if changes.get("state", old.state) != old.state:
                changes["last_state_change_at"] = self._now()
            self._statuses[component] = replace(old, **changes)
        self._save(component)

    def _save(self, component: Component) -> None:
        if self._path is None and self._file is None:
            return
        with self._reporting(), self._file_lock:
            if (file := self._open()) is None:
                return
            with self._lock:  # the latest, whoever changed it since
                status = self._statuses[component]
            try:
                file.save(component, status.as_dict(), self._entries)
            except BlockingIOError:  # its lock was lost, and another owner has it
                file.close()
                self._file = None

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._observers.hook_failed(SINK, error)

    def _renew(self) -> None:
        self._lock, self._file_lock = threading.Lock(), threading.Lock()
        if self._file is not None:  # the parent's
            self._file.close()
            self._file = None

    def _open(self) -> StatusFile | None:
        """Return the file, opened and read at the first time that it can be; None while another owner has it."""
        if self._file is not None or self._path is None or self._held_back:
            return self._file
        if self._observers.clock() < self._next_try:
            return None
        path = self._path
        try:
            file = StatusFile(path)
        except BlockingIOError:
            self._next_try = self._observers.clock() + _RETRY_SECONDS
            self._load(path, of_another=True)
            return None
        data, damage = self._load(path, of_another=False)
        if damage:
            keep_damaged(path, data)
        file.rewrite(self._entries())
        self._file = file
        if damage:
            raise ValueError(f"{path.name} was damaged, the original is kept beside it: {damage}")
        return file

    def _load(self, path: Path, *, of_another: bool) -> tuple[bytes, str]:
        """Take in what the file holds of components that are not our own: as it is if *of_another* owner, who lives."""
        content = read_entries(path)
        damage = [content.damage] if content.damage else []
        for number, entry in enumerate(content.entries):
            status, bad = parse_status(entry)
            damage.extend(f"entry {number}: {field}" for field in bad)
            if status is None:
                continue
            component = (status.domain, status.key)
            with self._lock:
                if component in self._statuses and component not in self._others:
                    continue
                self._statuses[component] = status if of_another else after_restart(status)
                if of_another:
                    self._others.add(component)
        if not of_another:
            with self._lock:
                self._others.clear()
        return content.data, "; ".join(damage)

    def _entries(self) -> dict[Hashable, dict[str, Any]]:
        with self._lock:
            statuses = self._statuses.copy()
        return {component: status.as_dict() for component, status in statuses.items()}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
