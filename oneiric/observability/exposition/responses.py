"""The responses to scrapers and probes, but for the page itself."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

METRICS_PATH = "/metrics"
METRICS_PATHS: Final = frozenset({METRICS_PATH, f"{METRICS_PATH}/"})
LIVEZ_PATH = "/livez"
READYZ_PATH = "/readyz"
LANDING_PATH = "/"
METHODS: Final = frozenset({"GET", "HEAD"})

_PLAIN_CONTENT_TYPE = "text/plain; charset=utf-8"
_PATHS: Final = METRICS_PATHS | {LIVEZ_PATH, READYZ_PATH, LANDING_PATH}
_LANDING: Final = b"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Oneiric metrics</title>
</head>
<body>
<h1>Oneiric metrics</h1>
<ul>
<li><a href="metrics">Metrics</a>, for Prometheus to scrape</li>
<li><a href="livez">Liveness</a>: whether the process answers</li>
<li><a href="readyz">Readiness</a>: whether it can serve</li>
</ul>
</body>
</html>
"""


class OwnMetricsMissingError(Exception):
    """The runtime's own metrics are not among those that were collected."""

    def __init__(self) -> None:
        super().__init__("the runtime's own metrics could not be collected")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; the headers include Content-Type and Content-Length, no hop-by-hop one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def reason(self) -> str:
        """The phrase that goes with the status."""
        return HTTPStatus(self.status).phrase


def immediate(method: str, path: str) -> Response:
    """Return the response to a request that needs nothing to be collected."""
    if path not in _PATHS:
        return error_response(HTTPStatus.NOT_FOUND)
    if method not in METHODS:
        return error_response(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
    return _IMMEDIATE[path]


def no_page(error: BaseException | None) -> Response:
    """Return what a scraper takes for a failed scrape, with a line that says why but nothing of foreign texts."""
    if isinstance(error, OwnMetricsMissingError):
        why = f"{error}; the log says why"
    elif isinstance(error, TimeoutError):
        why = "the metrics could not be collected in time"
    else:
        why = f"the metrics could not be collected: {type(error).__name__}"
    return response(HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n".encode())


@functools.cache
def error_response(status: HTTPStatus, *headers: tuple[str, str]) -> Response:
    """Return a refusal whose body is the phrase of *status*, so that nothing of the request is reflected."""
    return response(status, f"{status.phrase.lower()}\n".encode(), *headers)


def response(
    status: HTTPStatus, body: bytes, *headers: tuple[str, str], content_type: str = _PLAIN_CONTENT_TYPE
) -> Response:
    """Return a response with the headers that all have in common."""
    common = (("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"))
    return Response(status.value, common + headers, body)


_ALIVE: Final = response(HTTPStatus.OK, b"ok\n")
READY: Final = response(HTTPStatus.OK, b"ready\n")
NOT_READY: Final = response(HTTPStatus.SERVICE_UNAVAILABLE, b"not ready\n")
_IMMEDIATE: Final = {
    LIVEZ_PATH: _ALIVE,
    READYZ_PATH: READY,
    LANDING_PATH: response(HTTPStatus.OK, _LANDING, content_type="text/html; charset=utf-8"),
}
