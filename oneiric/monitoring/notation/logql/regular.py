"""Go's regular expressions, read as Python's, and what Go has not."""

from __future__ import annotations

import re
import warnings

from oneiric.monitoring.notation.logql.errors import LogQLError

_UNKNOWN_TO_GO = re.compile(r"(?<!\\)(?:\\\\)*(\(\?(?:=|!|<=|<!|>|\()|\\[1-9])")
_UNKNOWN_TO_PYTHON = re.compile(r"\\[pP]|\[\[:|\\Q|\\C")
_NAMED = re.compile(r"\(\?<(?=[A-Za-z_])")


def compiled(pattern: str) -> re.Pattern[str] | None:
    r"""Return Go's *pattern* compiled; None where it has classes that Python does not know, such as ``\pL``.

    Raises:
        ValueError: It is no regular expression, or has look-arounds or back-references, which Go has not.
    """
    if foreign := _UNKNOWN_TO_GO.search(pattern):
        raise ValueError(f"{foreign[1]} is not in Go's regular expressions, which Loki uses")
    if _UNKNOWN_TO_PYTHON.search(pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(_NAMED.sub("(?P<", pattern).replace(r"\z", r"\Z"))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from None


def needed(pattern: str, offset: int) -> re.Pattern[str]:
    """Return *pattern*, which stands at *offset*, compiled.

    Raises:
        LogQLError: It can be read by Go only.
    """
    found = compiled(pattern)
    if found is None:
        raise LogQLError(offset, "has a class of characters that only Loki itself can answer for")
    return found
