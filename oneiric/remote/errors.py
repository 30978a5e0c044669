"""Why a synchronisation fails, in words that a metric can carry."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
from pydantic import ValidationError

if TYPE_CHECKING:
    from oneiric.core.events import SyncFailure

_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = range(500, 600)


class RemoteSyncError(ValueError):
    """A manifest or an artifact is refused.

    Attributes:
        reason: Why the synchronisation fails.
    """

    def __init__(self, message: str, *, reason: SyncFailure = "other") -> None:
        super().__init__(message)
        self.reason: SyncFailure = reason


class EntryError(ValueError):
    """One entry of a manifest is refused; the others are not affected.

    Attributes:
        slug: Short enumerated cause.
    """

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug


def reason_of(error: BaseException) -> SyncFailure:
    """Return why a synchronisation that raised *error* failed."""
    match error:
        case RemoteSyncError():
            return error.reason
        case httpx.HTTPStatusError():
            return "http_status"
        case httpx.TimeoutException() | TimeoutError():
            return "timeout"
        case httpx.RequestError():
            return "network"
        case ValidationError():
            return "parse"
        case _:
            return "other"


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a little later: the network, a timeout, 429 or a server error.

    A proxy that refuses, a certificate that does not verify and a redirect that is no URL stay what they are.
    """
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == _TOO_MANY_REQUESTS or error.response.status_code in _SERVER_ERRORS
    if isinstance(error, httpx.UnsupportedProtocol | httpx.ProxyError) or _certificate_refused(error):
        return False
    # httpx has no class of its own for a malformed redirect.
    malformed = isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error)
    return isinstance(error, httpx.TransportError) and not malformed


def _certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
