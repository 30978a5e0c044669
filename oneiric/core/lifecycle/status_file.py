"""A JSON list of entries of which one can be changed with a single write, whatever their number.

The file is a row of slots, each exactly one page long and beginning at a page. A slot holds one entry, or blanks, which
JSON ignores; ``[`` stands at the start of the first slot, ``]`` at the end of the last, and a comma before every entry
but the first. A page is written by one call or not at all, whenever the process is killed, and growing writes a new
file and renames it, so the file is a valid JSON list at every instant.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import itertools
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.descriptors import Descriptor
from oneiric.core.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

Entry: TypeAlias = "dict[str, Any]"
Snapshot: TypeAlias = "Callable[[], Mapping[Hashable, Entry]]"
"""Returns all entries by what identifies them, in a lasting order."""

PAGE_BYTES = 4096
"""Size of a slot: the smallest page of the systems it runs on."""

MAX_ENTRY_BYTES = PAGE_BYTES - 2
"""Longest entry: a slot keeps its first and its last byte for itself."""

FIRST_CAPACITY = 8
"""Slots of a new file; the number doubles when they are full."""

_SHORTENED_PROVIDER_CHARS = 64
_DAMAGED_SUFFIX = ".damaged"
_LOCK_SUFFIX = ".lock"
_ELLIPSIS = "…"
_OBJECT = re.compile(r'\{\s*"')
_READS = 3
_MAX_BROKEN = 1000  # objects: bounds the work on garbage


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a file held; ``damage`` says what is wrong with it, or is ""."""

    data: bytes = b""
    entries: list[Any]
    damage: str = ""


