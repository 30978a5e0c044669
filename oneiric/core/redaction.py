"""Make the text of an error fit to be seen: bounded, without credentials, without full URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from oneiric.core.sizes import is_large

MAX_ERROR_CHARS = 512
"""Longest text of an error in a record, in characters."""

_MAX_SCANNED_CHARS = 8 * MAX_ERROR_CHARS  # bounds the work on a hostile message
_NAMES = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pwd|(?:api|access|private|account|shared)[-_.]?key|credential"
    r"|session[-_]?id|\bpass\b)"
)
SECRET_NAME = re.compile(rf"(?i){_NAMES}|authorization|cookie")
"""Found in the name of whatever holds a secret."""

# Every repetition is bounded or ends a match, so that no text makes a pattern backtrack.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://(\S+)")
_USERINFO = re.compile(r"(?<!:)//[^\s/]{1,256}@")
_LOGIN = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}:[^\s@/:]{1,256}@(?=[\w\[])")
_QUERY = re.compile(r"(?<=[\w/])\?[\w.\[\]~-]{1,64}=[^\s\"'<>]*")
_KNOWN = re.compile(
    r"\beyJ[\w-]{8,}\.[\w.-]+"
    r"|\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|[sr]k[-_](?=[\w-]{0,40}\d)|AKIA|ASIA|AIza|ya29\.)[\w-]{16,}"
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)")
_HEADER = re.compile(r"(?i)((?:authorization|cookie)[\"']?\s{0,8}[=:]\s{0,8})[^\r\n]+")
_SEPARATOR = r"""[\"']{0,2}\s{0,8}(?:[=:]|%3[Dd]|(?<=[\"']),|(?<=[\"'] ),)\s{0,8}(?:b(?=[\"']))?"""
# What names a credential is no credential itself: were it taken for one, the other would lose its name and show.
_NO_NAME = rf"(?![\w.\"'(\[{{{{-]{{0,32}}{_NAMES}[\w-]{{0,64}}{_SEPARATOR})"
_NO_FLAG = rf"(?!--?[\w-]{{0,32}}{_NAMES}[\w-]{{0,32}}\s)"
_VALUE = rf"""(?:"(?:[^"\\]|\\[\s\S])*(?:"|\Z)|'(?:[^'\\]|\\[\s\S])*(?:'|\Z)|{_NO_NAME}{_NO_FLAG}[^\s,;&)}}\]]+)"""
_BEARER = re.compile(rf"(?i)\b(bearer|basic)\s{{1,8}}{_NO_NAME}{_NO_FLAG}[A-Za-z0-9+/=._~-]+")
_SECRET = re.compile(rf"(?i)({_NAMES}[\w-]{{0,64}})({_SEPARATOR}){_VALUE}")
_SIGNATURE = re.compile(r"(?i)\b((?:[\w-]{0,32}-)?sig(?:nature)?=)[^\s&]+")
_FLAG = re.compile(rf"(?i)(?<![\w-])(--?[\w-]{{0,32}}{_NAMES}[\w-]{{0,32}})\s{{1,8}}\S+")

_STANDARD_TEXTS = frozenset({BaseException.__str__, KeyError.__str__, OSError.__str__})
_LAST_WORD = re.compile(r"\s\S*\Z")


def redact(text: str, *, limit: int = MAX_ERROR_CHARS) -> str:
    """Return *text* without credentials and with URLs cut to scheme and host, at most *limit* characters long.

    What may be a credential goes, even if it may be something else too.
    """
    if len(text) > _MAX_SCANNED_CHARS:
        text = _without_torn_end(text[:_MAX_SCANNED_CHARS])
    text = _URL.sub(_shorten, text)
    text = _KEY_BLOCK.sub("***", text)
    text = _USERINFO.sub("//***@", text)
    text = _LOGIN.sub("***@", text)
    text = _QUERY.sub("?…", text)
    text = _HEADER.sub(r"\1***", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _SECRET.sub(r"\1\2***", text)
    text = _SIGNATURE.sub(r"\1***", text)
    text = _FLAG.sub(r"\1 ***", text)
    text = _KNOWN.sub("***", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def mask(value: object, *, hidden: bool = False) -> Any:
    """Return *value* fit for JSON and to be seen: texts redacted, and *** for what a name says to be secret.

    Everything in a mapping or list of such a name is hidden, but for None and what is true or false; with *hidden*
    *value* itself is. What JSON does not know becomes its text.
    """
    if isinstance(value, Mapping):
        return {
            str(name): mask(item, hidden=hidden or bool(SECRET_NAME.search(str(name)))) for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(item, hidden=hidden) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if hidden:
        return "***"
    return value if isinstance(value, int | float) else redact(str(value))


def describe(error: BaseException) -> tuple[str, str]:
    """Return the class name and the redacted text of *error*; never raises, whatever its ``__str__`` does."""
    try:
        text = _beginning(error) if is_large(error) and type(error).__str__ in _STANDARD_TEXTS else str(error)
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
    authority, *beyond = re.split(r"[/?#]", rest, maxsplit=1)
    if beyond and "@" in beyond[0]:  # a password may hold what ends an authority: what is the host cannot be told
        return f"{scheme}://…"
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}/…" if beyond or host != authority else f"{scheme}://{host}"


def _beginning(error: BaseException) -> str:
    """Return the text of an error that holds much, without making all of it."""
    if len(error.args) == 1 and type(error.args[0]) is str:
        return error.args[0][: 2 * _MAX_SCANNED_CHARS]
    return ", ".join(map(_short, error.args[:8]))


def _short(value: object) -> str:
    if isinstance(value, str | bytes | bytearray):
        return repr(value[:MAX_ERROR_CHARS])
    return f"<large {type(value).__name__}>" if is_large(value) else repr(value)


def _without_torn_end(text: str) -> str:
    """Return *text* without its last word, which may be the beginning of a credential that is not recognised."""
    torn = _LAST_WORD.search(text)
    return text[: torn.start()] + " …" if torn else "…"
