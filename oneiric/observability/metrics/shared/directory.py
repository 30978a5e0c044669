"""The directory in which the processes of one service keep their counts: read all of it, and keep it small.

The counts of processes that ended are put together in an archive, which lists the files that went into it: whoever
finds both a file and an archive that lists it leaves the file out.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oneiric.core.files import make_private_directory
from oneiric.observability.metrics.shared.file import COUNTS, SUFFIX
from oneiric.observability.metrics.shared.format import (
    CONTENTS,
    HEADER_BYTES,
    MAX_FILE_BYTES,
    CorruptFileError,
    Record,
    header_bytes,
    record_bytes,
    records_of,
    used_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ARCHIVE: Final = f"archive{SUFFIX}"

MAX_FILES: Final = 1024
"""Files of processes that are read in one scrape; further ones are reported and left out."""

MAX_ENDED: Final = 16
"""Files of ended processes that may lie about before they are put into the archive."""

_LOCK: Final = ".lock"
_STALE_SECONDS: Final = 3600.0  # after which nobody finishes a temporary file any more
_TRIES: Final = 10


class SharedCounts(NamedTuple):
    """What was read of one file: its records, and whether the process that writes it lives."""

    name: str
    records: Sequence[Record]
    is_live: bool


class Problem(NamedTuple):
    """A file that was left out, and why."""

    name: str
    error: Exception


class Reading(NamedTuple):
    """What was read of a directory, the archive first, the others in the order of their making."""

    files: list[SharedCounts]
    problems: list[Problem]


def shared_directory(path: str | os.PathLike[str]) -> Path:
    """Return *path*, made for its owner only where it is missing; ValueError where it cannot be used."""
    if not os.fspath(path):
        raise ValueError("shared directory: the path of a directory expected, not an empty text")
    directory = Path(path).absolute()
    try:
        make_private_directory(directory)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"shared directory {directory}: is not a directory") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"shared directory {directory}: cannot be made: {reason}") from error
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise ValueError(f"shared directory {directory}: must be readable and writable")
    return directory


def clear_shared_directory(path: str | os.PathLike[str]) -> None:
    """Forget the counts of all processes that ended, so that a service begins again with those of the living ones.

    To be called once, before the workers of a service start. Files of living processes, and of others than us, stay.
    A directory that is missing is made; ValueError where it cannot be used.
    """
    directory = shared_directory(path)
    with _alone(directory, wait=True):
        for name in (ARCHIVE, *_names(directory)):
            with suppress(FileNotFoundError), _opened(directory / name) as descriptor:
                if _is_ours_now(descriptor, directory / name):
                    (directory / name).unlink()
        _remove_stale(directory, seconds=0.0)


def read_directory(directory: Path, *, own: str) -> Reading:
    """Return the counts of all processes, but those in the file called *own*; OSError where it cannot be listed.

    Exact whatever is counted, started, killed or archived meanwhile.
    """
    reading = Reading([], [])
    for _ in range(_TRIES):
        before = _mark(directory)
        reading = _read_once(directory, own)
        if _mark(directory) == before:
            break
    return reading


def read_file(path: Path) -> SharedCounts:
    """Return what the file at *path* holds; OSError or CorruptFileError where that is nothing."""
    with _opened(path) as descriptor:
        records = _records(descriptor)
        return SharedCounts(path.name, records, is_live=not _lock(descriptor, fcntl.LOCK_SH))


def archive_ended(
    directory: Path, reading: Reading, merge: Callable[[Iterable[Sequence[Record]]], list[Record]]
) -> None:
    """Put files of ended processes that *reading* found into the archive, if there are many and nobody else does.

    Crash-safe: each count is in exactly one place for readers at any time. OSError leaves everything as it was.

    Args:
        directory: Where.
        reading: What was read of it.
        merge: Adds up the records of several files.
    """
    if sum(not found.is_live for found in reading.files) > MAX_ENDED:
        with suppress(BlockingIOError), _alone(directory, wait=False):
            _archive(directory, merge)


def _archive(directory: Path, merge: Callable[[Iterable[Sequence[Record]]], list[Record]]) -> None:
    _remove_stale(directory, seconds=_STALE_SECONDS)
    try:
        archived = _archived(directory)
    except CorruptFileError:
        _set_aside(directory)
        archived = []
    listed = _listed(archived)
    ended = [archived]
    taken = []
    for name in _names(directory):
        path = directory / name
        if name in listed:
            path.unlink(missing_ok=True)
            continue
        with suppress(OSError, CorruptFileError), _opened(path) as descriptor:
            if _is_ours_now(descriptor, path):
                ended.append(_records(descriptor))
                taken.append(name)
    records = merge(ended)
    content = b"".join([record_bytes(record) for record in (_contents(taken), *records)])
    _replace(directory, header_bytes(HEADER_BYTES + len(content)) + content)
    for name in taken:
        (directory / name).unlink(missing_ok=True)


def _read_once(directory: Path, own: str) -> Reading:
    reading, listed = Reading([], []), set[str]()
    try:
        archived = _archived(directory)
        listed = _listed(archived)
        reading.files.append(SharedCounts(ARCHIVE, archived, is_live=True))
    except (OSError, CorruptFileError) as error:
        reading.problems.append(Problem(ARCHIVE, error))
    names = [name for name in _names(directory) if name != own and name not in listed]
    for name in names[:MAX_FILES]:
        try:
            reading.files.append(read_file(directory / name))
        except FileNotFoundError:
            continue  # archived meanwhile
        except (OSError, CorruptFileError) as error:
            reading.problems.append(Problem(name, error))
    if len(names) > MAX_FILES:
        many = CorruptFileError(f"there are {len(names)} files, over {MAX_FILES}; the newest are left out")
        reading.problems.append(Problem(str(directory), many))
    return reading


def _names(directory: Path) -> list[str]:
    names = os.listdir(directory)  # noqa: PTH208 - names are all that is wanted
    return sorted(name for name in names if name.startswith(COUNTS) and name.endswith(SUFFIX))


def _archived(directory: Path) -> list[Record]:
    try:
        with _opened(directory / ARCHIVE) as descriptor:
            return _records(descriptor)
    except FileNotFoundError:
        return []


def _contents(names: list[str]) -> Record:
    return Record(CONTENTS, msgspec.json.encode(names))


def _listed(records: Iterable[Record]) -> set[str]:
    try:
        return {
            name
            for record in records
            if record.kind == CONTENTS
            for name in msgspec.json.decode(record.key, type=list[str])
        }
    except msgspec.DecodeError as error:
        raise CorruptFileError(f"does not list what it is made of: {error}") from error


def _mark(directory: Path) -> tuple[int, ...]:
    try:
        status = (directory / ARCHIVE).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _records(descriptor: int) -> list[Record]:
    used = 0
    for _ in range(_TRIES):
        used = used_bytes(os.pread(descriptor, HEADER_BYTES, 0))
        if used > os.fstat(descriptor).st_size:
            break
        data = os.pread(descriptor, used, 0)
        if len(data) == used:
            return list(records_of(data, lambda offset, length: os.pread(descriptor, length, offset)))
    raise CorruptFileError(f"ends before the {used} bytes that are in use")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size > MAX_FILE_BYTES:
            raise CorruptFileError(f"is larger than {MAX_FILE_BYTES} bytes")
        yield descriptor
    finally:
        _let_go(descriptor)


@contextmanager
def _alone(directory: Path, *, wait: bool) -> Iterator[None]:
    """Hold the right to remove files; without *wait*, BlockingIOError where another process has it."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        _let_go(descriptor)


def _is_ours_now(descriptor: int, path: Path) -> bool:
    """Whether nobody lives who writes the file, and it is still the one at *path*: its writer may have replaced it."""
    return _lock(descriptor, fcntl.LOCK_EX) and os.path.samestat(os.fstat(descriptor), path.stat())


def _let_go(descriptor: int) -> None:
    """Unlock and close: a child that was forked meanwhile holds the descriptor too, and the lock with it."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(directory: Path, content: bytes) -> None:
    temporary = directory / f".{ARCHIVE}.tmp"
    try:
        temporary.write_bytes(content)
        temporary.chmod(0o600)
        temporary.rename(directory / ARCHIVE)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _set_aside(directory: Path) -> None:
    """Give a damaged archive a name of its own, under which it is still reported."""
    (directory / ARCHIVE).rename(directory / f"{COUNTS}{time.time_ns():020d}-archive{SUFFIX}")


def _remove_stale(directory: Path, *, seconds: float) -> None:
    for path in directory.glob(f".{COUNTS}*{SUFFIX}.tmp"):
        with suppress(OSError), _opened(path) as descriptor:
            if time.time() - os.fstat(descriptor).st_mtime >= seconds and _is_ours_now(descriptor, path):
                path.unlink()
