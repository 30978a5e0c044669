"""How the components of a domain stand, and how the runtime is."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from oneiric._version import __version__
from oneiric.core.config import runtime_health_path, state_directory
from oneiric.core.redaction import mask
from oneiric.remote import load_remote_telemetry
from oneiric.runtime.commands.command import Command, domain_of, flag, text, unknown_key
from oneiric.runtime.commands.summaries import activity_of, swaps_of
from oneiric.runtime.health import load_runtime_health

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.core.activity import DomainActivity
    from oneiric.core.lifecycle import LifecycleStatus
    from oneiric.core.resolution import Candidate
    from oneiric.domains.base import DomainBridge
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands(runtime: RuntimeOrchestrator, *, offline: bool) -> dict[str, Command]:
    """Return the commands about how *runtime* is."""
    status = _Status(runtime, offline=offline)
    return {"status": Command("read", status.status), "health": Command("read", status.health)}


class _Status:
    def __init__(self, runtime: RuntimeOrchestrator, *, offline: bool) -> None:
        self._runtime = runtime
        self._offline = offline

    async def status(self, fields: Fields) -> dict[str, Any]:
        domain, key = domain_of(fields), text(fields, "key")
        return await asyncio.to_thread(self._status, domain, key, shadowed=flag(fields, "shadowed"))

    async def health(self, fields: Fields) -> dict[str, Any]:
        domain, key = text(fields, "domain") and domain_of(fields), text(fields, "key")
        statuses = [
            status
            for status in self._runtime.lifecycle.all_statuses()
            if domain in {None, status.domain} and key in {None, status.key}
        ]
        probed = await self._probe(statuses) if flag(fields, "probe") else {}
        settings = self._runtime.settings
        snapshot = await asyncio.to_thread(load_runtime_health, runtime_health_path(settings))
        reasons = [*self._reasons(), *_failures(statuses, probed)]
        return {
            "healthy": not reasons,
            "reasons": reasons,
            "service": self._service(),
            "lifecycle": [
                status.as_dict() | {"probe_result": probed.get((status.domain, status.key))} for status in statuses
            ],
            "lifecycle_summary": {
                "states": dict(Counter(status.state for status in statuses)),
                "swap": swaps_of(statuses),
            },
            "runtime": snapshot.as_dict(),
            "profile": settings.profile.model_dump(),
            "secrets": {
                "domain": settings.secrets.domain,
                "key": settings.secrets.key,
                "provider": settings.secrets.provider,
                "inline": len(settings.secrets.inline),
                "prefetched": bool(getattr(self._runtime.secrets, "prefetched", False)),
            },
        }

    def _status(self, domain: str, key: str | None, *, shadowed: bool) -> dict[str, Any]:
        bridge = self._runtime.bridges[domain]
        statuses = {one.key: one for one in self._runtime.lifecycle.all_statuses() if one.domain == domain}
        activity = bridge.activity_snapshot()
        active = {candidate.key: candidate for candidate in bridge.active_candidates()}
        known = {*active, *bridge.settings.selections, *statuses}
        if key is not None and key not in known:
            raise unknown_key(bridge, key)
        others = _by_key(bridge.shadowed_candidates())
        records = [
            _record(bridge, name, active.get(name), others[name], activity.get(name), statuses.get(name), shadowed)
            for name in (sorted(known) if key is None else [key])
        ]
        wanted = statuses.values() if key is None else [statuses[key]] if key in statuses else []
        return {
            "domain": domain,
            "service": self._service(),
            "status": records,
            "summary": {"swap": swaps_of(wanted), "activity": activity_of(activity.values())},
            "remote_telemetry": asdict(load_remote_telemetry(state_directory(self._runtime.settings))),
        }

    def _service(self) -> dict[str, Any] | None:
        """Return which process this is, and of which version; None where no service runs."""
        if self._offline:
            return None
        return {"pid": os.getpid(), "ready": self._runtime.ready, "version": __version__, "installed": _installed()}

    async def _probe(self, statuses: Iterable[LifecycleStatus]) -> dict[tuple[str, str], bool | None]:
        lifecycle = self._runtime.lifecycle
        return {
            (one.domain, one.key): await lifecycle.probe_instance_health(one.domain, one.key)
            for one in statuses
            if lifecycle.get_candidate(one.domain, one.key) is not None
        }

    def _reasons(self) -> list[str]:
        if self._offline:
            return ["no service runs"]
        runtime = self._runtime
        starting = [] if runtime.started else ["the runtime has not started yet"]
        missing = [f"{name} is not active: {why}" for name, why in runtime.required.missing.items()]
        pending = [f"no manifest of the remote source {name} is in force" for name in runtime.remotes.pending]
        refuses = runtime.activity_store.refuses
        ignorant = [f"it is not known what is paused: {runtime.activity_store.problem}"] if refuses else []
        return [*starting, *ignorant, *missing, *pending]


def _failures(statuses: Iterable[LifecycleStatus], probed: Mapping[tuple[str, str], bool | None]) -> Iterable[str]:
    for one in statuses:
        if probed.get((one.domain, one.key)) is False:
            yield f"{one.domain}/{one.key} fails its health check"
        elif one.state == "failed" and one.current_provider is None:
            yield f"{one.domain}/{one.key} is not active: {one.last_error}"


def _record(  # noqa: PLR0913, PLR0917 - what is known of one key
    bridge: DomainBridge,
    key: str,
    candidate: Candidate | None,
    others: list[Candidate],
    activity: DomainActivity | None,
    status: LifecycleStatus | None,
    shadowed: bool,  # noqa: FBT001 - likewise
) -> dict[str, Any]:
    configured = bridge.settings.selections.get(key)
    instance = bridge.lifecycle.get_instance(bridge.domain, key)
    record: dict[str, Any] = {
        "key": key,
        "configured_provider": configured,
        "shadowed": len(others),
        "activity": {"paused": False, "draining": False, "note": None} if activity is None else activity.as_dict(),
        "state": "unresolved" if candidate is None else "active",
        "selection_applied": configured is not None and candidate is not None and candidate.provider == configured,
        "instance_state": "ready" if instance is not None else "absent" if candidate is None else "pending",
        "instance_type": None if instance is None else type(instance).__name__,
        "lifecycle": None if status is None else status.as_dict(),
    }
    if candidate is not None:
        record |= _candidate(candidate)
    if shadowed:
        record["shadowed_details"] = [_candidate(other) for other in others]
    return record


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "provider": candidate.provider,
        "source": candidate.source.value,
        "priority": candidate.priority,
        "stack_level": candidate.stack_level,
        "metadata": mask(candidate.metadata),
        "registered_at": candidate.registered_at.isoformat(),
    }


def _by_key(candidates: Iterable[Candidate]) -> defaultdict[str, list[Candidate]]:
    found: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.key].append(candidate)
    return found


def _installed() -> str:
    """Return the version that is installed now: another one than runs, after an upgrade without a restart."""
    try:
        return version("oneiric")
    except PackageNotFoundError:
        return __version__
