"""The parts of a runtime that keep state in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.activity import DomainActivityStore
from oneiric.core.config import domain_activity_path, domain_activity_witness_path, lifecycle_snapshot_path
from oneiric.core.lifecycle import LifecycleManager, LifecycleSafetyOptions
from oneiric.runtime.supervisor import ServiceSupervisor

if TYPE_CHECKING:
    from oneiric.core.activity import ActivityStore
    from oneiric.core.config import OneiricSettings
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Resolver


def activity_store_of(settings: OneiricSettings, observers: Observers) -> ActivityStore:
    """Return the store of pauses and drains, with its witness, where *settings* say."""
    path, witness = domain_activity_path(settings), domain_activity_witness_path(settings)
    return DomainActivityStore(path, observers=observers, witness=witness)


def lifecycle_of(settings: OneiricSettings, resolver: Resolver) -> LifecycleManager:
    """Return a manager with the limits and the status file of *settings*, which it leaves to others until it begins."""
    safety = LifecycleSafetyOptions(**settings.lifecycle.model_dump())
    manager = LifecycleManager(resolver, status_snapshot_path=str(lifecycle_snapshot_path(settings)), safety=safety)
    manager.let_go_of_statuses()  # whoever is started first has the file, not whoever is made first
    return manager


def supervisor_of(settings: OneiricSettings, store: ActivityStore) -> ServiceSupervisor | None:
    """Return a supervisor of *store*, not started; None where *settings* switch it off."""
    if not (settings.profile.supervisor_enabled and settings.runtime_supervisor.enabled):
        return None
    return ServiceSupervisor(store, poll_interval=settings.runtime_supervisor.poll_interval)
