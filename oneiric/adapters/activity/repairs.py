"""What is done about a database that cannot be what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.activity import contradiction, repaired

if TYPE_CHECKING:
    import psycopg

    from oneiric.adapters.activity.tables import Tables
    from oneiric.core.activity import Kept, Suspicion
    from oneiric.core.events import SuspectReason


def wrong(found: Kept, before: Kept | None) -> SuspectReason | None:
    """Return why *found* cannot come after *before*, None where it can."""
    if before is None:
        return None if found.identity else "rows_lost"
    return contradiction(found, before)


def locked_and_repaired(
    connection: psycopg.Connection, tables: Tables, before: Kept | None, *, now: float
) -> tuple[Kept, Suspicion | None]:
    """Return what is kept, locked for this transaction and repaired where need be, and what is suspect by that."""
    found = tables.locked(connection)
    if (reason := wrong(found, before)) is None:
        return found, None
    fresh, suspicion = repaired(found, before, reason, now=now)
    tables.replace(connection, fresh)
    return fresh, suspicion
