"""The bytes of a file of shared counts: an identity, how much of it is in use, and one record for each series.

What changes is kept twice, in two slots that are written in turn, each with a number and a checksum: whoever is killed
in the middle of writing one leaves the other, and a reader that meets a half-written one takes the other. Nothing is
assumed of the order in which bytes become visible. Numbers are in the machine's own order: files never leave it.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COUNTER: Final = 1
HISTOGRAM: Final = 2
GAUGE: Final = 3
CONTENTS: Final = 4
"""Kinds of records. The key of CONTENTS lists the files that went into an archive."""

GONE: Final = 1 << 63
"""Set in the number of a slot whose series was removed."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Largest file that is read."""

HEADER_BYTES: Final = 64
_MAGIC: Final = b"oneiric\x01"
_IDENTITY: Final = struct.Struct("=8sII")
_VERSION: Final = 1
_HEAD: Final = struct.Struct("=IIHBxI")  # length, key bytes, numbers, kind, checksum of these and the key
_CHECKED_HEAD: Final = _HEAD.size - 4
_USED: Final = _IDENTITY.size
_TRIES: Final = 1000  # of reading a record that is written meanwhile, each a few microseconds long


class CorruptFileError(ValueError):
    """A file is not what was written; the text says in what way."""


class Record(NamedTuple):
    """One record: its kind, its key, and its numbers."""

    kind: int
    key: bytes
    numbers: Sequence[float] = ()


def slot(number: int, numbers: Sequence[float]) -> bytes:
    """Return the slot that holds *numbers* at the *number*-th writing."""
    body = _body(len(numbers)).pack(number, *numbers)
    return body + struct.pack("=Q", crc32(body))


def slot_bytes(numbers: int) -> int:
    """Return the size of a slot for that many *numbers*."""
    return 8 * (numbers + 2)


def slots_offset(key: bytes) -> int:
    """Return where, in the record of *key*, the two slots begin."""
    return _HEAD.size + len(key) + -len(key) % 8


def record_bytes(record: Record, number: int = 2) -> bytes:
    """Return *record*, whose slots were last written the *number*-th time."""
    numbers = record.numbers
    length = slots_offset(record.key) + 2 * slot_bytes(len(numbers))
    head = _HEAD.pack(length, len(record.key), len(numbers), record.kind, 0)[:_CHECKED_HEAD]
    check = struct.pack("=I", crc32(record.key, crc32(head)))
    same = slot(number, numbers)
    return b"".join((head, check, record.key, bytes(-len(record.key) % 8), same, same))


def header_bytes(used: int) -> bytes:
    """Return the header of a file of which *used* bytes are in use."""
    identity = struct.pack("=8sI", _MAGIC, _VERSION)
    same = slot(2, [float(used)])
    return identity + struct.pack("=I", crc32(identity)) + same + same


def used_slot(used: int, number: int) -> tuple[int, bytes]:
    """Return where to write, and what, to say the *number*-th time how many bytes are in *used*."""
    return _USED + (number & 1) * slot_bytes(1), slot(number, [float(used)])


def used_bytes(header: bytes) -> int:
    """Return how many bytes the file that begins with *header* uses; raises CorruptFileError."""
    if len(header) < HEADER_BYTES:
        raise CorruptFileError(f"{len(header)} bytes are less than a header")
    magic, version, check = _IDENTITY.unpack_from(header)
    if magic != _MAGIC or check != crc32(header[: _IDENTITY.size - 4]):
        raise CorruptFileError("is no file of shared counts")
    if version != _VERSION:
        raise CorruptFileError(f"has layout {version}, not {_VERSION}: another release wrote it")
    found = _newest(header, _USED, 1)
    if found is None:
        raise CorruptFileError("does not say how much of it is in use")
    used = found[1]
    if not HEADER_BYTES <= used <= MAX_FILE_BYTES or used % 8:
        raise CorruptFileError(f"cannot have {used} bytes in use")
    return int(used)


def records_of(data: bytes, again: Callable[[int, int], bytes]) -> Iterator[Record]:
    """Yield the records that are not gone of the file that holds *data*; raises CorruptFileError.

    Args:
        data: All that is in use, read at any time.
        again: Reads so many bytes, from such an offset on, anew.
    """
    place, used = HEADER_BYTES, len(data)
    while place < used:
        if used - place < _HEAD.size:
            raise CorruptFileError(f"ends in the middle of the record at {place}")
        length, key_length, count, kind, check = _HEAD.unpack_from(data, place)
        start = place + _HEAD.size
        if length != slots_offset(data[start : start + key_length]) + 2 * slot_bytes(count) or place + length > used:
            raise CorruptFileError(f"has a record of impossible length at {place}")
        key = data[start : start + key_length]
        if check != crc32(key, crc32(data[place : place + _CHECKED_HEAD])):
            raise CorruptFileError(f"has a damaged record at {place}")
        slots = place + slots_offset(key)
        numbers = _newest(data, slots, count) or _newest_again(again, slots, count)
        if not int(numbers[0]) & GONE:
            yield Record(kind, key, numbers[1:])
        place += length


def _newest_again(again: Callable[[int, int], bytes], slots: int, count: int) -> tuple[float, ...]:
    for _ in range(_TRIES):
        found = _newest(again(slots, 2 * slot_bytes(count)), 0, count)
        if found is not None:
            return found
    raise CorruptFileError(f"has damaged numbers at {slots}")


def _newest(data: bytes, slots: int, count: int) -> tuple[float, ...] | None:
    """Return number and numbers of the newer whole slot of two, or None where neither is whole."""
    size, body = slot_bytes(count), _body(count)
    if len(data) < slots + 2 * size:
        return None
    best: tuple[float, ...] | None = None
    for start in (slots, slots + size):
        end = start + body.size
        if crc32(data[start:end]) == int.from_bytes(data[end : end + 8], _ORDER):
            found = body.unpack_from(data, start)
            if best is None or found[0] > best[0]:
                best = found
    return best


@cache
def _body(count: int) -> struct.Struct:
    return struct.Struct(f"=Q{count}d")


_ORDER: Final = "little" if struct.pack("=H", 1)[0] else "big"
