"""Files that may be replaced while the server runs: certificates, keys and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
Version: TypeAlias = "tuple[tuple[int, int, int] | None, ...]"

MAX_FILE_BYTES: Final = 1024 * 1024
_MAX_SECRET_BYTES: Final = 4096


class Reloaded(Generic[T]):
    """What *load* makes of *paths*, made anew when one of these files has changed; for one thread.

    Args:
        paths: The files.
        load: Makes it; an OSError or a ValueError says what is wrong with a file, and what would be right.
        failed: Called once with each change that *load* could not make anything of; what was made before stays.
    """

    def __init__(self, paths: tuple[Path, ...], load: Callable[[], T], failed: Callable[[Exception], object]) -> None:
        self._paths = paths
        self._load = load
        self._failed = failed
        self._version = _version(paths)
        self._value = load()

    def get(self) -> T:
        """Return what the files make now, or made when they last made anything."""
        version = _version(self._paths)
        if version != self._version:
            self._version = version
            try:
                self._value = self._load()
            except (OSError, ValueError) as error:
                self._failed(error)
        return self._value


def read_secret(path: Path, *, setting: str) -> bytes:
    """Return the one line that *path* holds; ValueError names *setting* and the file, never the secret."""
    text = read_file(path, setting=setting, limit=_MAX_SECRET_BYTES).removesuffix(b"\n").removesuffix(b"\r")
    if not text.strip():
        raise ValueError(f"{setting} (file {str(path)!r}): the file is empty; one line with the secret expected")
    if any(byte < 0x20 or byte == 0x7F for byte in text):  # noqa: PLR2004 - ASCII's control characters
        raise ValueError(f"{setting} (file {str(path)!r}): one line without control characters expected")
    return text


def read_file(path: Path, *, setting: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of *path*; ValueError names *setting*, the file, and what is wrong with it."""
    try:
        if not path.is_file():
            raise ValueError(f"{setting} (file {str(path)!r}): {'not a file' if path.exists() else 'no such file'}")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{setting} (file {str(path)!r}): cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise ValueError(f"{setting} (file {str(path)!r}): longer than {limit} bytes")
    return content


def _version(paths: tuple[Path, ...]) -> Version:
    return tuple(map(_version_of, paths))


def _version_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
