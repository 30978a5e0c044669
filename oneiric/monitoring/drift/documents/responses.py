"""Responses over HTTP: bounded in size and time, with the user and password of a URL used and never shown."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from http.client import HTTPException
from time import monotonic
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from http.client import HTTPResponse

TIMEOUT_SECONDS = 10.0
MAX_RESPONSE_BYTES = 50_000_000
_PORT = re.compile(r"(?:[^:]|\[[^]]*\])*(?::\d*)?")
_CHUNK_BYTES = 65_536


class LiveError(ValueError):
    """An endpoint cannot be used; the text says why."""


class StatusError(ValueError):
    """A response is an error; ``status`` is which."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def shown(url: str) -> str:
    """Return *url* without the user and the password in it."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if "@" not in host and _PORT.fullmatch(host) is None:  # a slash in the password
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def get(url: str) -> str:
    """Return the body of the response of *url*.

    Raises:
        LiveError: No response comes in time, or it is not within the bounds.
        StatusError: The response is an error.
    """
    request = Request(shown(url), headers={"Accept": "text/plain;version=0.0.4"})  # noqa: S310 - the scheme was looked at
    if (authorization := _authorization(url)) is not None:
        request.add_unredirected_header("Authorization", authorization)  # no other host gets it
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - likewise
            return _text(response)
    except HTTPError as error:
        error.close()
        raise StatusError(error.code) from None
    except HTTPException as error:
        raise LiveError(f"it does not respond as HTTP has it: {type(error).__name__}") from None
    except (OSError, ValueError, zlib.error) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise LiveError(" ".join(why.split())) from None


def _authorization(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _text(response: HTTPResponse) -> str:
    """Return the text of *response*, which a server may have compressed unasked."""
    is_packed = response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "deflate"}
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if is_packed else None
    parts: list[bytes] = []
    size, ends = 0, monotonic() + TIMEOUT_SECONDS
    while part := response.read1(_CHUNK_BYTES):
        parts.append(unpack.decompress(part, MAX_RESPONSE_BYTES + 1 - size) if unpack is not None else part)
        size += len(parts[-1])
        if size > MAX_RESPONSE_BYTES or (unpack is not None and unpack.unconsumed_tail):
            raise LiveError(f"it answers with more than {MAX_RESPONSE_BYTES} bytes")
        if monotonic() > ends:
            raise LiveError(f"it has not answered in full after {TIMEOUT_SECONDS:g} s")
    return b"".join(parts).decode("utf-8", "replace")
