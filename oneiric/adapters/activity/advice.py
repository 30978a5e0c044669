"""What is wrong with a database that cannot be used, and what to do, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import errors
from psycopg_pool import PoolTimeout

from oneiric.adapters.activity.connecting import NoAnswerError
from oneiric.core.activity import ActivityStoreError
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    from oneiric.adapters.activity.connecting import Server

_LASTING = ("does not exist", "authentication failed", "no password supplied", "pg_hba.conf", "permission denied")
"""In the words of a server that refuses a connection, which come without a code: waiting will not help."""

_RIGHTS = (
    "the user of the service needs USAGE on the schema {schema} and SELECT, INSERT, UPDATE, DELETE on its tables, and "
    "for 'oneiric settings migrate' CREATE on the schema, or on the database where there is no schema yet; "
    "'oneiric settings migrate --sql' prints what to grant"
)


class LastingError(ActivityStoreError):
    """The database cannot be used, and waiting will not help."""


def unusable(error: Exception, server: Server) -> ActivityStoreError:
    """Return what *error* says about the database of *server*, as a LastingError where waiting will not help."""
    if isinstance(error, ActivityStoreError):
        return LastingError(f"activity.url: {server.place}: {error}")
    text, lasts = _advice(error, server)
    return (LastingError if lasts else ActivityStoreError)(f"activity.url: {server.place}: {text}")


def _advice(error: Exception, server: Server) -> tuple[str, bool]:
    words = redact(" ".join(str(error).split()))
    match error:
        case NoAnswerError() | PoolTimeout():
            return f"{words}; see whether the server runs and can be reached", False
        case errors.InsufficientPrivilege():
            return f"{words}; {_RIGHTS.format(schema=server.schema)}", True
        case errors.UndefinedTable() | errors.InvalidSchemaName() | errors.UndefinedColumn():
            return f"{words}; make the tables with 'oneiric settings migrate'", True
        case OSError():
            return f"activity.password_file: {error.filename}: {error.strerror}; it must be readable here", True
        case _ if any(word in words for word in _LASTING):
            return f"{words}; see that the database exists, and that user and password are right", True
        case _:
            return words, False
