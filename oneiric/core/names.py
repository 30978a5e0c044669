"""What may stand as the name of a domain, a key or a provider.

Names become metric labels, log fields and file contents, so they are bounded and hold no control characters.
"""

from __future__ import annotations

import re
import reprlib
from typing import TypeGuard

DOMAINS = ("adapter", "service", "task", "event", "workflow", "action")
"""The domains every runtime has; others exist once a candidate is registered in them."""

MAX_NAME_CHARS = 256
"""Longest name, in characters."""

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_valid_name(value: object) -> TypeGuard[str]:
    """Whether *value* may stand as a name; never raises."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS and not _FORBIDDEN.search(value)


def validate_name(value: object, *, field: str) -> str:
    """Return *value* unchanged, or raise the ValueError of :func:`invalid_name`."""
    if is_valid_name(value):
        return value
    raise invalid_name(value, field=field)


def invalid_name(value: object, *, field: str) -> ValueError:
    """Return an error that names *field*, *value*, shortened, and what is allowed."""
    return ValueError(
        f"{field} {reprlib.repr(value)} is not a valid name: allowed is a string of 1 to {MAX_NAME_CHARS} characters "
        "without control characters, surrogates and line separators"
    )
