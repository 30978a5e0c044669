"""Which files are checked, and their texts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.instructions import UNIT_SUFFIX, is_dockerfile
from oneiric.monitoring.drift.findings import Report
from oneiric.monitoring.notation.text import Place, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


MAX_BYTES = 5_000_000
"""A file has at most so many bytes."""

MAX_FILES = 20_000
"""So many files below the given directories are looked at."""

MAX_SEARCHED = 20 * MAX_BYTES
"""So far a larger file is searched for whether it is about us."""

SUFFIXES = {".yml", ".yaml", ".json", ".md", ".alloy", UNIT_SUFFIX}
"""What files below a directory must end with to be read, but Dockerfiles; a file that is named is read in any case."""

_LEFT_OUT = {"node_modules", "__pycache__", "site-packages", "build", "dist", "venv"}


def sources(paths: Iterable[Path], report: Report, mark: str) -> Iterator[tuple[Source, bool]]:
    """Give the text of every file of *paths* and of the directories among them, and whether it was named itself.

    What cannot be read is a finding; what is too large, or no UTF-8, only where it was named, or has *mark* in it.
    Hidden directories, environments and caches are left out; links to directories are not followed.
    """
    seen = set()
    for path, is_named in _files(paths, report):
        key = os.path.realpath(path)
        if key not in seen:
            seen.add(key)
            if (source := _read(path, report, b"" if is_named else mark.encode())) is not None:
                yield source, is_named


def read_again(path: Path) -> Source | None:
    """Return the text of *path*, which was read before, or None where it has gone."""
    return _read(path, Report(), b"")


def _files(paths: Iterable[Path], report: Report) -> Iterator[tuple[Path, bool]]:
    left = MAX_FILES
    for path in paths:
        if path.is_dir():
            for below in _below(path, report):
                left -= 1
                if left < 0:
                    report.add(Place(str(path), 1, 1), "ON006", f"more than {MAX_FILES} files: name fewer directories")
                    return
                yield below, False
        else:
            yield path, True


def _below(directory: Path, report: Report) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        report.add(Place(str(error.filename), 1, 1), "ON001", f"cannot be read: {error.strerror}")

    for parent, directories, names in os.walk(directory, onerror=failed):
        directories[:] = sorted(
            name
            for name in directories
            if name not in _LEFT_OUT and not name.startswith(".") and not (Path(parent) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            path = Path(parent) / name
            is_read = path.suffix in SUFFIXES or is_dockerfile(name)
            if is_read and not name.startswith(".") and path.is_file():
                yield path


def _read(path: Path, report: Report, mark: bytes) -> Source | None:
    place = Place(path.as_posix(), 1, 1)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            report.add(place, "ON001", "cannot be read: it is no regular file")
        elif status.st_size > MAX_BYTES:
            if _has(path, mark):
                report.add(place, "ON005", f"too large: {status.st_size} bytes, and at most {MAX_BYTES} are read")
        else:
            return _decoded(path.as_posix(), path.read_bytes()[: MAX_BYTES + 1], report, mark)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        report.add(place, "ON001", f"cannot be read: {why}")
    return None


def _has(path: Path, mark: bytes) -> bool:
    """Whether *mark* is in the first part of *path*, which is not held in memory whole."""
    before = b""
    with path.open("rb") as file:
        for _ in range(MAX_SEARCHED // MAX_BYTES):
            part = file.read(MAX_BYTES)
            if mark in before + part:
                return True
            if not part:
                break
            before = part[-len(mark) :]
    return False


def _decoded(path: str, content: bytes, report: Report, mark: bytes) -> Source | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if mark in content:
            before = content[: error.start].decode("utf-8")
            place = Source(path, before).place(len(before))
            report.add(place, "ON002", f"not UTF-8: byte 0x{content[error.start]:02x}")
        return None
    return Source(path, text.removeprefix("\ufeff").replace("\r\n", "\n"))
