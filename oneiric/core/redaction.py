"""Make the text of an error fit to be seen: bounded, without credentials, without full URLs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_ERROR_CHARS = 512
"""Longest text of an error in a record, in characters."""

_MAX_SCANNED_CHARS = 8 * MAX_ERROR_CHARS  # bounds the work on a hostile message
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,31})://([^\s'\"<>`]+)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]+")
_SECRET = re.compile(  # every repetition is bounded or ends a match, so that no text makes it backtrack
    r"(?i)((?:token|secret|passw(?:or)?d|authorization|(?:api|access|private)[-_]?key|credential)[\w-]{0,64})"
    r"(\"?'?\s{0,8}[=:]\s{0,8})(\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)"
)


def redact(text: str, *, limit: int = MAX_ERROR_CHARS) -> str:
    """Return *text* without credentials and with URLs cut to scheme and host, at most *limit* characters long."""
    text = text[:_MAX_SCANNED_CHARS]
    text = _URL.sub(_shorten, text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _SECRET.sub(r"\1\2***", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def describe(error: BaseException) -> tuple[str, str]:
    """Return the class name and the redacted text of *error*; never raises, whatever its ``__str__`` does."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - an error's own __str__ is foreign code
        text = f"<unprintable: {type(broken).__name__}>"
    return type(error).__name__, redact(text)


def host_of(url: str) -> str:
    """Return the host name of *url*, without port, path or credentials; "" where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _shorten(match: re.Match[str]) -> str:
    scheme, rest = match.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}" if len(host) == len(rest) else f"{scheme}://{host}/…"
