"""Keep the HTTP client from logging the URLs of our requests, which may carry credentials."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_QUIET: ContextVar[bool] = ContextVar("quiet_http", default=False)


@contextmanager
def quiet_client() -> Iterator[None]:
    """Suppress what httpx and httpcore log of the requests made in this context, and of no others.

    They log each request's whole URL at level INFO and the headers of responses at DEBUG. Nothing is changed for
    requests that somebody else makes.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_somebody_elses)  # a second time changes nothing
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def _is_somebody_elses(_: logging.LogRecord) -> bool:
    return not _QUIET.get()
