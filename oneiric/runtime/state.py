"""The parts of a runtime that keep state in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.activity import DomainActivityStore
from oneiric.core.config import (
    SettingsError,
    domain_activity_path,
    domain_activity_witness_path,
    lifecycle_snapshot_path,
    shared_activity_witness_path,
)
from oneiric.core.lifecycle import LifecycleManager, LifecycleSafetyOptions
from oneiric.runtime.supervisor import ServiceSupervisor

if TYPE_CHECKING:
    from oneiric.adapters.activity import Migration, Server
    from oneiric.core.activity import ActivityStore
    from oneiric.core.config import OneiricSettings
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Resolver


def activity_store_of(settings: OneiricSettings, observers: Observers) -> ActivityStore:
    """Return the store of pauses and drains, with its witness, where *settings* say."""
    if settings.activity.url is not None:
        return _shared_store(settings, observers)
    path, witness = domain_activity_path(settings), domain_activity_witness_path(settings)
    return DomainActivityStore(path, observers=observers, witness=witness)


def migrate_activity(settings: OneiricSettings) -> Migration:
    """Make the tables of the database that *settings* name, or bring them up to date.

    ActivityStoreError says what is wrong with it, SettingsError that there is none.
    """
    server = activity_server(settings)
    from oneiric.adapters.activity import migrate  # noqa: PLC0415 - needs an extra

    return migrate(server)


def activity_script(settings: OneiricSettings, *, role: str) -> str:
    """Return the SQL that makes these tables, with the rights that *role* needs of the service."""
    server = activity_server(settings)
    from oneiric.adapters.activity import script  # noqa: PLC0415 - needs an extra

    return script(server.schema, role)


def activity_server(settings: OneiricSettings) -> Server:
    """Return the server of the activity store that replicas share; SettingsError where there is none."""
    config = settings.activity
    if config.url is None:
        raise SettingsError("activity.url: is not set: pauses lie in a file, which is made when it is opened")
    try:
        from oneiric.adapters.activity import Server  # noqa: PLC0415 - needs an extra
    except ImportError as error:
        raise SettingsError(
            f"activity.url: needs psycopg, which the extra postgres brings ({error}); pip install 'oneiric[postgres]'"
        ) from error
    password = Path(config.password_file).expanduser() if config.password_file else None
    return Server(config.url, config.database_schema, password, config.timeout)


def lifecycle_of(settings: OneiricSettings, resolver: Resolver) -> LifecycleManager:
    """Return a manager with the limits and the status file of *settings*, which it leaves to others until it begins."""
    safety = LifecycleSafetyOptions(**settings.lifecycle.model_dump())
    manager = LifecycleManager(resolver, status_snapshot_path=str(lifecycle_snapshot_path(settings)), safety=safety)
    manager.let_go_of_statuses()  # whoever is started first has the file, not whoever is made first
    return manager


def _shared_store(settings: OneiricSettings, observers: Observers) -> ActivityStore:
    server, config = activity_server(settings), settings.activity
    from oneiric.adapters.activity import PostgresActivityStore, migrate  # noqa: PLC0415 - needs an extra

    if config.migrate_at_start:
        migrate(server)
    return PostgresActivityStore(
        server,
        observers=observers,
        witness=shared_activity_witness_path(settings, server.place),
        when_unreachable=config.when_unreachable,
        poll_interval=config.poll_interval,
        pool_size=config.pool_size,
    )


def supervisor_of(settings: OneiricSettings, store: ActivityStore) -> ServiceSupervisor | None:
    """Return a supervisor of *store*, not started; None where *settings* switch it off."""
    if not (settings.profile.supervisor_enabled and settings.runtime_supervisor.enabled):
        return None
    return ServiceSupervisor(store, poll_interval=settings.runtime_supervisor.poll_interval)
