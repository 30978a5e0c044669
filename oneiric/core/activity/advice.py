"""What is wrong with a file that cannot be used, and what to do."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from oneiric.core.activity.places import NotAFileError
from oneiric.core.activity.table import LOCK_CODES, sqlite_code

if TYPE_CHECKING:
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PASSING_CODES = LOCK_CODES | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


class ActivityStoreError(RuntimeError):
    """The activity store cannot be used; the text names the file and what to do."""


def passes(error: BaseException) -> bool:
    """Whether what *error* is about may pass by itself: a lock, a full disk, a disk that fails."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return sqlite_code(error) in _PASSING_CODES


def advice(error: BaseException, path: Path, busy_timeout: float) -> str:
    """Return what *error* says about the file at *path*, whose locks are waited for *busy_timeout* seconds."""
    if isinstance(error, NotAFileError):
        return f"{error}, not a file; set runtime_paths.domain_activity_path to the path of a file"
    is_full = isinstance(error, OSError) and error.errno in _FULL
    match sqlite3.SQLITE_FULL if is_full else sqlite_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return (
                f"locked by another process for more than {busy_timeout:g} s; find it with "
                f"'fuser {path}', end it or wait for it, and try again"
            )
        case sqlite3.SQLITE_FULL:
            return "the disk is full; free some space and try again"
        case sqlite3.SQLITE_IOERR:
            return f"cannot be read or written ({error}): the disk is full or fails; mend that and try again"
        case sqlite3.SQLITE_ERROR:
            return f"is not an activity store ({error}); set runtime_paths.domain_activity_path to another file"
        case _:
            return f"cannot be used ({error}); the file and its directory must be writable by this user"
