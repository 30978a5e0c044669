"""HTTP/1.1 as far as a scraper needs it: a strict reading of one request, and the bytes of one response.

A connection carries one request (RFC 9112): scrapes are further apart than an idle connection may usefully be held, and
where nothing follows a request, nothing can be smuggled behind it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oneiric.observability.exposition import Response

HEAD_END: Final = b"\r\n\r\n"

_NOT_IN_A_HEAD = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)|\A[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - what RFC 9110 calls a token
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_NAME = re.compile(_TOKEN)
_ABSOLUTE = re.compile(r"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"  # a name, or an IPv4 address
    r"|\[(?P<ipv6>[0-9A-Fa-f:.]+)(?:%[A-Za-z0-9._~%-]+)?\])"  # the zone is for who is on the same link
    r"(?::(?P<port>[0-9]{0,5}))?"
)
_MAX_PORT: Final = 65_535
_LENGTH = re.compile(r"[0-9]{1,19}")
_MAX_HEADERS: Final = 100
_ALONE: Final = frozenset({"authorization", "content-length", "host", "transfer-encoding"})
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class BadRequestError(Exception):
    """A request that is refused before anybody looks at what it asks for."""

    def __init__(self, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for, as it came: nothing is decoded.

    Attributes:
        path: Of the target, without its query.
        query: What follows the first question mark.
        has_body: Whether a body follows, which nobody reads.
    """

    method: str
    path: str
    query: str = ""
    accept: str = ""
    accept_encoding: str = ""
    authorization: str = ""
    has_body: bool = False


def is_hopeless(received: bytes | bytearray, start: int, end: int) -> bool:
    """Whether *received* up to *end* cannot be a head's beginning; what is before *start* was looked at already."""
    return _NOT_IN_A_HEAD.search(received, max(0, start - 1), end) is not None


def parse_head(head: bytes) -> Request:
    """Return the request whose head, without the empty line that ends it, is *head*.

    Raises:
        BadRequestError: When it is not exactly as RFC 9110 and 9112 want it, or could be understood in two ways: bare
            line feeds, folded lines, blanks around names, a body of two lengths, and so on.
    """
    request_line, *lines = head.decode("latin-1").split("\r\n")
    matched = _REQUEST_LINE.fullmatch(request_line)
    if matched is None:
        raise BadRequestError
    method, target, minor = matched.groups()
    headers = _headers(lines)
    if "host" in headers:
        _require_host(headers["host"])
    elif minor == "1":
        raise BadRequestError
    path, _, query = _origin_form(target).partition("?")
    return Request(
        method=method,
        path=path,
        query=query,
        accept=headers.get("accept", ""),
        accept_encoding=headers.get("accept-encoding", ""),
        authorization=headers.get("authorization", ""),
        has_body=_has_body(headers, minor),
    )


def serialize(response: Response, *, head_only: bool = False) -> list[memoryview]:
    """Return *response* as it goes over the wire, the last one of its connection; its body is not copied."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS[response.status]}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines += [_date(int(time.time())), "Connection: close", "", ""]
    head = memoryview("\r\n".join(lines).encode("latin-1"))
    return [head] if head_only or not response.body else [head, memoryview(response.body)]


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"


def _origin_form(target: str) -> str:
    if target.startswith("/") or target == "*":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequestError
    authority, rest = absolute.groups()
    _require_host(authority)
    return rest if rest.startswith("/") else f"/{rest}"


def _require_host(text: str) -> None:
    """Refuse what is no host, with or without a port (RFC 9110, section 7.2; RFC 3986, section 3.2.2)."""
    matched = _HOST.fullmatch(text)
    if matched is None or int(matched["port"] or 0) > _MAX_PORT:
        raise BadRequestError
    if matched["ipv6"] is not None:
        try:
            ipaddress.IPv6Address(matched["ipv6"])
        except ValueError:
            raise BadRequestError from None


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > _MAX_HEADERS:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (colon and _NAME.fullmatch(name)):
            raise BadRequestError
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in _ALONE:
                raise BadRequestError
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _has_body(headers: dict[str, str], minor: str) -> bool:
    length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
    if encoding is not None:
        if length is not None or minor == "0" or encoding.lower() != "chunked":
            raise BadRequestError
        return True
    if length is None:
        return False
    if _LENGTH.fullmatch(length) is None:
        raise BadRequestError
    return int(length) > 0