class StatusFile:
    """The entries of one process, which holds an advisory lock beside the file as long as this is open.

    Not thread-safe. A file that is removed, replaced or cut while in use is written anew at the next change.

    Args:
        path: Where the list is; its directory is created.

    Raises:
        BlockingIOError: Another process, or another instance in this one, has the file.
        OSError: The directory cannot be created or written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slots: dict[Hashable, int] = {}
        self._capacity = 0
        self._file: Descriptor | None = None
        self._lock: Descriptor | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            leftover.unlink(missing_ok=True)

    def save(self, identity: Hashable, entry: Entry, everything: Snapshot) -> None:
        """Write the changed *entry*: one page, or *everything* where there is no slot for it yet.

        Raises OSError if the file cannot be written, in which case the next change writes everything, BlockingIOError
        if the lock was lost and another owner has it, and ValueError for an entry that cannot be made to fit.
        """
        page = encode(entry)
        if self._lock is not None and not self._lock.is_ours():
            self._take_lock()
        slot = self._slots.setdefault(identity, len(self._slots))
        if slot >= self._capacity or self._is_gone():
            self.rewrite(everything())
            return
        try:
            self._write(slot, page)
        except OSError:
            self._forget()
            raise

    def rewrite(self, entries: Mapping[Hashable, Entry]) -> None:
        """Write all *entries* to a new file, durably, and put it in place of the old one; OSError if that fails.

        An entry that cannot be made to fit is left out.
        """
        self._forget()
        pages = {}
        for identity, entry in entries.items():
            try:
                pages[identity] = encode(entry)
            except ValueError:  # reported by its own save
                continue
        capacity = FIRST_CAPACITY
        while capacity <= len(pages):
            capacity *= 2
        write_atomic(self._path, b"".join(_slots(list(pages.values()), capacity)))
        self._file = Descriptor(os.open(self._path, os.O_RDWR | os.O_CLOEXEC))
        self._slots = {identity: slot for slot, identity in enumerate(pages)}
        self._capacity = capacity

    def close(self) -> None:
        """Let go of the file and its lock; idempotent."""
        self._forget()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __del__(self) -> None:
        self.close()

    def _write(self, slot: int, page: bytes) -> None:
        data = _slot(slot, page, self._capacity)
        if self._file is None or self._file.write(data, slot * PAGE_BYTES) != PAGE_BYTES:
            raise OSError(errno.EIO, "status written only in part", str(self._path))

    def _is_gone(self) -> bool:
        if self._file is None or not self._file.is_ours():
            return True
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        size = self._capacity * PAGE_BYTES
        return found.st_size != size or not os.path.samestat(found, os.fstat(self._file.number))

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take_lock(self) -> None:
        self._lock = Descriptor(_locked(self._path.with_name(self._path.name + _LOCK_SUFFIX)))


_PROVIDERS = ("current_provider", "pending_provider")


def encode(entry: Entry) -> bytes:
    """Return *entry* as JSON of at most :data:`MAX_ENTRY_BYTES`.

    Where it would be longer, the error text is cut, then the durations are left out, then the providers are cut.
    ValueError if that does not suffice, or for a value that JSON does not know.
    """
    data = _json(entry)
    for shorten in (_cut_error, _drop_durations, _cut_providers):
        if len(data) <= MAX_ENTRY_BYTES:
            break
        entry = shorten(entry, len(data) - MAX_ENTRY_BYTES)
        data = _json(entry)
    if len(data) > MAX_ENTRY_BYTES:
        raise ValueError(f"a status entry takes {len(data)} bytes, more than {MAX_ENTRY_BYTES}")
    return data


def read_entries(path: Path) -> Content:
    """Return what the file at *path* holds: of a damaged one, every entry that is whole; of a missing one, nothing.

    Who reads while the owner writes a page may see a part of it: damage is believed when it was seen three times.
    OSError if the file is there and cannot be read.
    """
    for _ in range(_READS - 1):
        content = _read(path)
        if not content.damage:
            return content
    return _read(path)


def _read(path: Path) -> Content:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Content(entries=[])
    text = data.decode("utf-8", "replace")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Content(data=data, entries=_salvage(text), damage=f"not valid JSON: {error}")
    if not isinstance(entries, list):
        return Content(data=data, entries=_salvage(text), damage=f"not a list but {type(entries).__name__}")
    return Content(data=data, entries=entries)


def keep_damaged(path: Path, data: bytes) -> None:
    """Keep *data* beside *path*, in place of what was kept there before."""
    write_atomic(path.with_name(path.name + _DAMAGED_SUFFIX), data)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _slots(pages: list[bytes], capacity: int) -> list[bytes]:
    blank = [b""] * (capacity - len(pages))
    return [_slot(slot, page, capacity) for slot, page in enumerate([*pages, *blank])]


def _slot(slot: int, page: bytes, capacity: int) -> bytes:
    start = b"[" if slot == 0 else b"," if page else b" "
    end = b"]" if slot == capacity - 1 else b"\n"
    return start + page.ljust(MAX_ENTRY_BYTES) + end


def _json(value: Entry | str) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")  # an error text may hold a surrogate, which UTF-8 does not know


def _cut_error(entry: Entry, excess: int) -> Entry:
    text = entry["last_error"] or ""
    room = len(_json(text)) - excess - len(_json(_ELLIPSIS))
    sizes = itertools.accumulate(len(_json(character)) - len(_json("")) for character in text)
    kept = text[: sum(size <= room for size in sizes)]
    return {**entry, "last_error": kept + _ELLIPSIS if kept else None}


def _drop_durations(entry: Entry, _: int) -> Entry:
    return {**entry, "recent_swap_durations_ms": []}


def _cut_providers(entry: Entry, _: int) -> Entry:
    cut = {name: (entry[name] or "")[:_SHORTENED_PROVIDER_CHARS] or None for name in _PROVIDERS}
    return {**entry, **cut, "last_error": None}


def _salvage(text: str) -> list[Any]:
    decoder, entries, start, broken = json.JSONDecoder(), [], 0, 0
    while broken < _MAX_BROKEN and (match := _OBJECT.search(text, start)):
        start = match.start()
        try:  # an entry is no longer than a page
            entry, length = decoder.raw_decode(text[start : start + 2 * PAGE_BYTES])
        except (ValueError, RecursionError):
            broken += 1
            length = 1
        else:
            entries.append(entry)
        start += length
    return entries
