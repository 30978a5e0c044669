"""What may be imported and registered on behalf of a configuration or a manifest, and comparisons that leak no time.

Every validator answers ``(ok, error)``: ``(True, None)``, or ``(False, text)`` with a text that may be shown.
"""

from __future__ import annotations

import hmac
import os
import re
import reprlib
from typing import TypeAlias

FACTORY_ALLOWLIST_ENV = "ONEIRIC_FACTORY_ALLOWLIST"
"""Comma-separated module prefixes from which factories may come."""

DEFAULT_ALLOWED_PREFIXES = ["oneiric."]
"""Where factories may come from while the environment says nothing."""

BLOCKED_MODULES = frozenset(
    {
        "__builtin__",
        "builtins",
        "importlib",
        "nt",
        "oneiric.__main__",  # of the package, only what makes adapters and the like may be named by a manifest
        "oneiric.cli",
        "oneiric.core",
        "oneiric.monitoring",
        "oneiric.observability",
        "oneiric.plugins",
        "oneiric.rehearsal",
        "oneiric.runtime",
        "os",
        "pathlib",
        "posix",
        "shutil",
        "subprocess",
        "sys",
        "tempfile",
    }
)
"""Modules no factory may come from, with their submodules, whatever the allowlist says."""

MAX_FACTORY_CHARS = 512
"""Longest factory string, in characters."""

MAX_PRIORITY = 1000
"""Priorities reach from minus this to this."""

MAX_STACK_LEVEL = 100
"""Stack levels reach from minus this to this."""

Validation: TypeAlias = tuple[bool, str | None]
"""``(True, None)`` or ``(False, why not)``."""

_MAX_SHOWN_BITS = 64
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_FACTORY = re.compile(rf"({_IDENTIFIER}(?:\.{_IDENTIFIER})*):{_IDENTIFIER}")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DOTTED_KEY = re.compile(r"[A-Za-z0-9_.-]+")


def load_factory_allowlist() -> list[str]:
    """Return the allowed module prefixes, each with a trailing dot, from the environment, else a copy of the default.

    A variable that is set but empty allows nothing.
    """
    configured = os.environ.get(FACTORY_ALLOWLIST_ENV)
    if configured is None:
        return list(DEFAULT_ALLOWED_PREFIXES)
    return [_dotted(prefix) for item in configured.split(",") if (prefix := item.strip())]


def validate_factory_string(factory: object, allowed_prefixes: list[str] | None = None) -> Validation:
    """Check that *factory* has the form ``package.module:attribute`` and may be imported.

    A prefix allows the module of that name and everything below it. Without *allowed_prefixes*,
    :func:`load_factory_allowlist` is asked.
    """
    module = _module_of(factory)
    if module is None:
        return False, (
            f"Invalid factory format: {reprlib.repr(factory)} (must be 'package.module:attribute', "
            f"at most {MAX_FACTORY_CHARS} characters)"
        )
    ok, error = validate_factory_module(module)
    if not ok:
        return ok, error
    prefixes = load_factory_allowlist() if allowed_prefixes is None else allowed_prefixes
    if not prefixes:
        return False, f"Factory {reprlib.repr(factory)} not in allowlist (allowlist is empty)"
    if not _is_below(module, prefixes):
        return False, f"Factory {reprlib.repr(factory)} not in allowlist. Allowed prefixes: {', '.join(prefixes)}"
    return True, None


def validate_factory_module(module: object) -> Validation:
    """Check that *module*, where a factory is found or where what is found was defined, is no blocked one."""
    if isinstance(module, str) and _is_below(module, BLOCKED_MODULES):
        return False, f"Factory module {reprlib.repr(module)} is blocked for security reasons"
    return True, None


def validate_key_format(key: object, allow_dots: bool = True) -> Validation:  # noqa: FBT001, FBT002 - published signature
    """Check that *key* is made of letters, digits, "-", "_" and, if *allow_dots*, ".", and walks no path."""
    if not isinstance(key, str):
        return False, f"Key contains invalid characters (must be a string, got {type(key).__name__})"
    if not key:
        return False, "Key cannot be empty"
    if ".." in key or key.startswith("/") or "\\" in key:
        return False, f"Key contains path traversal: {reprlib.repr(key)}"
    if not (_DOTTED_KEY if allow_dots else _KEY).fullmatch(key):
        allowed = "letters, digits, '-', '_'" + (", '.'" if allow_dots else "")
        return False, f"Key contains invalid characters (must be {allowed}): {reprlib.repr(key)}"
    return True, None


def validate_priority_bounds(priority: object) -> Validation:
    """Check that *priority* is an integer from -1000 to 1000."""
    return _validate_bounds("Priority", priority, MAX_PRIORITY)


def validate_stack_level_bounds(stack_level: object) -> Validation:
    """Check that *stack_level* is an integer from -100 to 100."""
    return _validate_bounds("Stack level", stack_level, MAX_STACK_LEVEL)


def constant_time_compare(first: object, second: object) -> bool:
    """Whether two str are equal, in a time that does not show where they differ; TypeError for anything else."""
    if isinstance(first, str) and isinstance(second, str):
        return hmac.compare_digest(first.encode("utf-8", "surrogatepass"), second.encode("utf-8", "surrogatepass"))
    raise _uncomparable("two str", first, second)


def constant_time_bytes_compare(first: object, second: object) -> bool:
    """Whether two bytes are equal, in a time that does not show where they differ; TypeError for anything else."""
    if isinstance(first, bytes) and isinstance(second, bytes):
        return hmac.compare_digest(first, second)
    raise _uncomparable("two bytes", first, second)


def timing_safe_compare(first: object, second: object) -> bool:
    """Whether two str or two bytes are equal, likewise; TypeError for a mix of them and for anything else."""
    if isinstance(first, str) and isinstance(second, str):
        return constant_time_compare(first, second)
    if isinstance(first, bytes) and isinstance(second, bytes):
        return constant_time_bytes_compare(first, second)
    raise _uncomparable("two str or two bytes", first, second)


def _uncomparable(expected: str, first: object, second: object) -> TypeError:
    return TypeError(f"expected {expected}, got {type(first).__name__} and {type(second).__name__}")


def _module_of(factory: object) -> str | None:
    if not isinstance(factory, str) or len(factory) > MAX_FACTORY_CHARS:
        return None
    match = _FACTORY.fullmatch(factory)
    return match and match[1]


def _dotted(prefix: str) -> str:
    return prefix if prefix.endswith(".") else f"{prefix}."


def _is_below(module: str, prefixes: list[str] | frozenset[str]) -> bool:
    return f"{module}.".startswith(tuple(_dotted(prefix) for prefix in prefixes))


def _validate_bounds(what: str, value: object, limit: int) -> Validation:
    if not isinstance(value, int) or isinstance(value, bool):
        return False, f"{what} must be integer, got {type(value).__name__}"
    if not -limit <= value <= limit:
        shown = value if value.bit_length() <= _MAX_SHOWN_BITS else f"of {value.bit_length()} bits"
        return False, f"{what} {shown} out of bounds (must be from -{limit} to {limit})"
    return True, None
