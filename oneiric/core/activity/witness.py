"""The second witness: a file outside the directory of the store that says what the store must hold at least."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.activity.kept import as_json, from_json
from oneiric.core.files import make_private_directory, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.core.activity.kept import Kept

DIRECTORY = "oneiric-witness"
"""Name of the directory of all witnesses of a user."""
WRITE_WAIT = 1.0
"""Seconds that writing waits for another process that writes."""

_RETRY = 0.002
_MAX_BYTES = 64 * 1024 * 1024


def witness_path(database: Path, environ: Mapping[str, str]) -> Path | None:
    """Return where the witness of *database* is kept; None where every place is in the directory of the database.

    That is ``$STATE_DIRECTORY``, or each of several, unless the database is below it; else ``$XDG_STATE_HOME``; else
    ``~/.local/state``. The name tells the database's path.
    """
    database = Path(os.path.realpath(database))
    given = [Path(text) for text in environ.get("STATE_DIRECTORY", "").split(":") if text.startswith("/")]
    places = [place for place in given if not database.is_relative_to(os.path.realpath(place))]
    home = environ.get("XDG_STATE_HOME", "")
    if home.startswith("/"):  # a relative one is to be ignored, says the XDG specification
        places.append(Path(home))
    elif (user := environ.get("HOME") or os.path.expanduser("~")).startswith("/"):  # noqa: PTH111 - raises nothing
        places.append(Path(user) / ".local" / "state")
    digest = hashlib.sha256(os.fsencode(database)).hexdigest()[:16]
    paths = [place / DIRECTORY / f"{database.stem:.64}-{digest}.json" for place in places]
    return next((path for path in paths if not Path(os.path.realpath(path)).is_relative_to(database.parent)), None)


class Witness:
    """The file at *path*; None: there is no place for one. Used by several processes at once; not thread-safe.

    It is written after the database was, so it is never ahead of it: where it is, the database is not the one it was.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.error: Exception | None = None
        """Why the last access failed; None: it did not."""

    def read(self) -> Kept | None:
        """Return what it says; None where it says nothing, or nothing that can be understood."""
        if self.path is None:
            return None
        try:
            with self.path.open("rb") as file:
                return from_json(json.loads(file.read(_MAX_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.error = error
            return None

    def write(self, kept: Kept) -> None:
        """Have it say *kept*, durably, unless it says something newer of the same store; :attr:`error` if it cannot."""
        if self.path is None:
            self.error = OSError("every place for the witness is in the directory of the store; set XDG_STATE_HOME")
            return
        try:
            with _locked(self.path):
                present = self.read()
                if present and present.identity == kept.identity and present.generation >= kept.generation:
                    return
                write_atomic(self.path, json.dumps(as_json(kept)).encode())
        except OSError as error:
            self.error = error
        else:
            self.error = None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    make_private_directory(path.parent)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + WRITE_WAIT
        while not lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path}: another process has been writing it for {WRITE_WAIT:g} s")
            time.sleep(_RETRY)
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Take the lock of a file for this process, and return whether nobody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
