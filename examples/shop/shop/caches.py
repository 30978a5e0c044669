"""The adapter ``cache``: what remembers prices, in memory or in files."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

MAX_ITEMS = 100
"""Most prices that a bounded cache keeps."""


class Cache(Protocol):
    """What every provider of the cache offers; used in one event loop."""

    def get(self, key: str) -> str | None:
        """Return what was put under *key*, None where nothing is kept."""

    def put(self, key: str, value: str) -> None:
        """Keep *value* under *key*."""


class MemoryCache:
    """Keeps everything as long as it lives."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """Return what was put under *key*."""
        return self._values.get(key)

    def put(self, key: str, value: str) -> None:
        """Keep *value* under *key*."""
        self._values[key] = value


class BoundedCache:
    """Keeps what was used last."""

    def __init__(self, size: int = MAX_ITEMS) -> None:
        self._size = size
        self._values: OrderedDict[str, str] = OrderedDict()

    def get(self, key: str) -> str | None:
        """Return what was put under *key*, if it is still kept."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: str, value: str) -> None:
        """Keep *value* under *key*, and let go of what was used longest ago."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)


@dataclass(frozen=True)
class FileCacheSettings:
    """The settings of the provider ``file``.

    Attributes:
        directory: Where the values are kept, one file each.
    """

    directory: str = "data/cache"


class FileCache:
    """Keeps everything in files, also when the service is restarted.

    Args:
        settings: Where; the directory is made. OSError where that cannot be done, which ends the swap to it.
    """

    def __init__(self, settings: FileCacheSettings) -> None:
        self._directory = Path(settings.directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def health(self) -> bool:
        """Whether its files can be written."""
        return os.access(self._directory, os.W_OK)

    def get(self, key: str) -> str | None:
        """Return what was put under *key*."""
        try:
            return self._path(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def put(self, key: str, value: str) -> None:
        """Keep *value* under *key*."""
        new = self._path(key).with_suffix(".new")
        new.write_text(value, encoding="utf-8")
        new.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self._directory / f"{quote(key, safe='')}.value"
