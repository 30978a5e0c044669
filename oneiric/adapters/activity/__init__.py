"""The activity store that replicas share, in PostgreSQL; needs the extra ``postgres``."""

from oneiric.adapters.activity.connecting import Server
from oneiric.adapters.activity.schema import NEWEST, Migration, migrate, script
from oneiric.adapters.activity.store import PostgresActivityStore, WhenUnreachable

__all__ = ["NEWEST", "Migration", "PostgresActivityStore", "Server", "WhenUnreachable", "migrate", "script"]
